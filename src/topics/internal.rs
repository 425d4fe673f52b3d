//! The topics that the broker keeps for itself.

/// Names of Kafka's internal topics (`Topic.java`); clients may read them and not write to them.
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// True if clients may not produce to this topic, and metadata flags it.
pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}
