//! The table that leads from a schema's name to our message: one row for each, with the versions that Klamm serves.

use std::ops::RangeInclusive;

use bytes::Bytes;
use klamm::codec::reader::Result;
use klamm::codec::{Message, Reader, Writer};
use klamm::wire::messages::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use klamm::wire::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
};
use klamm::wire::messages::alter_replica_log_dirs::{AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse};
use klamm::wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use klamm::wire::messages::consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
use klamm::wire::messages::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use klamm::wire::messages::create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
use klamm::wire::messages::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use klamm::wire::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use klamm::wire::messages::delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
use klamm::wire::messages::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use klamm::wire::messages::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};
use klamm::wire::messages::describe_client_quotas::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use klamm::wire::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use klamm::wire::messages::describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
use klamm::wire::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use klamm::wire::messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use klamm::wire::messages::describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
use klamm::wire::messages::describe_quorum::{DescribeQuorumRequest, DescribeQuorumResponse};
use klamm::wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use klamm::wire::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use klamm::wire::messages::elect_leaders::{ElectLeadersRequest, ElectLeadersResponse};
use klamm::wire::messages::fetch::{FetchRequest, FetchResponse};
use klamm::wire::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use klamm::wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use klamm::wire::messages::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use klamm::wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use klamm::wire::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use klamm::wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use klamm::wire::messages::list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use klamm::wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use klamm::wire::messages::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use klamm::wire::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use klamm::wire::messages::metadata::{MetadataRequest, MetadataResponse};
use klamm::wire::messages::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use klamm::wire::messages::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use klamm::wire::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
use klamm::wire::messages::offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use klamm::wire::messages::produce::{ProduceRequest, ProduceResponse};
use klamm::wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use klamm::wire::messages::update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use klamm::wire::{Request, RequestHeader, ResponseHeader};

/// A message of ours.
pub struct Row {
    pub name: &'static str,
    pub served: RangeInclusive<i16>,
    pub flexible_from: i16,
    /// The key of a request.
    pub key: Option<i16>,
    /// Decodes in a version and demands that nothing is left.
    pub decode: fn(Bytes, i16) -> Result<()>,
    /// Decodes in the first version and encodes in the second.
    pub recode: fn(Bytes, i16, i16) -> Result<Bytes>,
}

macro_rules! rows {
    ($($request:ident $response:ident $served:expr;)*) => {
        vec![
            $(
                Row { key: Some($request::KEY.as_i16()), ..row::<$request>(stringify!($request), $served) },
                {
                    // Does not compile for another request's answer.
                    let _: fn(<$request as Request>::Response) -> $response = |answer| answer;
                    row::<$response>(stringify!($response), $served)
                },
            )*
            Row {
                name: "RequestHeader",
                served: 1..=2,
                flexible_from: 2,
                key: None,
                decode: |bytes, version| request_header(bytes, version).map(drop),
                recode: |bytes, from, to| {
                    let header = request_header(bytes, from)?;
                    Ok(written(|w| header.encode(w, to == 2)))
                },
            },
            Row {
                name: "ResponseHeader",
                served: 0..=1,
                flexible_from: 1,
                key: None,
                decode: |bytes, version| response_header(bytes, version).map(drop),
                recode: |bytes, from, to| {
                    let header = response_header(bytes, from)?;
                    Ok(written(|w| header.encode(w, to == 1)))
                },
            },
        ]
    };
}

/// Every message of ours.
pub fn rows() -> Vec<Row> {
    rows! {
        ProduceRequest ProduceResponse 3..=13;
        FetchRequest FetchResponse 4..=18;
        ListOffsetsRequest ListOffsetsResponse 1..=11;
        MetadataRequest MetadataResponse 0..=13;
        OffsetCommitRequest OffsetCommitResponse 2..=10;
        OffsetFetchRequest OffsetFetchResponse 1..=10;
        FindCoordinatorRequest FindCoordinatorResponse 0..=6;
        JoinGroupRequest JoinGroupResponse 0..=9;
        HeartbeatRequest HeartbeatResponse 0..=4;
        LeaveGroupRequest LeaveGroupResponse 0..=5;
        SyncGroupRequest SyncGroupResponse 0..=5;
        DescribeGroupsRequest DescribeGroupsResponse 0..=6;
        ListGroupsRequest ListGroupsResponse 0..=5;
        ApiVersionsRequest ApiVersionsResponse 0..=5;
        CreateTopicsRequest CreateTopicsResponse 2..=7;
        DeleteTopicsRequest DeleteTopicsResponse 1..=6;
        DeleteRecordsRequest DeleteRecordsResponse 0..=2;
        InitProducerIdRequest InitProducerIdResponse 0..=5;
        OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse 2..=4;
        DescribeAclsRequest DescribeAclsResponse 1..=3;
        DescribeConfigsRequest DescribeConfigsResponse 1..=4;
        AlterConfigsRequest AlterConfigsResponse 0..=2;
        AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse 1..=2;
        DescribeLogDirsRequest DescribeLogDirsResponse 1..=5;
        CreatePartitionsRequest CreatePartitionsResponse 0..=3;
        DeleteGroupsRequest DeleteGroupsResponse 0..=3;
        ElectLeadersRequest ElectLeadersResponse 0..=2;
        IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse 0..=1;
        AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse 0..=1;
        ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse 0..=0;
        OffsetDeleteRequest OffsetDeleteResponse 0..=0;
        DescribeClientQuotasRequest DescribeClientQuotasResponse 0..=1;
        DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse 0..=0;
        DescribeQuorumRequest DescribeQuorumResponse 0..=2;
        UpdateFeaturesRequest UpdateFeaturesResponse 0..=2;
        DescribeClusterRequest DescribeClusterResponse 0..=2;
        DescribeProducersRequest DescribeProducersResponse 0..=0;
        ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse 0..=1;
        ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse 0..=1;
        ListConfigResourcesRequest ListConfigResourcesResponse 0..=1;
        DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse 0..=0;
    }
}

fn row<M: Message>(name: &'static str, served: RangeInclusive<i16>) -> Row {
    Row {
        name,
        served,
        flexible_from: M::FLEXIBLE_FROM,
        key: None,
        decode: |bytes, version| whole::<M>(bytes, version).map(drop),
        recode: |bytes, from, to| {
            let message = whole::<M>(bytes, from)?;
            Ok(written(|w| message.encode(w, to)))
        },
    }
}

fn whole<M: Message>(bytes: Bytes, version: i16) -> Result<M> {
    let mut r = Reader::new(bytes);
    let message = M::decode(&mut r, version)?;
    r.finish()?;
    Ok(message)
}

fn request_header(bytes: Bytes, version: i16) -> Result<RequestHeader> {
    let mut r = Reader::new(bytes);
    let header = RequestHeader::decode(&mut r)?;
    if version == 2 {
        RequestHeader::skip_tagged_fields(&mut r)?;
    }
    r.finish()?;
    Ok(header)
}

fn response_header(bytes: Bytes, version: i16) -> Result<ResponseHeader> {
    let mut r = Reader::new(bytes);
    let header = ResponseHeader::decode(&mut r, version == 1)?;
    r.finish()?;
    Ok(header)
}

fn written(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    write(&mut w);
    w.into_bytes()
}
