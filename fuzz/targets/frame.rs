//! What comes on a connection: frames with their lengths, the request's header, the body that it announces, as far as the broker
//! decides about them before a handler sees anything. And the header of answers.
//!
//! ```text
//! input := choice, stream of frames                   choice 0..=127
//!        | choice, header of an answer                128..
//! ```

use klamm::api::TABLE;
use klamm::codec::{Reader, Writer};
use klamm::wire::frame::{PREFIX_BYTES, request_length};
use klamm::wire::{ApiKey, RequestHeader, ResponseHeader};

use super::{bounded, messages, shared};
use crate::bridge::{Row, rows};

/// `socket.request.max.bytes`, small.
const REQUEST_BYTES_MAX: usize = 1 << 20;

pub fn run(bytes: &[u8]) {
    thread_local!(static ROWS: Vec<Row> = rows());
    match bytes {
        [0..128, stream @ ..] => ROWS.with(|rows| read_stream(rows, stream)),
        [choice, header @ ..] => answer_header(choice % 2 == 1, header),
        [] => {}
    }
}

fn read_stream(rows: &[Row], mut stream: &[u8]) {
    while let Some((prefix, rest)) = stream.split_first_chunk::<PREFIX_BYTES>() {
        let length = match request_length(*prefix, REQUEST_BYTES_MAX) {
            Ok(length) => length,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        };
        assert!((RequestHeader::BYTES_MIN..=REQUEST_BYTES_MAX).contains(&length), "{length}");
        // The last frame is cut off: then what is there is judged all the same.
        let (frame, rest) = rest.split_at(length.min(rest.len()));
        read_frame(rows, frame);
        stream = rest;
    }
}

fn read_frame(rows: &[Row], frame: &[u8]) {
    let bytes = shared(frame);
    let mut reader = Reader::new(bytes.clone());
    let Ok(header) = bounded(frame.len(), 0, "request header", || RequestHeader::decode(&mut reader)) else { return };
    let served = TABLE
        .iter()
        .find(|row| row.key.as_i16() == header.api_key && (row.served.0..=row.served.1).contains(&header.api_version));
    let row = served.and_then(|served| rows.iter().find(|row| row.key == Some(served.key.as_i16())));
    let flexible = row.is_some_and(|row| header.api_version >= row.flexible_from);
    let mut w = Writer::new();
    header.encode(&mut w, flexible);
    let written = w.into_bytes();
    let mut again = Reader::new(written.clone());
    assert_eq!(RequestHeader::decode(&mut again).as_ref(), Ok(&header), "{written:?}");
    let Some(row) = row else { return };
    if flexible && RequestHeader::skip_tagged_fields(&mut reader).is_err() {
        return;
    }
    let left = reader.remaining();
    messages::check(row, header.api_version, bytes.slice(bytes.len() - left..));
}

fn answer_header(flexible: bool, bytes: &[u8]) {
    let header =
        bounded(bytes.len(), 0, "answer header", || ResponseHeader::decode(&mut Reader::new(shared(bytes)), flexible));
    if let Ok(header) = header {
        let mut w = Writer::new();
        header.encode(&mut w, flexible);
        assert_eq!(ResponseHeader::decode(&mut Reader::new(w.into_bytes()), flexible), Ok(header));
    }
    let _ = ApiKey::from_i16(i16::from(bytes.first().copied().unwrap_or(0)));
}
