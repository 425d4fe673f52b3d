//! Contiguous ranges of each topic: members that read the same topics get the same partition numbers of all of them, so that
//! what belongs together by key can be joined.

use std::collections::BTreeMap;

use super::{Assignment, Spec, Subscriber};

/// Divides each topic by itself. Members are in the order of their instance ids, then of their member ids, so that a static
/// member keeps its range over a restart.
pub fn assign(spec: &Spec) -> BTreeMap<String, Assignment> {
    let mut members: Vec<&Subscriber> = spec.subscribers.iter().collect();
    members.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut assigned: BTreeMap<String, Assignment> =
        members.iter().map(|member| (member.member.clone(), Assignment::new())).collect();
    for (topic, count) in &spec.partitions {
        let wanting: Vec<&&Subscriber> = members.iter().filter(|member| member.topics.contains(topic)).collect();
        let Ok(readers) = i32::try_from(wanting.len()) else { continue };
        if readers == 0 {
            continue;
        }
        let (each, extra) = (count / readers, count % readers);
        let mut first = 0;
        for (member, nth) in wanting.into_iter().zip(0..) {
            let take = each + i32::from(nth < extra);
            if take > 0
                && let Some(assignment) = assigned.get_mut(&member.member)
            {
                assignment.insert(*topic, (first..first + take).collect());
            }
            first += take;
        }
    }
    assigned
}

/// Static members first.
fn order(member: &Subscriber) -> (bool, &str, &str) {
    (member.instance.is_none(), member.instance.as_deref().unwrap_or_default(), &member.member)
}
