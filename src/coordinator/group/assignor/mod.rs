//! How the partitions of topics are divided among the members of a consumer group, on the broker (KIP-848).
//!
//! Pure functions of who subscribes to what, how many partitions there are, and who has what now.
//!
//! References: Kafka `RangeAssignor.java`, `UniformAssignor.java`; KIP-848.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::ids::TopicId;

pub mod range;
pub mod uniform;

/// Partitions by topic.
pub type Assignment = BTreeMap<TopicId, BTreeSet<i32>>;

/// A member as an assignor sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscriber {
    pub member: String,
    pub instance: Option<String>,
    /// Topics that exist and that it wants.
    pub topics: BTreeSet<TopicId>,
    /// What it is to have as of now.
    pub current: Assignment,
}

/// What is to be divided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spec {
    /// By member id.
    pub subscribers: Vec<Subscriber>,
    /// Partitions of every topic that anybody wants.
    pub partitions: BTreeMap<TopicId, i32>,
}

/// An assignor, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Assignor {
    Uniform,
    Range,
}

impl Assignor {
    pub fn parse(name: &str) -> Option<Assignor> {
        match name {
            "uniform" => Some(Assignor::Uniform),
            "range" => Some(Assignor::Range),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// What each member is to have, by member id. Every partition that anybody wants goes to exactly one.
    pub fn assign(self, spec: &Spec) -> BTreeMap<String, Assignment> {
        match self {
            Assignor::Uniform => uniform::assign(spec),
            Assignor::Range => range::assign(spec),
        }
    }
}

#[cfg(test)]
mod tests;
