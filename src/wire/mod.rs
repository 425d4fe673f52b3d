//! Kafka's bytes <-> messages. No I/O, no policy. The only home of API versions.
