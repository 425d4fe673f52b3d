//! What stands before a body.
//!
//! ```text
//! request  := key:i16 version:i16 correlation_id:i32 client_id:plain nullable string [tagged fields]
//! answer   := correlation_id:i32 [tagged fields]
//! ```
//!
//! Tagged fields stand there if the body is flexible in its version. Two exceptions: the client id has its plain form in a flexible
//! header too, and the answer to ApiVersions never has tagged fields, so that both can be read before the versions are agreed on.
//!
//! Reference: Kafka `RequestHeader.json` (versions 1 and 2), `ResponseHeader.json` (0 and 1), KIP-482, KIP-511.

use crate::codec::declare::Field;
use crate::codec::reader::Result;
use crate::codec::{Reader, Version, Writer};
use crate::wire::ApiKey;

/// The header of a request without its tagged fields, which no API uses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

/// The client id in either header.
const CLIENT_ID: Version = Version { number: 1, flexible: false };

impl RequestHeader {
    /// The fewest bytes of a header: a null client id, no tagged fields.
    pub const BYTES_MIN: usize = 10;

    /// Reads what every header has; `skip_tagged_fields` is to follow if the body is flexible.
    ///
    /// # Errors
    /// As of every message. The key and version are not judged.
    pub fn decode(r: &mut Reader) -> Result<RequestHeader> {
        r.at("api_key");
        let api_key = r.i16()?;
        r.at("api_version");
        let api_version = r.i16()?;
        r.at("correlation_id");
        let correlation_id = r.i32()?;
        r.at("client_id");
        let client_id = Field::read(r, CLIENT_ID)?;
        Ok(RequestHeader { api_key, api_version, correlation_id, client_id })
    }

    /// Reads over the tagged fields of a flexible header.
    ///
    /// # Errors
    /// If they are not well formed.
    pub fn skip_tagged_fields(r: &mut Reader) -> Result<()> {
        r.at("header");
        r.tagged_fields(|_, _| Ok(false))
    }

    /// Writes the header; `flexible` as the body is.
    pub fn encode(&self, w: &mut Writer, flexible: bool) {
        w.i16(self.api_key);
        w.i16(self.api_version);
        w.i32(self.correlation_id);
        self.client_id.write(w, CLIENT_ID);
        if flexible {
            w.uvarint(0);
        }
    }
}

/// The header of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ResponseHeader {
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads the header; `flexible` from `is_flexible`.
    ///
    /// # Errors
    /// As of every message.
    pub fn decode(r: &mut Reader, flexible: bool) -> Result<ResponseHeader> {
        r.at("correlation_id");
        let correlation_id = r.i32()?;
        if flexible {
            r.tagged_fields(|_, _| Ok(false))?;
        }
        Ok(ResponseHeader { correlation_id })
    }

    /// Writes the header; `flexible` from `is_flexible`.
    pub fn encode(&self, w: &mut Writer, flexible: bool) {
        w.i32(self.correlation_id);
        if flexible {
            w.uvarint(0);
        }
    }

    /// Whether the header before an answer of this API has tagged fields.
    pub fn is_flexible(key: ApiKey, body: Version) -> bool {
        body.flexible && key != ApiKey::ApiVersions
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::Message;
    use crate::wire::messages::api_versions::ApiVersionsResponse;
    use crate::wire::messages::metadata::MetadataResponse;

    fn check(header: &RequestHeader, flexible: bool, bytes: &'static [u8]) {
        let mut w = Writer::new();
        header.encode(&mut w, flexible);
        assert_eq!(w.into_bytes(), bytes);
        let mut r = Reader::new(Bytes::from_static(bytes));
        assert_eq!(RequestHeader::decode(&mut r).as_ref(), Ok(header));
        if flexible {
            RequestHeader::skip_tagged_fields(&mut r).expect("well-formed tagged fields");
        }
        r.finish().expect("nothing behind the header");
    }

    #[test]
    fn client_id_is_plain_in_both_forms() {
        let header = RequestHeader { api_key: 18, api_version: 3, correlation_id: 7, client_id: Some("ab".to_owned()) };
        check(&header, false, &[0, 18, 0, 3, 0, 0, 0, 7, 0, 2, b'a', b'b']);
        check(&header, true, &[0, 18, 0, 3, 0, 0, 0, 7, 0, 2, b'a', b'b', 0]);
        let nameless = RequestHeader { client_id: None, ..header };
        check(&nameless, false, &[0, 18, 0, 3, 0, 0, 0, 7, 0xff, 0xff]);
    }

    #[test]
    fn the_smallest_header_is_the_smallest() {
        let mut w = Writer::new();
        RequestHeader::default().encode(&mut w, false);
        assert_eq!(w.len(), RequestHeader::BYTES_MIN);
    }

    #[test]
    fn unknown_tagged_fields_are_skipped() {
        let bytes = Bytes::from_static(&[0, 3, 0, 9, 0, 0, 0, 1, 0, 0, 2, 0, 1, 9, 5, 2, 8, 8]);
        let mut r = Reader::new(bytes);
        RequestHeader::decode(&mut r).expect("legal header");
        RequestHeader::skip_tagged_fields(&mut r).expect("legal tagged fields");
        r.finish().expect("all read");
    }

    #[test]
    fn the_answer_to_api_versions_has_a_plain_header() {
        assert!(!ResponseHeader::is_flexible(ApiKey::ApiVersions, ApiVersionsResponse::version(5)));
        assert!(ResponseHeader::is_flexible(ApiKey::Metadata, MetadataResponse::version(9)));
        assert!(!ResponseHeader::is_flexible(ApiKey::Metadata, MetadataResponse::version(8)));
        for flexible in [false, true] {
            let mut w = Writer::new();
            ResponseHeader { correlation_id: -5 }.encode(&mut w, flexible);
            let bytes = w.into_bytes();
            assert_eq!(bytes.len(), if flexible { 5 } else { 4 });
            let header = ResponseHeader::decode(&mut Reader::new(bytes), flexible);
            assert_eq!(header, Ok(ResponseHeader { correlation_id: -5 }));
        }
    }
}
