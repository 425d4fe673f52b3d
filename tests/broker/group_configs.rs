//! Configurations of groups, and of the broker for all groups, in force while it runs.

use crate::groups::{assigned, beat_request, consumer, group};
use crate::incremental_alter_configs::{BROKER, DELETE, GROUP, SET, expect, set};
use crate::rig::{Client, Rig, client, fresh, until};

fn interval(client: &mut Client, group: &str, member: &str, epoch: i32) -> i32 {
    let beat = client.call(&beat_request(group, member, epoch, &[]), 1);
    assert_eq!(beat.error_code.0, 0);
    beat.heartbeat_interval_ms
}

#[test]
fn a_groups_heartbeat_interval_is_told_with_the_next_heartbeat() {
    let mut client = client();
    let topic = fresh("group-configs-topic");
    client.create(&topic, 1, &[]);
    let (id, other) = (group(&mut client, "group-configs"), group(&mut client, "group-configs-other"));
    let (member, epoch) = consumer(&mut client, &id, &[&topic]);
    let (stranger, other_epoch) = consumer(&mut client, &other, &[&topic]);
    let key = "consumer.heartbeat.interval.ms";
    for (operation, value, told) in [(SET, Some("7000"), 7000), (DELETE, None, 5000)] {
        set(&mut client, GROUP, &id, &[(key, operation, value)]);
        until("the interval is told", || (interval(&mut client, &id, &member, epoch) == told).then_some(()));
        assert_eq!(interval(&mut client, &other, &stranger, other_epoch), 5000);
    }
}

#[test]
fn a_groups_configuration_is_in_force_after_a_restart() {
    let mut rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 1, &[]);
    let id = group(&mut client, "group-configs-restart");
    set(&mut client, GROUP, &id, &[("consumer.heartbeat.interval.ms", SET, Some("8000"))]);
    rig.restart();
    let mut client = rig.client();
    crate::groups::ready(&mut client, &id);
    let (member, epoch) = consumer(&mut client, &id, &["t"]);
    assert_eq!(interval(&mut client, &id, &member, epoch), 8000);
}

#[test]
fn the_interval_of_assignments_changes_for_all_groups_and_for_one() {
    let rig = Rig::with(&[]);
    let mut client = rig.client();
    client.create("t", 2, &[]);
    let (all, own) = ("group.consumer.assignment.interval.ms", "consumer.assignment.interval.ms");
    set(&mut client, BROKER, "", &[(all, SET, Some("15000"))]);
    let (slow, quick) = (group(&mut client, "interval-slow"), group(&mut client, "interval-quick"));
    set(&mut client, GROUP, &quick, &[(own, SET, Some("0"))]);
    expect(&mut client, GROUP, &slow, own, "15000", 3);
    let second = |client: &mut Client, group: &str| {
        consumer(client, group, &["t"]);
        client.call(&beat_request(group, "second", 0, &["t"]), 1).member_epoch
    };
    assert_eq!((second(&mut client, &slow), second(&mut client, &quick)), (2, 3), "one is put off, the other is not");
    set(&mut client, BROKER, "", &[(all, DELETE, None)]);
    let beat = client.call(&beat_request(&slow, "second", 2, &[]), 1);
    assert_eq!((beat.member_epoch, assigned(&beat)), (3, None), "the first member gives back first");
}
