//! Stock clients and Apache Kafka itself against the real binary, and the same against Apache Kafka for comparison.
//!
//! A client that is not installed skips its tests; `KLAMM_REQUIRE_CLIENTS=1` (as `.ci/run` sets) fails them instead.
//! `KLAMM_INTEROP_ON=kafka` tries the tests themselves on Apache Kafka alone, `klamm` leaves the comparison out.
//! `KLAMM_LONG=1` runs everything at full size.

#[path = "../support/mod.rs"]
mod support;

mod cli;
mod clients;
mod connect;
mod directory;
mod dump;
mod families;
mod go;
mod groups;
mod kcat;
mod left;
mod librdkafka;
mod moving;
mod old_java;
mod seeds;
mod streams;
mod text_file;
