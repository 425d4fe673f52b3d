//! Kafka's bytes <-> messages. No I/O, no policy. The only home of API versions.
//!
//! ```text
//! frame    := length:i32 header body        length counts header and body
//! header   := of a request: key, version, correlation id, client id; of an answer: correlation id
//! body     := a message, in the version that the request's header names
//! ```

pub mod api_key;
pub mod error_code;
pub mod frame;
pub mod header;
pub mod messages;

pub use api_key::ApiKey;
pub use error_code::ErrorCode;
pub use header::{RequestHeader, ResponseHeader};

/// What the layers above need of the codec, which they do not use themselves.
pub use crate::codec::primitives::Records;
pub use crate::codec::reader::Fault;
pub use crate::codec::{Chunk, DecodeError, Message, Reader, Version, Writer};

/// The body of a request.
pub trait Request: Message {
    /// The API that the request is of.
    const KEY: ApiKey;
    /// The body of the answer; in the same version.
    type Response: Message;
    /// What a version means for the handling, by name; `()` if nothing.
    type Facts;

    /// Names what `version` means, so that no handler compares versions.
    fn facts(version: i16) -> Self::Facts;
}
