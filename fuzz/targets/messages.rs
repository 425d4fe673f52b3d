//! Every message in every version served, requests and answers.
//!
//! ```text
//! input := api key, version (the high bit: the answer), body
//! ```

use bytes::Bytes;

use super::{bounded, shared};
use crate::bridge::{Row, rows};

pub fn run(bytes: &[u8]) {
    thread_local!(static ROWS: Vec<Row> = rows());
    let [key, version, body @ ..] = bytes else { return };
    ROWS.with(|rows| {
        let row = chosen(rows, *key, version & 0x80 != 0);
        let (first, last) = (*row.served.start(), *row.served.end());
        let version = first + i16::from(version & 0x7f) % (last - first + 1);
        check(row, version, shared(body));
    });
}

/// The request of a key, or its answer; of a key that there is not, any message.
fn chosen(rows: &[Row], key: u8, is_answer: bool) -> &Row {
    let of_key = rows.iter().position(|row| row.key == Some(i16::from(key)));
    // An answer stands behind its request.
    let index = of_key.map_or(usize::from(key) % rows.len(), |index| index + usize::from(is_answer));
    &rows[index]
}

/// What is understood is written, and read and written again to the same bytes.
pub fn check(row: &Row, version: i16, body: Bytes) {
    let name = row.name;
    let length = body.len();
    let decoded = bounded(length, 0, name, || (row.decode)(body.clone(), version));
    match decoded {
        Ok(()) => {
            let written = (row.recode)(body.clone(), version, version).expect("it was read before");
            let again = (row.recode)(written.clone(), version, version)
                .unwrap_or_else(|error| panic!("{name} v{version}: {error} in our own bytes {written:?} of {body:?}"));
            assert!(written == again, "{name} v{version}: {body:?} is written as {written:?}, then as {again:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{name}"),
    }
}
