//! ConsumerGroupHeartbeat: the consumer protocol.

use klamm::base::ids::Uuid;
use klamm::wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};

use crate::groups::{
    FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH, GROUP_ID_NOT_FOUND, INVALID_REGULAR_EXPRESSION, INVALID_REQUEST,
    UNKNOWN_MEMBER_ID, UNRELEASED_INSTANCE_ID, UNSUPPORTED_ASSIGNOR, assigned, beat_request, classic, consumer, group,
    heartbeat_request, join, join_request, protocol, sync_request,
};
use crate::rig::{Client, Rig, client, fresh, until};

fn beat(client: &mut Client, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    client.call(request, 1)
}

#[test]
fn both_versions_join_stay_and_leave() {
    let mut client = client();
    let topic = fresh("beat-topic");
    let topic_id = client.create(&topic, 3, &[]);
    for version in [0, 1] {
        let id = group(&mut client, "beat-versions");
        // Version 0 asks the coordinator for an id.
        let name = if version == 0 { String::new() } else { fresh("member") };
        let joined = client.call(&beat_request(&id, &name, 0, &[&topic]), version);
        assert_eq!((joined.error_code.0, joined.error_message.as_deref()), (0, None), "version {version}");
        let member = joined.member_id.clone().expect("an id");
        if version == 0 {
            assert_eq!(member.len(), 22, "{member}");
        } else {
            assert_eq!(member, name);
        }
        assert_eq!((joined.member_epoch, joined.heartbeat_interval_ms), (2, 5000));
        assert_eq!(assigned(&joined), Some(vec![(topic_id, vec![0, 1, 2])]));
        let stayed = client.call(&beat_request(&id, &member, 2, &[]), version);
        assert_eq!((stayed.error_code.0, stayed.member_epoch), (0, 2));
        assert_eq!(assigned(&stayed), None, "nothing is new");
        let mut full = beat_request(&id, &member, 2, &[]);
        full.rebalance_timeout_ms = 20_000;
        full.subscribed_topic_names = Some(vec![topic.clone()]);
        full.topic_partitions = Some(vec![TopicPartitions { topic_id, partitions: vec![0, 1, 2] }]);
        let told = client.call(&full, version);
        assert_eq!((told.member_epoch, assigned(&told)), (2, Some(vec![(topic_id, vec![0, 1, 2])])));
        let again = client.call(&beat_request(&id, &member, 0, &[&topic]), version);
        assert_eq!((again.error_code.0, again.member_epoch), (0, 2), "it may begin again");
        let left = client.call(&beat_request(&id, &member, -1, &[]), version);
        assert_eq!((left.error_code.0, left.member_epoch, left.heartbeat_interval_ms), (0, -1, 0));
        assert_eq!((left.member_id.as_deref(), assigned(&left)), (Some(member.as_str()), None));
        let gone = client.call(&beat_request(&id, &member, 2, &[]), version);
        assert_eq!(gone.error_code.0, UNKNOWN_MEMBER_ID);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_reason() {
    let mut client = client();
    let id = group(&mut client, "beat-invalid");
    let good = || beat_request(&id, "m", 0, &["t"]);
    let invalid = INVALID_REQUEST;
    let bad = [
        (ConsumerGroupHeartbeatRequest { group_id: String::new(), ..good() }, invalid, "GroupId can't be empty."),
        (ConsumerGroupHeartbeatRequest { group_id: "  ".to_owned(), ..good() }, invalid, "GroupId can't be empty."),
        (ConsumerGroupHeartbeatRequest { member_id: String::new(), ..good() }, invalid, "MemberId can't be empty."),
        (
            ConsumerGroupHeartbeatRequest { instance_id: Some(String::new()), ..good() },
            invalid,
            "InstanceId can't be empty.",
        ),
        (ConsumerGroupHeartbeatRequest { rack_id: Some(String::new()), ..good() }, invalid, "RackId can't be empty."),
        (ConsumerGroupHeartbeatRequest { member_epoch: -3, ..good() }, invalid, "MemberEpoch is invalid."),
        (ConsumerGroupHeartbeatRequest { member_epoch: -2, ..good() }, invalid, "InstanceId can't be null."),
        (
            ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..good() },
            invalid,
            "RebalanceTimeoutMs must be provided in first request.",
        ),
        (
            ConsumerGroupHeartbeatRequest { topic_partitions: None, ..good() },
            invalid,
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            ConsumerGroupHeartbeatRequest {
                topic_partitions: Some(vec![TopicPartitions { topic_id: Uuid([1; 16]), partitions: vec![0] }]),
                ..good()
            },
            invalid,
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..good() },
            invalid,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (
            ConsumerGroupHeartbeatRequest { server_assignor: Some("mine".to_owned()), ..good() },
            UNSUPPORTED_ASSIGNOR,
            "ServerAssignor mine is not supported. Supported assignors: uniform, range.",
        ),
    ];
    for (request, code, message) in bad {
        let response = beat(&mut client, &request);
        assert_eq!((response.error_code.0, response.error_message.as_deref()), (code, Some(message)), "{request:?}");
        assert_eq!((response.member_id, response.member_epoch, response.heartbeat_interval_ms), (None, 0, 0));
    }
    let empty = ConsumerGroupHeartbeatRequest { subscribed_topic_names: Some(Vec::new()), ..good() };
    assert_eq!(beat(&mut client, &empty).error_code.0, 0, "no topics yet are topics too");
    let request = ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("[".to_owned()), ..good() };
    let response = beat(&mut client, &request);
    assert_eq!(response.error_code.0, INVALID_REGULAR_EXPRESSION);
    let message = response.error_message.expect("a reason");
    assert!(message.starts_with("SubscribedTopicRegex `[` is not a valid regular expression: "), "{message}");
}

#[test]
fn strangers_and_wrong_epochs_are_fenced() {
    let mut client = client();
    let topic = fresh("beat-topic");
    client.create(&topic, 1, &[]);
    let missing = group(&mut client, "beat-missing");
    for epoch in [1, -1] {
        let response = beat(&mut client, &beat_request(&missing, "m", epoch, &[]));
        assert_eq!(response.error_code.0, GROUP_ID_NOT_FOUND, "epoch {epoch}");
        let expected = if epoch == 1 {
            format!("Consumer group {missing} not found.")
        } else {
            format!("Group {missing} not found.")
        };
        assert_eq!(response.error_message, Some(expected));
    }
    let id = group(&mut client, "beat-fenced");
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    let stranger = beat(&mut client, &beat_request(&id, "stranger", epoch, &[]));
    let message = format!("Member stranger is not a member of group {id}.");
    assert_eq!((stranger.error_code.0, stranger.error_message), (UNKNOWN_MEMBER_ID, Some(message.clone())));
    let leaves = beat(&mut client, &beat_request(&id, "stranger", -1, &[]));
    assert_eq!((leaves.error_code.0, leaves.error_message), (UNKNOWN_MEMBER_ID, Some(message)));
    let ahead = beat(&mut client, &beat_request(&id, &member, epoch + 3, &[]));
    assert_eq!(ahead.error_code.0, FENCED_MEMBER_EPOCH);
    let expected = format!(
        "The consumer group member has a greater member epoch ({}) than the one known by the group coordinator ({epoch}). \
         The member must abandon all its partitions and rejoin.",
        epoch + 3
    );
    assert_eq!(ahead.error_message, Some(expected));
}

#[test]
fn two_members_share_and_nothing_is_given_before_it_is_given_back() {
    let mut client = client();
    let topic = fresh("beat-topic");
    let topic_id = client.create(&topic, 4, &[]);
    let id = group(&mut client, "beat-two");
    let (first, epoch) = consumer(&mut client, &id, &[&topic]);
    let second = beat(&mut client, &beat_request(&id, "second", 0, &[&topic]));
    assert_eq!((second.member_epoch, assigned(&second)), (epoch + 1, Some(Vec::new())));
    let told = beat(&mut client, &beat_request(&id, &first, epoch, &[]));
    let kept = assigned(&told).expect("less than before");
    assert_eq!((told.member_epoch, kept[0].1.len()), (epoch, 2));
    let waits = beat(&mut client, &beat_request(&id, "second", epoch + 1, &[]));
    assert_eq!(assigned(&waits), None);
    let mut report = beat_request(&id, &first, epoch, &[]);
    report.topic_partitions = Some(vec![TopicPartitions { topic_id, partitions: kept[0].1.clone() }]);
    assert_eq!(beat(&mut client, &report).member_epoch, epoch + 1);
    let given = beat(&mut client, &beat_request(&id, "second", epoch + 1, &[]));
    let given = assigned(&given).expect("what was given back");
    assert!(given[0].1.len() == 2 && given[0].1.iter().all(|partition| !kept[0].1.contains(partition)));
}

#[test]
fn expressions_find_topics_that_are_and_that_come() {
    let mut client = client();
    let prefix = fresh("beat-regex");
    let topic_id = client.create(&format!("{prefix}-a"), 1, &[]);
    let id = group(&mut client, "beat-regex");
    let mut request = beat_request(&id, "m", 0, &[]);
    request.subscribed_topic_names = None;
    request.subscribed_topic_regex = Some(format!("{prefix}-[ab]"));
    let mut owned: Vec<TopicPartitions> = Vec::new();
    let joined = beat(&mut client, &request);
    assert_eq!(joined.error_code.0, 0, "{:?}", joined.error_message);
    let mut epoch = joined.member_epoch;
    let mut settle = |client: &mut Client, mut now: Option<Vec<(Uuid, Vec<i32>)>>, count: usize| {
        until("the topics", || {
            if now.as_ref().is_some_and(|now| now.len() == count) {
                return now.clone();
            }
            let mut request = beat_request(&id, "m", epoch, &[]);
            request.topic_partitions = Some(owned.clone());
            let response = beat(client, &request);
            assert_eq!(response.error_code.0, 0, "{:?}", response.error_message);
            epoch = response.member_epoch;
            now = assigned(&response);
            if let Some(now) = &now {
                let listed = now.iter();
                owned = listed
                    .map(|(topic_id, partitions)| TopicPartitions {
                        topic_id: *topic_id,
                        partitions: partitions.clone(),
                    })
                    .collect();
            }
            None
        })
    };
    let first = settle(&mut client, assigned(&joined), 1);
    assert_eq!(first, [(topic_id, vec![0])]);
    client.create(&format!("{prefix}-c"), 1, &[]);
    client.create(&format!("{prefix}-b"), 1, &[]);
    if !crate::rig::is_reference() {
        // Kafka looks every ten minutes.
        assert_eq!(settle(&mut client, None, 2).len(), 2);
    }
}

#[test]
fn a_static_member_leaves_for_a_while_and_comes_back() {
    let mut client = client();
    let topic = fresh("beat-topic");
    client.create(&topic, 2, &[]);
    let id = group(&mut client, "beat-static");
    let of = |member: &str, epoch: i32| ConsumerGroupHeartbeatRequest {
        instance_id: Some("instance".to_owned()),
        ..beat_request(&id, member, epoch, &[&topic])
    };
    let first = beat(&mut client, &of("a", 0));
    assert_eq!(first.error_code.0, 0);
    for name in ["a", "b"] {
        let taken = beat(&mut client, &of(name, 0));
        let message = format!(
            "Static member {name} with instance id instance cannot join the group because the instance id is owned by a member."
        );
        assert_eq!((taken.error_code.0, taken.error_message), (UNRELEASED_INSTANCE_ID, Some(message)));
    }
    let left = beat(&mut client, &of("a", -2));
    assert_eq!((left.error_code.0, left.member_epoch, left.member_id.as_deref()), (0, -2, Some("a")));
    let back = beat(&mut client, &of("b", 0));
    assert_eq!((back.error_code.0, back.member_epoch), (0, first.member_epoch), "no rebalance");
    assert_eq!(assigned(&back), assigned(&first));
    let fenced = beat(&mut client, &of("a", first.member_epoch));
    let message = "Static member a with instance id instance was fenced by member b.".to_owned();
    assert_eq!((fenced.error_code.0, fenced.error_message), (FENCED_INSTANCE_ID, Some(message)));
    assert_eq!(beat(&mut client, &of("a", -1)).error_code.0, FENCED_INSTANCE_ID);
    let nobody = ConsumerGroupHeartbeatRequest { instance_id: Some("nobody".to_owned()), ..of("c", 1) };
    let unknown = beat(&mut client, &nobody);
    let message = "Instance id nobody is unknown.".to_owned();
    assert_eq!((unknown.error_code.0, unknown.error_message), (UNKNOWN_MEMBER_ID, Some(message)));
    // The same id comes back as well.
    beat(&mut client, &of("b", -2));
    assert_eq!(beat(&mut client, &of("b", 0)).error_code.0, 0);
}

#[test]
fn a_classic_group_is_converted_while_its_member_stays_and_back() {
    let mut client = client();
    let topic = fresh("beat-topic");
    client.create(&topic, 2, &[]);
    let id = group(&mut client, "beat-migration");
    let (old, generation) = classic(&mut client, &id, &[&topic]);
    let joined = beat(&mut client, &beat_request(&id, "new", 0, &[&topic]));
    assert_eq!((joined.error_code.0, joined.member_epoch), (0, generation + 1), "{:?}", joined.error_message);
    assert_eq!(assigned(&joined).map(|all| all[0].1.len()), Some(1), "nothing was assigned to the other");
    assert_eq!(client.call(&heartbeat_request(&id, &old, generation), 4).error_code.0, 27);
    let again = klamm::wire::messages::join_group::JoinGroupRequest {
        protocols: vec![protocol("range", &[&topic])],
        ..join_request(&id, &old)
    };
    let rejoined = join(&mut client, again.clone(), 9);
    assert_eq!((rejoined.error_code.0, rejoined.generation_id), (0, generation + 1));
    assert_eq!((rejoined.leader.as_str(), rejoined.members.len(), rejoined.skip_assignment), ("", 0, false));
    assert_eq!(rejoined.protocol_name.as_deref(), Some("range"));
    assert_eq!(rejoined.protocol_type.as_deref(), Some("consumer"));
    let synced = client.call(&sync_request(&id, &old, generation + 1, &[]), 5);
    assert_eq!(synced.error_code.0, 0);
    assert_eq!((synced.protocol_type.as_deref(), synced.protocol_name.as_deref()), (Some("consumer"), Some("range")));
    // Version, one topic, its name, one partition, no user data.
    assert_eq!(synced.assignment.len(), 2 + 4 + 2 + topic.len() + 4 + 4 + 4);
    assert_eq!(client.call(&heartbeat_request(&id, &old, generation + 1), 4).error_code.0, 0);
    assert_eq!(client.call(&heartbeat_request(&id, "new", generation + 1), 4).error_code.0, UNKNOWN_MEMBER_ID);
    let left = beat(&mut client, &beat_request(&id, "new", -1, &[]));
    assert_eq!(left.error_code.0, 0);
    let gone = beat(&mut client, &beat_request(&id, "new", 1, &[]));
    assert_eq!(gone.error_code.0, GROUP_ID_NOT_FOUND);
    assert_eq!(gone.error_message, Some(format!("Group {id} is not a consumer group.")));
    let led = join(&mut client, again, 9);
    assert_eq!((led.error_code.0, led.leader.as_str(), led.members.len()), (0, old.as_str(), 1));
    assert!(led.generation_id > generation + 1);
}

#[test]
fn groups_of_another_kind_are_not_converted() {
    let mut client = client();
    let id = group(&mut client, "beat-connect");
    let request = klamm::wire::messages::join_group::JoinGroupRequest {
        protocol_type: "connect".to_owned(),
        ..join_request(&id, "")
    };
    assert_eq!(join(&mut client, request, 9).error_code.0, 0);
    let response = beat(&mut client, &beat_request(&id, "new", 0, &["t"]));
    let message = format!(
        "Cannot upgrade classic group {id} to consumer group because the group does not use the consumer embedded protocol."
    );
    assert_eq!((response.error_code.0, response.error_message), (GROUP_ID_NOT_FOUND, Some(message)));
}

#[test]
fn a_full_group_refuses_and_a_group_survives_a_restart() {
    let mut rig = Rig::with(&[("group.consumer.max.size", "1")]);
    let mut client = rig.client();
    client.create("t", 2, &[]);
    let id = group(&mut client, "beat-full");
    let (member, epoch) = consumer(&mut client, &id, &["t"]);
    let full = beat(&mut client, &beat_request(&id, "second", 0, &["t"]));
    let message = "The consumer group has reached its maximum capacity of 1 members.".to_owned();
    assert_eq!((full.error_code.0, full.error_message), (81, Some(message)));
    rig.restart();
    let mut client = rig.client();
    crate::groups::ready(&mut client, &id);
    let stayed = beat(&mut client, &beat_request(&id, &member, epoch, &[]));
    assert_eq!((stayed.error_code.0, stayed.member_epoch), (0, epoch));
}
