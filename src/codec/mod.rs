//! Kafka's serialization, for requests and for records on disk alike: primitives, tagged fields, and the declaration that a
//! message is written in. Knows no message and does no I/O.
//!
//! References: Kafka `generator/README.md` (message definitions), KIP-482 (tagged fields).

pub mod declare;
pub mod primitives;
pub mod reader;
pub mod writer;

pub use declare::{Field, Message, Spec, Version};
pub use reader::{DecodeError, Reader};
pub use writer::{Chunk, Writer};
