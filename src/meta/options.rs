//! What the metadata store is told when it opens.

use std::sync::Arc;

use super::record::NodeEndpoint;
use crate::base::clock::Clock;

/// New records, in bytes, after which a snapshot is written (Kafka `metadata.log.max.record.bytes.between.snapshots`).
pub const SNAPSHOT_AFTER_BYTES: u64 = 20 << 20;

/// An address that the broker's registration names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The listener's name, such as `PLAINTEXT`.
    pub name: String,
    pub host: String,
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

impl Endpoint {
    pub(super) fn record(&self) -> NodeEndpoint {
        NodeEndpoint {
            name: self.name.clone(),
            host: self.host.clone(),
            port: self.port,
            security_protocol: self.security_protocol,
        }
    }
}

/// See the module's comment.
pub struct BootOptions<'a> {
    /// The configured node id; `None` takes the directory's, 1 in a new one.
    pub node_id: Option<i32>,
    /// The configured cluster id, taken as it is; `None` takes the directory's, a random one in a new one.
    pub cluster_id: Option<String>,
    /// Where clients find the broker.
    pub listeners: Vec<Endpoint>,
    /// What the quorum's only voter says of itself. Nothing listens there; a Kafka that takes over writes its own.
    pub controller: Endpoint,
    pub rack: Option<String>,
    /// True if the last stop left the clean-stop mark: then partitions that we lead keep their leader epoch.
    pub is_clean: bool,
    pub clock: Arc<dyn Clock>,
    /// Called once, after an existing directory was read and understood and before the first byte of it changes: the place to
    /// take the clean-stop mark away.
    pub before_change: &'a mut dyn FnMut() -> std::io::Result<()>,
    /// Fresh random bytes at each call.
    pub random: &'a mut dyn FnMut() -> [u8; 16],
    /// `SNAPSHOT_AFTER_BYTES`, or what the configuration says.
    pub snapshot_after_bytes: u64,
}
