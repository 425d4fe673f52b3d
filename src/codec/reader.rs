//! A bounded cursor over received bytes. Slices it hands out share the received buffer; nothing is copied but strings.

use bytes::Bytes;

use crate::base::limits;

/// Why bytes are not a message. Names the field, so that a log line says where a peer went wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} of {field}")]
pub struct DecodeError {
    pub what: Fault,
    /// The field being read, as the declaration names it.
    pub field: &'static str,
}

/// The ways in which bytes are not a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    #[error("end of input inside")]
    Truncated,
    #[error("overlong variable-length integer")]
    VarintTooLong,
    #[error("negative or impossible length")]
    BadLength,
    #[error("null in place")]
    UnexpectedNull,
    #[error("text that is not UTF-8")]
    NotUtf8,
    #[error("more elements than there can be")]
    TooManyElements,
    #[error("tagged fields out of order or of a wrong size")]
    BadTaggedField,
    #[error("bytes behind the end")]
    TrailingBytes,
    #[error("illegal value")]
    BadValue,
}

pub type Result<T> = std::result::Result<T, DecodeError>;

/// A cursor over one frame or record.
///
/// While the elements of an array are read, the bytes that those still to come take at least are *promised* to them: nothing inside
/// an element may claim them. So each byte of input is claimed once, however deep arrays nest, and what is reserved for a message
/// stays under its length times the worst ratio of a struct's size to its smallest encoding.
pub struct Reader {
    bytes: Bytes,
    promised_bytes: usize,
    field: &'static str,
}

impl Reader {
    pub fn new(bytes: Bytes) -> Reader {
        Reader { bytes, promised_bytes: 0, field: "message" }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Names what is read next, for errors.
    pub fn at(&mut self, field: &'static str) {
        self.field = field;
    }

    pub fn error(&self, what: Fault) -> DecodeError {
        DecodeError { what, field: self.field }
    }

    /// The next `count` bytes, shared.
    pub fn take(&mut self, count: usize) -> Result<Bytes> {
        if count > self.unpromised() {
            return Err(self.error(Fault::Truncated));
        }
        Ok(self.bytes.split_to(count))
    }

    /// The next `length` bytes as text.
    pub fn text(&mut self, length: usize) -> Result<String> {
        let Some(bytes) = self.bytes.get(..length).filter(|_| length <= self.unpromised()) else {
            return Err(self.error(Fault::Truncated));
        };
        let Ok(text) = std::str::from_utf8(bytes) else { return Err(self.error(Fault::NotUtf8)) };
        let text = text.to_owned();
        bytes::Buf::advance(&mut self.bytes, length);
        Ok(text)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((head, _)) = self.bytes.split_first_chunk::<N>() else {
            return Err(self.error(Fault::Truncated));
        };
        let head = *head;
        bytes::Buf::advance(&mut self.bytes, N);
        Ok(head)
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// An unsigned base-128 integer of at most five bytes.
    pub fn uvarint(&mut self) -> Result<u32> {
        let mut value: u32 = 0;
        for shift in [0u32, 7, 14, 21, 28] {
            let byte = self.u8()?;
            if shift == 28 && byte > 0x0f {
                return Err(self.error(Fault::VarintTooLong));
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error(Fault::VarintTooLong))
    }

    /// Length of a nullable string, bytes or array: `None` for null. Compact forms carry length + 1.
    pub fn length(&mut self, flexible: bool, wide: bool) -> Result<Option<usize>> {
        let length = if flexible {
            i64::from(self.uvarint()?) - 1
        } else if wide {
            i64::from(self.i32()?)
        } else {
            i64::from(self.i16()?)
        };
        match length {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| self.error(Fault::BadLength)),
        }
    }

    /// Reads the elements of an array of `count`, each of `element_bytes_min` bytes at least, into a vector reserved for them.
    ///
    /// # Errors
    /// `TooManyElements` if the rest of the input cannot hold them, before anything is reserved.
    pub fn elements<T>(
        &mut self,
        count: usize,
        element_bytes_min: usize,
        mut read: impl FnMut(&mut Reader) -> Result<T>,
    ) -> Result<Vec<T>> {
        let element_bytes_min = element_bytes_min.max(1);
        if count > limits::ARRAY_ELEMENTS_MAX || count > self.unpromised() / element_bytes_min {
            return Err(self.error(Fault::TooManyElements));
        }
        self.promised_bytes += count * element_bytes_min;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            self.promised_bytes -= element_bytes_min;
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    /// Bytes that are not promised to later elements of an array that is being read.
    fn unpromised(&self) -> usize {
        self.bytes.len().saturating_sub(self.promised_bytes)
    }

    /// Reads the tagged fields of a struct: `known` gets each tag with a reader over its bytes and says whether it took them.
    ///
    /// # Errors
    /// Tags that do not rise, or a field longer or shorter than its size says.
    pub fn tagged_fields(&mut self, mut known: impl FnMut(u32, &mut Reader) -> Result<bool>) -> Result<()> {
        let count = self.uvarint()? as usize;
        if count > limits::TAGGED_FIELDS_MAX {
            return Err(self.error(Fault::TooManyElements));
        }
        let mut previous: Option<u32> = None;
        for _ in 0..count {
            let tag = self.uvarint()?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(self.error(Fault::BadTaggedField));
            }
            previous = Some(tag);
            let size = self.uvarint()? as usize;
            let mut field = Reader { bytes: self.take(size)?, promised_bytes: 0, field: self.field };
            if known(tag, &mut field)? && field.remaining() > 0 {
                return Err(field.error(Fault::BadTaggedField));
            }
        }
        Ok(())
    }

    /// Checks that everything was read.
    pub fn finish(&self) -> Result<()> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.error(Fault::TrailingBytes)) }
    }

    /// All that is left, shared.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }
}
