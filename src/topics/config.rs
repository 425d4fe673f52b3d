//! What a topic's configuration means to its logs and its producers. One row per key that is honoured; values and their defaults
//! are `settings`' business.

use std::sync::Arc;

use crate::base::clock::WallMs;
use crate::base::limits;
use crate::log::{LogConfig, Retention, Visible};
use crate::record::compression::{Codec, Compression};
use crate::record::validate::{Rules, Target, TimestampType};
use crate::settings::{Dynamic, Overrides, Settings};

/// When appended bytes are made durable (`durability.mode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// acks=all waits for a sync; the rest is synced soon.
    Sync,
    /// Everything is synced soon, nothing waits.
    Interval,
    /// When the system writes it back: Kafka's own promise.
    Os,
}

/// A topic's configuration, resolved.
#[derive(Clone, Debug)]
pub struct TopicConfig {
    pub log: Arc<LogConfig>,
    pub durability: Durability,
    /// `flush.messages=1`: every append waits for a sync.
    pub sync_every_append: bool,
    /// `durability.interval.bytes`.
    pub interval_bytes: u64,
    /// What batches must fulfil; `now` and `zstd_allowed` are filled in by request.
    rules: Rules,
    /// False if `cleanup.policy` is compaction alone: then nobody may delete records by their offsets.
    pub deletable: bool,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: u64,
}

impl TopicConfig {
    /// Resolves the topic's own values over the broker's. Values were validated when they were set; one that still does not
    /// parse counts as its default.
    pub fn resolve(settings: &Settings, overrides: &Overrides, dynamic: Dynamic<'_>) -> TopicConfig {
        let text = |name: &str| settings.topic_value_with(name, overrides, dynamic).0.text().unwrap_or_default();
        let long = |name: &str| text(name).trim().parse::<i64>().unwrap_or(i64::MAX);
        let unsigned = |name: &str| u32::try_from(long(name)).unwrap_or(u32::MAX);
        let policy = text("cleanup.policy");
        let does = |what: &str| policy.split(',').any(|part| part.trim() == what);
        let compacted = does("compact");
        let retention = Retention {
            ms: Some(long("retention.ms")).filter(|ms| *ms >= 0),
            bytes: u64::try_from(long("retention.bytes")).ok(),
        };
        let visible = if settings.string("durability.visibility") == "durable" {
            Visible::Durable
        } else {
            Visible::Acknowledged
        };
        let durability = match (text("durability.mode").as_str(), visible) {
            ("interval", _) => Durability::Interval,
            // A topic from before visibility was set to durable: in mode os nobody would ever see its records.
            ("os", Visible::Durable) => Durability::Interval,
            ("os", Visible::Acknowledged) => Durability::Os,
            _ => Durability::Sync,
        };
        let log = LogConfig {
            segment_bytes: unsigned("segment.bytes").min(i32::MAX.unsigned_abs()),
            segment_ms: long("segment.ms"),
            segment_jitter_ms: long("segment.jitter.ms"),
            segment_index_bytes: unsigned("segment.index.bytes"),
            index_interval_bytes: unsigned("index.interval.bytes"),
            compacted,
            retention: does("delete").then_some(retention),
            producer_expiration_ms: settings.broker_value_with("producer.id.expiration.ms", dynamic).0.long(),
            synced: durability != Durability::Os,
            visible,
        };
        let timestamp_type = match text("message.timestamp.type").as_str() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        };
        let rules = Rules {
            max_message_bytes: usize::try_from(long("max.message.bytes")).unwrap_or(usize::MAX),
            timestamp_type,
            timestamp_before_max_ms: long("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: long("message.timestamp.after.max.ms"),
            keys_required: compacted,
            batch_decompressed_max_bytes: limits::BATCH_DECOMPRESSED_BYTES_MAX,
            target: target(&text),
            decompressed_max_bytes: usize::try_from(long("max.decompressed.message.bytes")).unwrap_or(usize::MAX),
            compressed_unread: text("compressed.validation") == "header",
            zstd_allowed: true,
            now: WallMs(0),
        };
        TopicConfig {
            log: Arc::new(log),
            durability,
            sync_every_append: long("flush.messages") == 1,
            interval_bytes: u64::try_from(settings.long("durability.interval.bytes")).unwrap_or(u64::MAX),
            rules,
            deletable: does("delete") || !compacted,
            file_delete_delay_ms: u64::try_from(long("file.delete.delay.ms")).unwrap_or(0),
        }
    }

    /// True if compressed batches are appended without a look at their records.
    pub fn passes_compressed(&self) -> bool {
        self.rules.compressed_unread && !self.rules.keys_required && self.rules.target == Target::Producer
    }

    pub(super) fn rules(&self, now: WallMs, zstd_allowed: bool) -> Rules {
        Rules { now, zstd_allowed, ..self.rules }
    }
}

fn target(text: &dyn Fn(&str) -> String) -> Target {
    let level = |name: &str| text(name).parse::<i32>().unwrap_or_default();
    match text("compression.type").as_str() {
        "uncompressed" => Target::Always(Compression::NONE),
        "gzip" => Target::Always(Compression::at_level(Codec::Gzip, level("compression.gzip.level"))),
        "snappy" => Target::Always(Compression::of(Codec::Snappy)),
        "lz4" => Target::Always(Compression::at_level(Codec::Lz4, level("compression.lz4.level"))),
        "zstd" => Target::Always(Compression::at_level(Codec::Zstd, level("compression.zstd.level"))),
        _ => Target::Producer,
    }
}
