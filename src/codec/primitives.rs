//! How each field type of Kafka's schemas is read and written, in the plain and in the flexible (compact) form.
//!
//! `Option<T>` of text, bytes, arrays and structs is the nullable form. A plain `T` refuses null.

use bytes::Bytes;

use super::declare::{Field, Version};
use super::reader::{Fault, Reader, Result};
use super::writer::{Chunk, Writer};
use crate::base::ids::Uuid;
use crate::base::region::FileRegion;

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn read(r: &mut Reader, _: Version) -> Result<Self> {
                Ok(<$type>::from_be_bytes(r.array()?))
            }

            fn write(&self, w: &mut Writer, _: Version) {
                w.slice(&self.to_be_bytes());
            }

            fn bytes_min(_: Version) -> usize {
                size_of::<$type>()
            }
        }
    )*};
}

integer!(i8, i16, u16, i32, u32, i64, f64);

impl Field for bool {
    fn read(r: &mut Reader, _: Version) -> Result<Self> {
        Ok(r.u8()? != 0)
    }

    fn write(&self, w: &mut Writer, _: Version) {
        w.u8(u8::from(*self));
    }

    fn bytes_min(_: Version) -> usize {
        1
    }
}

impl Field for Uuid {
    fn read(r: &mut Reader, _: Version) -> Result<Self> {
        Ok(Uuid(r.array()?))
    }

    fn write(&self, w: &mut Writer, _: Version) {
        w.slice(&self.0);
    }

    fn bytes_min(_: Version) -> usize {
        16
    }
}

/// Bytes that a length takes at least.
fn length_bytes(v: Version, wide: bool) -> usize {
    match (v.flexible, wide) {
        (true, _) => 1,
        (false, false) => 2,
        (false, true) => 4,
    }
}

impl Field for Option<String> {
    fn read(r: &mut Reader, v: Version) -> Result<Self> {
        let Some(length) = r.length(v.flexible, false)? else { return Ok(None) };
        if length > i16::MAX as usize {
            return Err(r.error(Fault::BadLength));
        }
        r.text(length).map(Some)
    }

    fn write(&self, w: &mut Writer, v: Version) {
        w.length(self.as_ref().map(String::len), v.flexible, false);
        w.slice(self.as_deref().unwrap_or_default().as_bytes());
    }

    fn bytes_min(v: Version) -> usize {
        length_bytes(v, false)
    }
}

impl Field for Option<Bytes> {
    fn read(r: &mut Reader, v: Version) -> Result<Self> {
        match r.length(v.flexible, true)? {
            None => Ok(None),
            Some(length) => Ok(Some(r.take(length)?)),
        }
    }

    fn write(&self, w: &mut Writer, v: Version) {
        w.length(self.as_ref().map(Bytes::len), v.flexible, true);
        if let Some(bytes) = self {
            w.bytes(bytes);
        }
    }

    fn bytes_min(v: Version) -> usize {
        length_bytes(v, true)
    }
}

impl<T: Field> Field for Option<Vec<T>> {
    fn read(r: &mut Reader, v: Version) -> Result<Self> {
        let Some(count) = r.length(v.flexible, true)? else { return Ok(None) };
        r.elements(count, T::bytes_min(v), |r| T::read(r, v)).map(Some)
    }

    fn write(&self, w: &mut Writer, v: Version) {
        w.length(self.as_ref().map(Vec::len), v.flexible, true);
        for element in self.iter().flatten() {
            element.write(w, v);
        }
    }

    fn bytes_min(v: Version) -> usize {
        length_bytes(v, true)
    }
}

macro_rules! never_null {
    ($([$($generic:tt)*] $type:ty;)*) => {$(
        impl<$($generic)*> Field for $type {
            fn read(r: &mut Reader, v: Version) -> Result<Self> {
                Option::<$type>::read(r, v)?.ok_or_else(|| r.error(Fault::UnexpectedNull))
            }

            fn write(&self, w: &mut Writer, v: Version) {
                Self::write_some(self, w, v);
            }

            fn bytes_min(v: Version) -> usize {
                Option::<$type>::bytes_min(v)
            }
        }
    )*};
}

/// The written form of a value that is there, shared by `T` and `Option<T>`.
trait WriteSome {
    fn write_some(&self, w: &mut Writer, v: Version);
}

impl WriteSome for String {
    fn write_some(&self, w: &mut Writer, v: Version) {
        w.length(Some(self.len()), v.flexible, false);
        w.slice(self.as_bytes());
    }
}

impl WriteSome for Bytes {
    fn write_some(&self, w: &mut Writer, v: Version) {
        w.length(Some(self.len()), v.flexible, true);
        w.bytes(self);
    }
}

impl<T: Field> WriteSome for Vec<T> {
    fn write_some(&self, w: &mut Writer, v: Version) {
        w.length(Some(self.len()), v.flexible, true);
        for element in self {
            element.write(w, v);
        }
    }
}

never_null! {
    [] String;
    [] Bytes;
    [T: Field] Vec<T>;
}

/// Record bytes of a fetch answer: sent from where they are.
#[derive(Clone, Debug, Default)]
pub enum Records {
    #[default]
    Null,
    Bytes(Bytes),
    Region(FileRegion),
}

impl Records {
    pub const EMPTY: Records = Records::Bytes(Bytes::new());

    pub fn len(&self) -> usize {
        match self {
            Records::Null => 0,
            Records::Bytes(bytes) => bytes.len(),
            Records::Region(region) => region.length,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for Records {
    fn eq(&self, other: &Records) -> bool {
        match (self, other) {
            (Records::Null, Records::Null) => true,
            (Records::Bytes(a), Records::Bytes(b)) => a == b,
            _ => false,
        }
    }
}

impl Field for Records {
    fn read(r: &mut Reader, v: Version) -> Result<Self> {
        Ok(Option::<Bytes>::read(r, v)?.map_or(Records::Null, Records::Bytes))
    }

    fn write(&self, w: &mut Writer, v: Version) {
        match self {
            Records::Null => w.length(None, v.flexible, true),
            Records::Bytes(bytes) => bytes.write_some(w, v),
            Records::Region(region) => {
                w.length(Some(region.length), v.flexible, true);
                w.chunk(Chunk::Region(region.clone()));
            }
        }
    }

    fn bytes_min(v: Version) -> usize {
        length_bytes(v, true)
    }
}
