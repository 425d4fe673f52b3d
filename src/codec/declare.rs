//! The declaration that every message and record on disk is written in. One declaration yields the struct, its defaults, and
//! encode and decode in every version, as Kafka's own schemas do; the struct is the union of the fields of all versions.
//!
//! ```text
//! message! {
//!     /// What it asks.
//!     pub struct FetchRequest, flexible 12+ {
//!         [12+, tag 0] cluster_id: Option<String>,
//!         [0-14] replica_id: i32 = -1,
//!         [0+] topics: Vec<FetchTopic>,
//!     }
//!     pub struct FetchTopic {
//!         [0-12] topic: String,
//!         [13+] topic_id: Uuid,
//!         [0+, null 5+] rack: Option<String> = Some(String::new()),
//!     }
//! }
//! ```
//!
//! `[versions, null versions, tag number]` as in the schema: `3+`, `3-7`, `3`. The first struct is the message and carries
//! `flexible`, the first version with compact forms and tagged fields (`flexible none` if there is none). An `Option` field
//! without `null` is nullable in all its versions. A field absent in a version reads as its default and is not written.
//! A tagged field is written when it differs from its default.

use super::reader::{Reader, Result};
use super::writer::Writer;

/// The version being read or written, and whether it has compact forms and tagged fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    pub number: i16,
    pub flexible: bool,
}

/// A type that a field can have.
pub trait Field: Sized {
    fn read(r: &mut Reader, v: Version) -> Result<Self>;
    fn write(&self, w: &mut Writer, v: Version);
    /// The fewest bytes that a value takes: bounds what an array may reserve.
    fn bytes_min(v: Version) -> usize;
}

/// A whole message: a request or answer body, or a record's value.
pub trait Message: Field {
    /// First version with compact forms and tagged fields.
    const FLEXIBLE_FROM: i16;

    fn version(number: i16) -> Version {
        Version { number, flexible: number >= Self::FLEXIBLE_FROM }
    }

    /// Reads the message; bytes behind it stay in the reader.
    ///
    /// # Errors
    /// The first field that is not what `version` demands.
    fn decode(r: &mut Reader, version: i16) -> Result<Self> {
        Self::read(r, Self::version(version))
    }

    fn encode(&self, w: &mut Writer, version: i16) {
        self.write(w, Self::version(version));
    }
}

/// What a declaration says of a field.
#[derive(Clone, Copy)]
pub struct Spec {
    from: i16,
    to: i16,
    null_from: i16,
    null_to: i16,
    pub tag: Option<u32>,
}

impl Spec {
    pub const fn versions(from: i16, to: i16) -> Spec {
        Spec { from, to, null_from: 0, null_to: i16::MAX, tag: None }
    }

    pub const fn null(self, from: i16, to: i16) -> Spec {
        Spec { null_from: from, null_to: to, ..self }
    }

    pub const fn tag(self, tag: u32) -> Spec {
        Spec { tag: Some(tag), ..self }
    }

    pub const fn has(&self, v: Version) -> bool {
        self.from <= v.number && v.number <= self.to
    }

    pub const fn plain(&self, v: Version) -> bool {
        self.tag.is_none() && self.has(v)
    }

    pub const fn tagged(&self, v: Version) -> bool {
        self.tag.is_some() && self.has(v) && v.flexible
    }

    pub const fn nullable(&self, v: Version) -> bool {
        self.null_from <= v.number && v.number <= self.null_to
    }
}

/// Null checks of `Option` fields whose schema allows null in some versions only.
pub trait Nullable {
    /// True if this is a null.
    fn is_null(&self) -> bool {
        false
    }
}

impl<T> Nullable for Option<T> {
    fn is_null(&self) -> bool {
        self.is_none()
    }
}

macro_rules! never_null {
    ($($type:ty),*) => {$(impl Nullable for $type {})*};
}
never_null!(bool, i8, i16, u16, i32, u32, i64, f64, String, bytes::Bytes, crate::base::ids::Uuid);
impl<T> Nullable for Vec<T> {}
impl Nullable for super::primitives::Records {}

/// Writes one tagged field: tag, size, value.
pub fn write_tagged<T: Field>(w: &mut Writer, tag: u32, value: &T, v: Version) {
    let mut inner = Writer::new();
    value.write(&mut inner, v);
    w.uvarint(tag);
    w.uvarint(u32::try_from(inner.len()).expect("a tagged field is small"));
    for chunk in inner.into_chunks() {
        match chunk {
            super::Chunk::Bytes(bytes) => w.slice(&bytes),
            region => w.chunk(region),
        }
    }
}

/// Declares a message and its structs. See the module's comment.
#[macro_export]
macro_rules! message {
    (
        $(#[$doc:meta])* pub struct $name:ident, flexible $flexible:tt $(+)? { $($fields:tt)* }
        $($rest:tt)*
    ) => {
        $crate::structure! { $(#[$doc])* pub struct $name { $($fields)* } }
        impl $crate::codec::Message for $name {
            const FLEXIBLE_FROM: i16 = $crate::message!(@flexible $flexible);
        }
        $crate::structures! { $($rest)* }
    };
    (@flexible none) => { i16::MAX };
    (@flexible $from:literal) => { $from };
}

#[doc(hidden)]
#[macro_export]
macro_rules! structures {
    ($($(#[$doc:meta])* pub struct $name:ident { $($fields:tt)* })*) => {
        $($crate::structure! { $(#[$doc])* pub struct $name { $($fields)* } })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! structure {
    (
        $(#[$doc:meta])* pub struct $name:ident {
            $($(#[$field_doc:meta])* [$($spec:tt)+] $field:ident : $type:ty $(= $default:expr)?),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $crate::default_of!($type $(= $default)?),)* }
            }
        }

        impl $crate::codec::declare::Nullable for $name {}

        impl $crate::codec::Field for $name {
            #[expect(clippy::allow_attributes, reason = "a struct without fields uses none of these")]
            #[allow(unused_mut, unused_variables, clippy::match_single_binding)]
            fn read(
                r: &mut $crate::codec::Reader,
                v: $crate::codec::Version,
            ) -> $crate::codec::reader::Result<Self> {
                let mut value = $name::default();
                $({
                    const SPEC: $crate::codec::Spec = $crate::spec!($($spec)+);
                    if SPEC.plain(v) {
                        r.at(stringify!($field));
                        value.$field = $crate::codec::declare::read_field(r, v, &SPEC)?;
                    }
                })*
                if v.flexible {
                    r.tagged_fields(|tag, r| {
                        $({
                            const SPEC: $crate::codec::Spec = $crate::spec!($($spec)+);
                            if SPEC.tagged(v) && SPEC.tag == Some(tag) {
                                r.at(stringify!($field));
                                value.$field = $crate::codec::declare::read_field(r, v, &SPEC)?;
                                return Ok(true);
                            }
                        })*
                        Ok(false)
                    })?;
                }
                Ok(value)
            }

            #[expect(clippy::allow_attributes, reason = "a struct without fields uses none of these")]
            #[allow(unused_mut, unused_variables)]
            fn write(&self, w: &mut $crate::codec::Writer, v: $crate::codec::Version) {
                $({
                    const SPEC: $crate::codec::Spec = $crate::spec!($($spec)+);
                    if SPEC.plain(v) {
                        $crate::codec::declare::assert_allowed(&self.$field, v, &SPEC, stringify!($field));
                        $crate::codec::Field::write(&self.$field, w, v);
                    }
                })*
                if v.flexible {
                    let mut tagged: [(u32, bool); 0 $(+ $crate::one!($field))*] = [$({
                        const SPEC: $crate::codec::Spec = $crate::spec!($($spec)+);
                        let default: $type = $crate::default_of!($type $(= $default)?);
                        match SPEC.tag {
                            Some(tag) => (tag, SPEC.tagged(v) && self.$field != default),
                            None => (u32::MAX, false),
                        }
                    }),*];
                    let count = tagged.iter().filter(|(_, written)| *written).count();
                    w.uvarint(count as u32);
                    if count > 0 {
                        tagged.sort_unstable();
                        for (tag, _) in tagged.into_iter().filter(|(_, written)| *written) {
                            $({
                                const SPEC: $crate::codec::Spec = $crate::spec!($($spec)+);
                                if SPEC.tag == Some(tag) {
                                    $crate::codec::declare::write_tagged(w, tag, &self.$field, v);
                                }
                            })*
                        }
                    }
                }
            }

            fn bytes_min(v: $crate::codec::Version) -> usize {
                let fields = 0 $(+ {
                    const SPEC: $crate::codec::Spec = $crate::spec!($($spec)+);
                    if SPEC.plain(v) { <$type as $crate::codec::Field>::bytes_min(v) } else { 0 }
                })*;
                fields + usize::from(v.flexible)
            }
        }

        impl $crate::codec::Field for Option<$name> {
            fn read(
                r: &mut $crate::codec::Reader,
                v: $crate::codec::Version,
            ) -> $crate::codec::reader::Result<Self> {
                // A null structure is -1 in its place among the fields, and 0 in a tag.
                match r.u8()? {
                    0 | 0xff => Ok(None),
                    _ => <$name as $crate::codec::Field>::read(r, v).map(Some),
                }
            }

            fn write(&self, w: &mut $crate::codec::Writer, v: $crate::codec::Version) {
                match self {
                    None => w.u8(0xff),
                    Some(value) => {
                        w.u8(1);
                        $crate::codec::Field::write(value, w, v);
                    }
                }
            }

            fn bytes_min(_: $crate::codec::Version) -> usize {
                1
            }
        }
    };
}

/// Reads a field, refusing null in versions that do not allow it.
pub fn read_field<T: Field + Nullable>(r: &mut Reader, v: Version, spec: &Spec) -> Result<T> {
    let value = T::read(r, v)?;
    if value.is_null() && !spec.nullable(v) {
        return Err(r.error(super::reader::Fault::UnexpectedNull));
    }
    Ok(value)
}

/// Stops our own bug of a null in a version that does not allow it, which no client could read.
pub fn assert_allowed<T: Nullable>(value: &T, v: Version, spec: &Spec, field: &str) {
    debug_assert!(spec.nullable(v) || !value.is_null(), "null {field} in version {}", v.number);
}

#[doc(hidden)]
#[macro_export]
macro_rules! one {
    ($field:ident) => {
        1
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! default_of {
    ($type:ty = $default:expr) => {
        $default
    };
    ($type:ty) => {
        <$type as Default>::default()
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! spec {
    ($from:literal + $($rest:tt)*) => { $crate::spec!(@more $crate::codec::Spec::versions($from, i16::MAX); $($rest)*) };
    ($from:literal - $to:literal $($rest:tt)*) => { $crate::spec!(@more $crate::codec::Spec::versions($from, $to); $($rest)*) };
    ($only:literal $($rest:tt)*) => { $crate::spec!(@more $crate::codec::Spec::versions($only, $only); $($rest)*) };
    (@more $spec:expr;) => { $spec };
    (@more $spec:expr; , null $from:literal + $($rest:tt)*) => { $crate::spec!(@more $spec.null($from, i16::MAX); $($rest)*) };
    (@more $spec:expr; , null $from:literal - $to:literal $($rest:tt)*) => { $crate::spec!(@more $spec.null($from, $to); $($rest)*) };
    (@more $spec:expr; , tag $tag:literal $($rest:tt)*) => { $crate::spec!(@more $spec.tag($tag); $($rest)*) };
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::ids::Uuid;

    message! {
        /// A message with one of everything.
        pub struct Sample, flexible 2+ {
            [0-1] old: i32 = -1,
            [0+] name: String,
            [1+, null 2+] rack: Option<String> = Some(String::new()),
            [2+, tag 1] late: i64 = 7,
            [2+, tag 0] leader: Leader,
            [0+] rows: Vec<Row>,
        }
        pub struct Leader {
            [0+] id: i32,
        }
        pub struct Row {
            [0+] topic: Uuid,
            [1+] indexes: Option<Vec<i32>>,
            [2+] nested: Option<Leader>,
        }
    }

    fn round_trip(message: &Sample, version: i16) -> Vec<u8> {
        let mut w = Writer::new();
        message.encode(&mut w, version);
        let bytes = w.into_bytes();
        let mut r = Reader::new(bytes.clone());
        assert_eq!(Sample::decode(&mut r, version).as_ref(), Ok(message), "version {version}");
        r.finish().expect("nothing behind the message");
        for cut in 0..bytes.len() {
            Sample::decode(&mut Reader::new(bytes.slice(..cut)), version).expect_err("a truncated message is refused");
        }
        bytes.to_vec()
    }

    #[test]
    fn each_version_keeps_the_fields_it_has() {
        let row = |indexes, nested| Row { topic: Uuid([9; 16]), indexes, nested };
        let mut message = Sample { old: 3, name: "a".into(), rows: vec![row(None, None)], ..Sample::default() };
        round_trip(&message, 0);
        message.rack = Some("b".into());
        message.rows = vec![row(Some(vec![1, 2]), None), row(None, None)];
        round_trip(&message, 1);
        message.old = -1;
        message.rack = None;
        message.late = 8;
        message.leader = Leader { id: 5 };
        message.rows = vec![row(Some(vec![]), Some(Leader { id: 1 }))];
        let bytes = round_trip(&message, 2);
        let tail = [2, 0, 5, 0, 0, 0, 5, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0, 8];
        assert!(bytes.ends_with(&tail), "tagged fields in the order of their tags: {bytes:?}");
    }

    #[test]
    fn null_is_refused_where_the_version_has_none() {
        let bytes = Bytes::from_static(&[0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
        Sample::decode(&mut Reader::new(bytes), 1).expect_err("null rack in version 1");
    }

    #[test]
    fn a_claimed_count_reserves_nothing() {
        let bytes = Bytes::from_static(&[0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff]);
        Sample::decode(&mut Reader::new(bytes), 0).expect_err("two thousand million rows in no bytes");
    }

    #[test]
    fn an_element_cannot_claim_the_bytes_of_later_elements() {
        // Two rows of at least 20 bytes each, and no more; the first claims an index of 4 bytes.
        let row = |indexes: u8| [&[0; 19], &[indexes][..]].concat();
        let message = |indexes: u8| {
            let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2];
            bytes.extend(row(indexes));
            bytes.extend([0; 20]);
            Bytes::from(bytes)
        };
        Sample::decode(&mut Reader::new(message(0)), 1).expect("two rows without indexes");
        let error =
            Sample::decode(&mut Reader::new(message(1)), 1).expect_err("an index in the bytes of the second row");
        assert_eq!(error.what, super::super::reader::Fault::TooManyElements);
    }
}
