//! What one log is told by its topic's configuration. Plain values; where they come from is not known here.

use super::retention::Retention;

/// What a reader may see (decision D4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Visible {
    /// Everything that may be acknowledged.
    #[default]
    Acknowledged,
    /// Only what is durable.
    Durable,
}

/// Settings of one log. Shared by all logs of a topic; replaced as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is rolled before the batch that would make it larger. At most `i32::MAX`.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is rolled when the batches' timestamps are this far behind its first one.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: upper bound of what is taken off `segment_ms`, so that not all logs roll at once.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: a segment is rolled when one of its indexes would be larger.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: bytes between two entries of an index.
    pub index_interval_bytes: u32,
    /// True if `cleanup.policy` contains `compact`: offsets may have gaps.
    pub compacted: bool,
    /// How much is kept; `None` if `cleanup.policy` does not contain `delete`.
    pub retention: Option<Retention>,
    /// `producer.id.expiration.ms`: idle producers are forgotten after this.
    pub producer_expiration_ms: i64,
    /// False if nothing is synced but at a roll and a stop (`durability.mode=os`): a file may then be closed with bytes in it
    /// that the system has still to write.
    pub synced: bool,
    /// `durability.visibility`.
    pub visible: Visible,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            compacted: false,
            retention: Some(Retention { ms: Some(7 * 24 * 3_600_000), bytes: None }),
            producer_expiration_ms: 24 * 3_600_000,
            synced: true,
            visible: Visible::Acknowledged,
        }
    }
}
