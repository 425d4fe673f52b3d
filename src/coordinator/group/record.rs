//! The records of `__consumer_offsets`, key and value, in every version of Kafka 4.4's schemas.
