//! One exhaustive map from every module's errors to Kafka's error codes (decision D9). An error nobody decided about does not
//! compile here.

use crate::coordinator::group::event;
use crate::coordinator::shell::ShellError;
use crate::log::{LogError, ReadError};
use crate::record::validate::{BatchFault, RecordError, RecordFault, Refusal};
use crate::topics::{AppendError, EpochError, Partition, TopicError};
use crate::wire::ErrorCode;

/// Of a leader epoch that a client believes in.
pub fn of_epoch(error: EpochError) -> ErrorCode {
    match error {
        EpochError::Fenced => ErrorCode::FENCED_LEADER_EPOCH,
        EpochError::Unknown => ErrorCode::UNKNOWN_LEADER_EPOCH,
    }
}

/// Of a read.
pub fn of_read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadError::Corrupt { .. } => ErrorCode::CORRUPT_MESSAGE,
        ReadError::Io(error) => {
            tracing::error!(%error, "read log");
            ErrorCode::KAFKA_STORAGE_ERROR
        }
    }
}

/// Of an append, with the message for the client.
pub fn of_append(error: &AppendError) -> (ErrorCode, Option<String>) {
    let code = match error {
        AppendError::Deleted => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        AppendError::Log(error) => of_log(error),
    };
    (code, Some(error.to_string()))
}

fn of_log(error: &LogError) -> ErrorCode {
    match error {
        LogError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        LogError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        LogError::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        LogError::InvalidTransactionState { .. } => ErrorCode::INVALID_TXN_STATE,
        LogError::BatchTooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
        LogError::StaleLeaderEpoch { .. } => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        LogError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        LogError::OffsetsExhausted => ErrorCode::INVALID_RECORD,
        LogError::NoSpace
        | LogError::Poisoned { .. }
        | LogError::Corrupt { .. }
        | LogError::OtherTopic { .. }
        | LogError::Strict { .. }
        | LogError::Io { .. } => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}

/// Of a refused batch: code, message, and the records at fault (KIP-467). As Kafka's, a batch that is too large has no
/// message: clients print their own, which people look for.
pub fn of_refusal(refusal: &Refusal, partition: &Partition) -> (ErrorCode, Option<String>, Vec<(i32, String)>) {
    let code = match refusal {
        Refusal::Corrupt(_) | Refusal::Crc => ErrorCode::CORRUPT_MESSAGE,
        Refusal::TooLarge { .. } | Refusal::Expands { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        Refusal::UnsupportedCompression(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        Refusal::InvalidTimestamps(_) => ErrorCode::INVALID_TIMESTAMP,
        Refusal::OldFormat(_) | Refusal::InvalidRecords(_) => ErrorCode::INVALID_RECORD,
        Refusal::InvalidBatch(fault) => match fault {
            BatchFault::NoBatch
            | BatchFault::SeveralBatches
            | BatchFault::BaseOffset(_)
            | BatchFault::Counts(_)
            | BatchFault::RecordCount { .. }
            | BatchFault::Control
            | BatchFault::Sequence(_)
            | BatchFault::Producer
            | BatchFault::OffsetDelta { .. }
            | BatchFault::Records(_) => ErrorCode::INVALID_RECORD,
        },
    };
    let text = |fault: &RecordFault| match fault {
        RecordFault::NoKey => {
            let (topic, index) = (partition.topic(), partition.index().0);
            format!("Compacted topic cannot accept message without key in topic partition {topic}-{index}")
        }
        RecordFault::Timestamp { .. } | RecordFault::LogAppendTime => fault.to_string(),
    };
    let row = |error: &RecordError| (error.batch_index, text(&error.fault));
    let message = (!matches!(refusal, Refusal::TooLarge { .. })).then(|| refusal.to_string());
    (code, message, refusal.record_errors().iter().map(row).collect())
}

/// Of a change of topics, with the message for the client.
pub fn of_topic(error: &TopicError) -> (ErrorCode, String) {
    let code = match error {
        TopicError::Exists { .. } => ErrorCode::TOPIC_ALREADY_EXISTS,
        TopicError::Collides { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
        TopicError::Unknown => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        TopicError::PartitionCount { .. } => ErrorCode::INVALID_PARTITIONS,
        TopicError::Meta(_) | TopicError::Log(_) | TopicError::Open { .. } => ErrorCode::KAFKA_STORAGE_ERROR,
        TopicError::Stopping => ErrorCode::NOT_CONTROLLER,
    };
    (code, error.to_string())
}

/// Of a group coordinator that does not answer for itself.
pub fn of_shell(error: ShellError) -> ErrorCode {
    match error {
        ShellError::Loading => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ShellError::NotCoordinator => ErrorCode::NOT_COORDINATOR,
    }
}

/// Of what a group coordinator refuses.
pub fn of_group(refusal: event::Refusal) -> ErrorCode {
    use event::Refusal as R;
    match refusal {
        R::CoordinatorNotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        R::NotCoordinator => ErrorCode::NOT_COORDINATOR,
        R::CoordinatorLoadInProgress => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        R::InvalidGroupId => ErrorCode::INVALID_GROUP_ID,
        R::GroupIdNotFound => ErrorCode::GROUP_ID_NOT_FOUND,
        R::NonEmptyGroup => ErrorCode::NON_EMPTY_GROUP,
        R::GroupSubscribedToTopic => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        R::GroupMaxSizeReached => ErrorCode::GROUP_MAX_SIZE_REACHED,
        R::UnknownMemberId => ErrorCode::UNKNOWN_MEMBER_ID,
        R::MemberIdRequired => ErrorCode::MEMBER_ID_REQUIRED,
        R::FencedInstanceId => ErrorCode::FENCED_INSTANCE_ID,
        R::IllegalGeneration => ErrorCode::ILLEGAL_GENERATION,
        R::RebalanceInProgress => ErrorCode::REBALANCE_IN_PROGRESS,
        R::InconsistentGroupProtocol => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        R::InvalidSessionTimeout => ErrorCode::INVALID_SESSION_TIMEOUT,
        R::InvalidRequest => ErrorCode::INVALID_REQUEST,
        R::FencedMemberEpoch => ErrorCode::FENCED_MEMBER_EPOCH,
        R::StaleMemberEpoch => ErrorCode::STALE_MEMBER_EPOCH,
        R::UnreleasedInstanceId => ErrorCode::UNRELEASED_INSTANCE_ID,
        R::UnsupportedVersion => ErrorCode::UNSUPPORTED_VERSION,
        R::UnsupportedAssignor => ErrorCode::UNSUPPORTED_ASSIGNOR,
        R::InvalidRegularExpression => ErrorCode::INVALID_REGULAR_EXPRESSION,
        R::OffsetMetadataTooLarge => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        R::InvalidCommitOffsetSize => ErrorCode::INVALID_COMMIT_OFFSET_SIZE,
        R::UnknownTopicOrPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        R::UnknownTopicId => ErrorCode::UNKNOWN_TOPIC_ID,
        R::UnstableOffsetCommit => ErrorCode::UNSTABLE_OFFSET_COMMIT,
        R::InvalidProducerEpoch => ErrorCode::INVALID_PRODUCER_EPOCH,
        R::UnknownServerError => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}
