//! The length before every request and answer. Judges a length before anything is allocated for it; reads no socket.
//!
//! Reference: Kafka `NetworkReceive.java`.

use crate::codec::{Chunk, Message, Writer};
use crate::wire::{ApiKey, Request, RequestHeader, ResponseHeader};

/// Bytes of the length itself.
pub const PREFIX_BYTES: usize = 4;

/// Why a length is not that of a request. The connection is to be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    #[error("frame of negative length {0}")]
    Negative(i32),
    #[error("frame of {0} bytes, too short for a request header")]
    TooShort(usize),
    #[error("frame of {length} bytes, over the limit of {max}")]
    TooLong { length: usize, max: usize },
    /// The bytes that should be a length begin another protocol.
    #[error("{0} spoken on a Kafka port")]
    Foreign(&'static str),
}

/// The length of the request behind `prefix`; at most `max` (`socket.request.max.bytes`).
///
/// # Errors
/// If no request has that length.
pub fn request_length(prefix: [u8; PREFIX_BYTES], max: usize) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(prefix);
    let Ok(length) = usize::try_from(length) else { return Err(FrameError::Negative(length)) };
    if length > max {
        return Err(foreign_protocol(prefix).map_or(FrameError::TooLong { length, max }, FrameError::Foreign));
    }
    if length < RequestHeader::BYTES_MIN {
        return Err(FrameError::TooShort(length));
    }
    Ok(length)
}

/// The protocol that begins with these bytes, as far as a log line can guess it. As lengths they are all above 256 MiB.
fn foreign_protocol(prefix: [u8; PREFIX_BYTES]) -> Option<&'static str> {
    match &prefix {
        [0x16, 0x03, ..] => Some("TLS"),
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"OPTI" | b"DELE" | b"CONN" | b"PATC" | b"TRAC" => Some("HTTP"),
        b"PRI " => Some("HTTP/2"),
        b"SSH-" => Some("SSH"),
        _ => None,
    }
}

/// The prefix of an answer of `length` bytes, or none if no frame can be so long.
pub fn prefix(length: usize) -> Option<[u8; PREFIX_BYTES]> {
    i32::try_from(length).ok().map(i32::to_be_bytes)
}

/// A whole answer, its length in front: bytes, cut by file regions where it carries records. None if no frame can be so long.
pub fn answer<M: Message>(body: &M, key: ApiKey, version: i16, correlation_id: i32) -> Option<Vec<Chunk>> {
    let mut w = Writer::framed();
    let flexible = ResponseHeader::is_flexible(key, M::version(version));
    ResponseHeader { correlation_id }.encode(&mut w, flexible);
    body.encode(&mut w, version);
    w.into_frame()
}

/// A whole request, its length in front: what a client sends. For tests, benches and probes; the broker only answers.
///
/// # Panics
/// If the request does not fit a frame, or holds a null that the version does not allow.
pub fn request<R: Request>(request: &R, version: i16, correlation_id: i32, client_id: Option<&str>) -> Vec<u8> {
    let client_id = client_id.map(str::to_owned);
    let header = RequestHeader { api_key: ApiKey::as_i16(R::KEY), api_version: version, correlation_id, client_id };
    let mut w = Writer::new();
    header.encode(&mut w, R::version(version).flexible);
    request.encode(&mut w, version);
    let body = w.into_bytes();
    let mut frame = prefix(body.len()).expect("a request fits a frame").to_vec();
    frame.extend_from_slice(&body);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::messages::api_versions::ApiVersionsRequest;

    const MAX: usize = 100 * 1024 * 1024;

    #[test]
    fn lengths_of_no_request_are_refused() {
        let cases = [
            (-1, FrameError::Negative(-1)),
            (i32::MIN, FrameError::Negative(i32::MIN)),
            (0, FrameError::TooShort(0)),
            (7, FrameError::TooShort(7)),
            (9, FrameError::TooShort(9)),
            (104_857_601, FrameError::TooLong { length: 104_857_601, max: MAX }),
            (i32::MAX, FrameError::TooLong { length: 2_147_483_647, max: MAX }),
        ];
        for (length, error) in cases {
            assert_eq!(request_length(length.to_be_bytes(), MAX), Err(error));
        }
        assert_eq!(request_length(10i32.to_be_bytes(), MAX), Ok(10));
        assert_eq!(request_length(104_857_600i32.to_be_bytes(), MAX), Ok(MAX));
    }

    #[test]
    fn other_protocols_are_named() {
        for (bytes, name) in [(*b"GET ", "HTTP"), ([0x16, 3, 1, 2], "TLS"), (*b"SSH-", "SSH"), (*b"PRI ", "HTTP/2")] {
            assert_eq!(request_length(bytes, MAX), Err(FrameError::Foreign(name)));
        }
    }

    #[test]
    fn a_request_is_framed_by_its_length() {
        let frame = request(&ApiVersionsRequest::default(), 0, 3, None);
        assert_eq!(frame, [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 3, 0xff, 0xff]);
        assert_eq!(prefix(usize::MAX), None);
    }
}
