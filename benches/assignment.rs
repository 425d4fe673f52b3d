//! The assignors of the consumer protocol by themselves, in this process: nothing is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use klamm::base::ids::{TopicId, Uuid};
use klamm::coordinator::group::assignor::{Assignment, Assignor, Spec, Subscriber};

use crate::Fallible;
use crate::table::median;
use crate::workloads::{Figure, Outcome, figure};

const MEMBERS: usize = 100;
const TOPICS: u8 = 10;

/// Divides `partitions` of ten topics among a hundred members, by both assignors.
pub fn run(partitions: i32) -> Fallible<Outcome> {
    let alike = spec(partitions, |_, _| true);
    // Each wants nine of the ten topics.
    let unlike = spec(partitions, |member, topic| member % usize::from(TOPICS) != usize::from(topic));
    let [uniform, range] = [Assignor::Uniform, Assignor::Range];
    let mut figures = Vec::new();
    for (what, spec) in [("same topics", &alike), ("different topics", &unlike)] {
        figures.push(time(&format!("ms, uniform, {what}"), uniform, spec)?);
        figures.push(time(&format!("ms, uniform, {what}, ten have left"), uniform, &ten_have_left(uniform, spec))?);
        figures.push(time(&format!("ms, range, {what}"), range, spec)?);
    }
    let worst = figures.iter().map(|figure| figure.value).fold(0.0, f64::max);
    figures.insert(0, figure("ms, the slowest", worst));
    Ok(Outcome { figures, foreign: 0.0, steal: 0.0 })
}

fn spec(partitions: i32, wants: impl Fn(usize, u8) -> bool) -> Spec {
    let id = |topic: u8| -> TopicId { Uuid([topic + 1; 16]) };
    let subscriber = |member: usize| Subscriber {
        member: format!("member-{member:04}"),
        instance: None,
        topics: (0..TOPICS).filter(|topic| wants(member, *topic)).map(id).collect(),
        current: Assignment::new(),
    };
    Spec {
        subscribers: (0..MEMBERS).map(subscriber).collect(),
        partitions: (0..TOPICS).map(|topic| (id(topic), partitions / i32::from(TOPICS))).collect(),
    }
}

/// What the others are to have anew.
fn ten_have_left(assignor: Assignor, spec: &Spec) -> Spec {
    let mut assigned = assignor.assign(spec);
    let mut left = spec.clone();
    left.subscribers.truncate(MEMBERS - 10);
    for subscriber in &mut left.subscribers {
        subscriber.current = assigned.remove(&subscriber.member).unwrap_or_default();
    }
    left
}

fn time(name: &str, assignor: Assignor, spec: &Spec) -> Fallible<Figure> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let assigned = assignor.assign(spec);
        times.push(started.elapsed().as_secs_f64() * 1e3);
        check(&assigned, spec)?;
    }
    Ok(figure(name, median(times)))
}

/// Every partition has exactly one owner.
fn check(assigned: &BTreeMap<String, Assignment>, spec: &Spec) -> Fallible<()> {
    let mut owned = BTreeSet::new();
    for (topic, partitions) in assigned.values().flatten() {
        for partition in partitions {
            if !owned.insert((*topic, *partition)) {
                return Err("a partition has two owners".into());
            }
        }
    }
    let all: i32 = spec.partitions.values().sum();
    if owned.len() == all as usize { Ok(()) } else { Err("a partition has no owner".into()) }
}
