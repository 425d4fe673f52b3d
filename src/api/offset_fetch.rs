//! OffsetFetch (key 9), versions 1-10.
//!
//! Behavior: what is committed for partitions, or for all of a group. An offset of a partition that has none is -1.
//!
//! Version notes: v2: all topics; errors of the group. v7: stable offsets only (KIP-447). v8: many groups. v9: members of the
//! consumer protocol. v10: topic ids.
//!
//! Reference: Kafka `KafkaApis.handleOffsetFetchRequest`, `OffsetMetadataManager.fetchOffsets`.

use super::coordinated::{ask_each, code};
use super::{Broker, Call, Outcome, errors};
use crate::base::ids::{TopicName, Uuid};
use crate::coordinator::group::event::{Event, FetchedTopic, OffsetFetch, Reply, TopicRef};
use crate::wire::ErrorCode;
use crate::wire::messages::offset_fetch::{
    OffsetFetchFacts, OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};

pub fn handle(call: Call<'_>, request: OffsetFetchRequest, facts: OffsetFetchFacts) -> Outcome<OffsetFetchResponse> {
    let stable = request.require_stable;
    let groups = if facts.batched { request.groups } else { vec![one_group(request)] };
    let ids: Vec<String> = groups.iter().map(|group| group.group_id.clone()).collect();
    let asked: Vec<Vec<OffsetFetchRequestTopics>> =
        groups.iter().map(|group| group.topics.clone().unwrap_or_default()).collect();
    let events = groups.into_iter().map(|group| {
        let shell = call.broker.groups.shell_of(&group.group_id);
        (shell, event(call.broker, group, stable, facts))
    });
    let events = events.collect();
    ask_each(events, move |replies| {
        let answered = ids.into_iter().zip(asked).zip(replies);
        let mut groups: Vec<_> =
            answered.map(|((id, asked), reply)| group_answer(id, asked, reply, facts)).collect();
        if facts.batched {
            return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
        }
        groups.pop().map(|group| single(group, facts)).unwrap_or_default()
    })
}

/// The request to v7 in the shape of those that follow.
fn one_group(request: OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.map(|topics| {
        let topic = |topic: crate::wire::messages::offset_fetch::OffsetFetchRequestTopic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        };
        topics.into_iter().map(topic).collect()
    });
    OffsetFetchRequestGroup { group_id: request.group_id, topics, ..OffsetFetchRequestGroup::default() }
}

fn event(broker: &Broker, group: OffsetFetchRequestGroup, require_stable: bool, facts: OffsetFetchFacts) -> Event {
    // Nobody in particular names neither.
    let named = group.member_id.is_some() || group.member_epoch >= 0;
    let member = named.then(|| (group.member_id.unwrap_or_default(), group.member_epoch));
    let topic = |topic: OffsetFetchRequestTopics| {
        let found = if facts.topics_by_id {
            broker.registry.topic_by_id(&topic.topic_id)
        } else {
            broker.registry.topic(&topic.name)
        };
        let meant = match found {
            Some(found) => TopicRef { name: Some(found.name().clone()), id: found.id() },
            None if facts.topics_by_id => TopicRef { name: None, id: topic.topic_id },
            None => TopicRef { name: TopicName::parse(&topic.name).ok(), id: Uuid::ZERO },
        };
        (meant, topic.partition_indexes)
    };
    let topics = group.topics.map(|topics| topics.into_iter().map(topic).collect());
    Event::OffsetFetch(OffsetFetch { group: group.group_id, member, topics, require_stable })
}

fn group_answer(
    group_id: String,
    asked: Vec<OffsetFetchRequestTopics>,
    reply: Result<Reply, ErrorCode>,
    facts: OffsetFetchFacts,
) -> OffsetFetchResponseGroup {
    let (error_code, fetched) = match reply {
        Ok(Reply::OffsetFetch(Ok(fetched))) => (ErrorCode::NONE, fetched),
        Ok(Reply::OffsetFetch(Err(error))) => (code(&error), Vec::new()),
        Ok(_) => (ErrorCode::UNKNOWN_SERVER_ERROR, Vec::new()),
        Err(error) => (error, Vec::new()),
    };
    let mut names = asked.into_iter();
    let topics = fetched.into_iter().map(|fetched| {
        // What was asked for by name is answered by that name, be it legal or not.
        let name = names.next().filter(|_| !facts.topics_by_id).map(|asked| asked.name);
        topic_answer(fetched, name)
    });
    OffsetFetchResponseGroup { group_id, topics: topics.collect(), error_code }
}

fn topic_answer(fetched: FetchedTopic, name: Option<String>) -> OffsetFetchResponseTopics {
    let partitions = fetched.partitions.into_iter().map(|partition| OffsetFetchResponsePartitions {
        partition_index: partition.partition,
        committed_offset: partition.offset.0,
        committed_leader_epoch: partition.leader_epoch.0,
        metadata: Some(partition.metadata),
        error_code: partition.error.map_or(ErrorCode::NONE, errors::of_group),
    });
    OffsetFetchResponseTopics {
        name: name.or(fetched.topic.name.map(|name| name.to_string())).unwrap_or_default(),
        topic_id: fetched.topic.id,
        partitions: partitions.collect(),
    }
}

/// The answer to v7, whose errors of a group stand in the answer or, in v1, at each partition.
fn single(group: OffsetFetchResponseGroup, facts: OffsetFetchFacts) -> OffsetFetchResponse {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: if facts.has_group_error || group.error_code == ErrorCode::NONE {
            partition.error_code
        } else {
            group.error_code
        },
    };
    let topic = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    };
    OffsetFetchResponse {
        topics: group.topics.into_iter().map(topic).collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}
