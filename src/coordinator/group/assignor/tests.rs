//! Properties of both assignors, on random groups, and balance against brute force on small ones.

use super::*;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

fn topic(number: u64) -> TopicId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&(number + 1).to_be_bytes());
    crate::base::ids::Uuid(id)
}

fn random_spec(random: &mut Random, members: u64, topics: u64, same: bool) -> Spec {
    let mut spec = Spec::default();
    for number in 0..topics {
        spec.partitions.insert(topic(number), i32::try_from(random.below(8)).expect("small"));
    }
    let shared: BTreeSet<TopicId> = spec.partitions.keys().copied().collect();
    for member in 0..members {
        let wanted = shared.iter().copied().filter(|_| same || random.below(2) == 0).collect();
        let instance = (random.below(3) == 0).then(|| format!("i{}", random.below(1000) * 100 + member));
        spec.subscribers.push(Subscriber {
            member: format!("m{member:03}"),
            instance,
            topics: wanted,
            current: Assignment::new(),
        });
    }
    let wanted: BTreeSet<TopicId> = spec.subscribers.iter().flat_map(|s| s.topics.iter().copied()).collect();
    spec.partitions.retain(|topic, _| wanted.contains(topic));
    spec
}

fn check_whole(spec: &Spec, assigned: &BTreeMap<String, Assignment>, seed: u64) {
    let mut seen = BTreeSet::new();
    for subscriber in &spec.subscribers {
        for (topic, partitions) in &assigned[&subscriber.member] {
            assert!(subscriber.topics.contains(topic), "seed {seed}: not wanted");
            assert!(!partitions.is_empty(), "seed {seed}: an empty entry");
            for partition in partitions {
                assert!((0..spec.partitions[topic]).contains(partition), "seed {seed}: no such partition");
                assert!(seen.insert((*topic, *partition)), "seed {seed}: twice");
            }
        }
    }
    let all: i32 = spec.partitions.values().sum();
    assert_eq!(seen.len(), usize::try_from(all).expect("small"), "seed {seed}: every partition once");
}

fn loads(assigned: &BTreeMap<String, Assignment>) -> Vec<usize> {
    assigned.values().map(|assigned| assigned.values().map(BTreeSet::len).sum()).collect()
}

#[test]
fn every_wanted_partition_goes_to_exactly_one_who_wants_it() {
    for seed in 1..400 {
        let mut random = Random(seed * 0x9E37_79B9);
        let (members, topics) = (1 + random.below(9), 1 + random.below(6));
        let same = random.below(2) == 0;
        let spec = random_spec(&mut random, members, topics, same);
        for assignor in [Assignor::Uniform, Assignor::Range] {
            check_whole(&spec, &assignor.assign(&spec), seed);
        }
    }
}

#[test]
fn uniform_is_even_and_moves_no_more_than_it_must() {
    for seed in 1..400 {
        let mut random = Random(seed * 0x9E37_79B9);
        let (members, topics) = (2 + random.below(9), 1 + random.below(6));
        let mut spec = random_spec(&mut random, members, topics, true);
        let before = uniform::assign(&spec);
        for subscriber in &mut spec.subscribers {
            subscriber.current = before[&subscriber.member].clone();
        }
        let (most, least) = (loads(&before).into_iter().max(), loads(&before).into_iter().min());
        assert!(most.expect("members") - least.expect("members") <= 1, "seed {seed}: even");
        assert_eq!(uniform::assign(&spec), before, "seed {seed}: nothing changed, nothing moves");

        let gone = spec.subscribers.remove(0);
        let after = uniform::assign(&spec);
        check_whole(&spec, &after, seed);
        for subscriber in &spec.subscribers {
            for (topic, partitions) in &subscriber.current {
                let kept = after[&subscriber.member].get(topic).cloned().unwrap_or_default();
                assert!(
                    partitions.is_subset(&kept),
                    "seed {seed}: {} lost a partition to {}'s leaving",
                    subscriber.member,
                    gone.member
                );
            }
        }
    }
}

/// The least that the most loaded member can have, by trying everything.
fn best_possible(spec: &Spec) -> usize {
    let all: Vec<TopicId> =
        spec.partitions.iter().flat_map(|(topic, count)| (0..*count).map(move |_| *topic)).collect();
    fn go(spec: &Spec, all: &[TopicId], load: &mut Vec<usize>, best: &mut usize) {
        let most = load.iter().max().copied().unwrap_or(0);
        if most >= *best {
            return;
        }
        let Some((first, rest)) = all.split_first() else {
            *best = most;
            return;
        };
        for member in 0..load.len() {
            if spec.subscribers[member].topics.contains(first) {
                load[member] += 1;
                go(spec, rest, load, best);
                load[member] -= 1;
            }
        }
    }
    let mut best = all.len() + 1;
    go(spec, &all, &mut vec![0; spec.subscribers.len()], &mut best);
    best
}

#[test]
fn uniform_with_different_subscriptions_is_as_even_as_brute_force_up_to_one() {
    for seed in 1..150 {
        let mut random = Random(seed * 0x9E37_79B9);
        let (members, topics) = (2 + random.below(3), 1 + random.below(3));
        let mut spec = random_spec(&mut random, members, topics, false);
        spec.partitions.values_mut().for_each(|count| *count = (*count).min(4));
        let assigned = uniform::assign(&spec);
        check_whole(&spec, &assigned, seed);
        let most = loads(&assigned).into_iter().max().unwrap_or(0);
        assert!(most <= best_possible(&spec) + 1, "seed {seed}: {most} where {} is possible", best_possible(&spec));
    }
}

#[test]
fn range_gives_the_same_numbers_of_topics_that_belong_together() {
    let topics: BTreeSet<TopicId> = [topic(1), topic(2)].into();
    let subscriber =
        |name: &str| Subscriber { member: name.to_owned(), topics: topics.clone(), ..Subscriber::default() };
    let spec =
        Spec { subscribers: vec![subscriber("a"), subscriber("b")], partitions: [(topic(1), 5), (topic(2), 5)].into() };
    let assigned = range::assign(&spec);
    assert_eq!(assigned["a"][&topic(1)], [0, 1, 2].into());
    assert_eq!(assigned["a"][&topic(1)], assigned["a"][&topic(2)]);
    assert_eq!(assigned["b"][&topic(1)], [3, 4].into());
}

#[test]
fn ten_thousand_partitions_are_divided_among_a_hundred_members_of_different_wishes() {
    for same in [true, false] {
        let mut random = Random(7);
        let mut spec = Spec::default();
        for number in 0..100 {
            spec.partitions.insert(topic(number), 100);
        }
        for member in 0..100_u64 {
            let wanted = spec.partitions.keys().copied().filter(|_| same || random.below(3) > 0).collect();
            let member = format!("m{member:03}");
            spec.subscribers.push(Subscriber { member, instance: None, topics: wanted, current: Assignment::new() });
        }
        for assignor in [Assignor::Uniform, Assignor::Range] {
            let assigned = assignor.assign(&spec);
            check_whole(&spec, &assigned, 7);
            if assignor == Assignor::Uniform {
                let loads = loads(&assigned);
                assert_eq!((loads.iter().min(), loads.iter().max()), (Some(&100), Some(&100)));
                // One goes: what the others have they keep.
                let mut next = spec.clone();
                next.subscribers.pop();
                next.subscribers.iter_mut().for_each(|one| one.current = assigned[&one.member].clone());
                let after = assignor.assign(&next);
                check_whole(&next, &after, 7);
                let kept = |one: &Subscriber| {
                    let pairs = one.current.iter().flat_map(|(topic, of)| of.iter().map(move |at| (*topic, *at)));
                    pairs.filter(|(topic, at)| after[&one.member].get(topic).is_some_and(|of| of.contains(at))).count()
                };
                let kept: usize = next.subscribers.iter().map(kept).sum();
                assert!(kept >= 9_800, "{kept} of 9900 stay");
            }
        }
    }
}
