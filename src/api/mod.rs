//! What each request does. THE TABLE below is the one list of what is served: ApiVersions answers from it, `docs/APIS.md` is
//! printed from it, and `dispatch` is made by it.
//!
//! To add an API: a message file in `wire`, a handler file here, a row, a test file; `tests/tidy.rs` fails while one is missing.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::limits;
use crate::wire::{ApiKey, DecodeError, Reader, Request, RequestHeader};

mod altering;
pub mod context;
pub mod coordinated;
pub mod errors;
pub mod heavy;
pub mod outcome;

pub use context::{Advertised, Broker, Call, Complaints, Limits, Session};
pub use outcome::{Dispatched, Outcome, Reply, aside};

/// When an API may be used on a listener that authenticates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Auth {
    Before,
    After,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub key: ApiKey,
    pub name: &'static str,
    /// Versions that are answered.
    pub served: (i16, i16),
    /// Versions that ApiVersions names. Wider than `served` where stock clients need it: librdkafka up to 2.11 turns
    /// compression off unless Produce v0 is listed, so Kafka 4 lists 0-2 and refuses them on use (KAFKA-18659).
    pub advertised: (i16, i16),
    pub auth: Auth,
}

macro_rules! apis {
    ($($key:literal $name:literal $served:expr, $advertised:expr, $auth:ident $module:ident :: $handler:ident;)*) => {
        $(pub mod $module;)*

        /// Every API that is served, by rising key.
        pub const TABLE: &[Row] = &[$(Row {
            key: match ApiKey::from_i16($key) { Some(key) => key, None => panic!("unknown key") },
            name: $name,
            served: ends(&$served),
            advertised: ends(&$advertised),
            auth: Auth::$auth,
        },)*];

        fn run(call: Call<'_>, header: &RequestHeader, reader: Reader) -> Dispatched {
            match header.api_key {
                $($key if within(header, &$served) => serve(call, header, reader, $module::$handler),)*
                _ => call.refuse_unsupported(header),
            }
        }
    };
}

apis! {
//  key name                           served   advertised auth handler
     0 "Produce"                      3..=13,  0..=13,  After  produce::handle;
     1 "Fetch"                        4..=18,  4..=18,  After  fetch::handle;
     2 "ListOffsets"                  1..=11,  1..=11,  After  list_offsets::handle;
     3 "Metadata"                     0..=13,  0..=13,  After  metadata::handle;
     8 "OffsetCommit"                 2..=10,  2..=10,  After  offset_commit::handle;
     9 "OffsetFetch"                  1..=10,  1..=10,  After  offset_fetch::handle;
    10 "FindCoordinator"              0..=6,   0..=6,   After  find_coordinator::handle;
    11 "JoinGroup"                    0..=9,   0..=9,   After  join_group::handle;
    12 "Heartbeat"                    0..=4,   0..=4,   After  heartbeat::handle;
    13 "LeaveGroup"                   0..=5,   0..=5,   After  leave_group::handle;
    14 "SyncGroup"                    0..=5,   0..=5,   After  sync_group::handle;
    15 "DescribeGroups"               0..=6,   0..=6,   After  describe_groups::handle;
    16 "ListGroups"                   0..=5,   0..=5,   After  list_groups::handle;
    18 "ApiVersions"                  0..=5,   0..=5,   Before api_versions::handle;
    19 "CreateTopics"                 2..=7,   2..=7,   After  create_topics::handle;
    20 "DeleteTopics"                 1..=6,   1..=6,   After  delete_topics::handle;
    21 "DeleteRecords"                0..=2,   0..=2,   After  delete_records::handle;
    22 "InitProducerId"               0..=5,   0..=5,   After  init_producer_id::handle;
    23 "OffsetForLeaderEpoch"         2..=4,   2..=4,   After  offset_for_leader_epoch::handle;
    29 "DescribeAcls"                 1..=3,   1..=3,   After  describe_acls::handle;
    32 "DescribeConfigs"              1..=4,   1..=4,   After  describe_configs::handle;
    33 "AlterConfigs"                 0..=2,   0..=2,   After  alter_configs::handle;
    34 "AlterReplicaLogDirs"          1..=2,   1..=2,   After  alter_replica_log_dirs::handle;
    35 "DescribeLogDirs"              1..=5,   1..=5,   After  describe_log_dirs::handle;
    37 "CreatePartitions"             0..=3,   0..=3,   After  create_partitions::handle;
    42 "DeleteGroups"                 0..=3,   0..=3,   After  delete_groups::handle;
    43 "ElectLeaders"                 0..=2,   0..=2,   After  elect_leaders::handle;
    44 "IncrementalAlterConfigs"      0..=1,   0..=1,   After  incremental_alter_configs::handle;
    45 "AlterPartitionReassignments"  0..=1,   0..=1,   After  alter_partition_reassignments::handle;
    46 "ListPartitionReassignments"   0..=0,   0..=0,   After  list_partition_reassignments::handle;
    47 "OffsetDelete"                 0..=0,   0..=0,   After  offset_delete::handle;
    48 "DescribeClientQuotas"         0..=1,   0..=1,   After  describe_client_quotas::handle;
    50 "DescribeUserScramCredentials" 0..=0,   0..=0,   After  describe_user_scram_credentials::handle;
    55 "DescribeQuorum"               0..=2,   0..=2,   After  describe_quorum::handle;
    57 "UpdateFeatures"               0..=2,   0..=2,   After  update_features::handle;
    60 "DescribeCluster"              0..=2,   0..=2,   After  describe_cluster::handle;
    61 "DescribeProducers"            0..=0,   0..=0,   After  describe_producers::handle;
    68 "ConsumerGroupHeartbeat"       0..=1,   0..=1,   After  consumer_group_heartbeat::handle;
    69 "ConsumerGroupDescribe"        0..=1,   0..=1,   After  consumer_group_describe::handle;
    74 "ListConfigResources"          0..=1,   0..=1,   After  list_config_resources::handle;
    75 "DescribeTopicPartitions"      0..=0,   0..=0,   After  describe_topic_partitions::handle;
}

const fn ends(range: &RangeInclusive<i16>) -> (i16, i16) {
    (*range.start(), *range.end())
}

fn within(header: &RequestHeader, range: &RangeInclusive<i16>) -> bool {
    range.contains(&header.api_version)
}

/// Executes one request, up to where its answer waits for something.
///
/// A key or version that is not served closes the connection, as Kafka does; an ApiVersions version that is not served is
/// answered in version 0 with error 35 (KIP-511). A long request is heavy work, before it is decoded; a long Produce is mostly
/// records, and judges for itself.
pub fn dispatch(broker: &Arc<Broker>, session: &mut Session, frame: Bytes) -> Dispatched {
    let mut reader = Reader::new(frame);
    let header = match RequestHeader::decode(&mut reader) {
        Ok(header) => header,
        Err(error) => return broker.refuse_malformed(session, &error),
    };
    if header.api_key == ApiKey::ApiVersions.as_i16() && !api_versions::is_served(header.api_version) {
        return api_versions::refuse_version(&header);
    }
    if reader.remaining() > limits::REQUEST_IN_PLACE_BYTES_MAX && header.api_key != ApiKey::Produce.as_i16() {
        let (broker, mut session) = (Arc::clone(broker), session.clone());
        return Dispatched::Heavy(Box::new(move || {
            run(
                Call { broker: &broker, session: &mut session, client_id: header.client_id.as_deref(), is_aside: true },
                &header,
                reader,
            )
        }));
    }
    run(Call { broker, session, client_id: header.client_id.as_deref(), is_aside: false }, &header, reader)
}

fn serve<R: Request>(
    call: Call<'_>,
    header: &RequestHeader,
    mut reader: Reader,
    handler: fn(Call<'_>, R, R::Facts) -> Outcome<R::Response>,
) -> Dispatched
where
    R::Response: Send + 'static,
{
    match decode::<R>(header, &mut reader) {
        Ok(request) => {
            drop(reader);
            let outcome = handler(call, request, R::facts(header.api_version));
            outcome.encoded(outcome::Asked::of(R::KEY, header))
        }
        Err(error) => call.broker.refuse_malformed(call.session, &error),
    }
}

fn decode<R: Request>(header: &RequestHeader, reader: &mut Reader) -> Result<R, DecodeError> {
    if R::version(header.api_version).flexible {
        RequestHeader::skip_tagged_fields(reader)?;
    }
    // Bytes behind the request are passed over, as by Kafka: librdkafka 2.16 leaves three behind its Metadata v13 for all topics.
    R::decode(reader, header.api_version)
}

/// The text of `docs/APIS.md`.
pub fn table_as_markdown() -> String {
    let mut text = String::from("# APIs\n\nPrinted from the table in `src/api/mod.rs`; a test keeps it so.\n\n");
    text.push_str("| key | name | served | advertised |\n|---|---|---|---|\n");
    for row in TABLE {
        let (served, advertised) = (row.served, row.advertised);
        text.push_str(&format!(
            "| {} | {} | {}-{} | {}-{} |\n",
            row.key.as_i16(),
            row.name,
            served.0,
            served.1,
            advertised.0,
            advertised.1
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_table_is_current() {
        let printed = include_str!("../../docs/APIS.md");
        assert_eq!(printed, table_as_markdown(), "docs/APIS.md is not what the table prints");
    }

    #[test]
    fn names_are_kafkas_and_keys_rise() {
        for row in TABLE {
            assert_eq!(row.name, row.key.name());
        }
        assert!(TABLE.windows(2).all(|pair| pair[0].key.as_i16() < pair[1].key.as_i16()));
    }
}
