//! A second codec, driven by Kafka's schemas alone: what ours is compared with. Slow and plain on purpose.

use crate::facts::{Field, Kind, Schema};

/// A value of any type. A struct has one value for each field of its schema, in its order; fields that a version lacks hold their default.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Uuid([u8; 16]),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    Struct(Vec<Value>),
}

/// A null in a version that does not allow it.
#[derive(Debug)]
pub struct NullNotAllowed;

/// A count that arrays claim instead of their own.
#[derive(Clone, Copy)]
pub enum Claim {
    /// This array, counted in the order of writing, claims so many elements.
    One { array: usize, count: i64 },
    /// This array claims as many elements as `filler_bytes` can hold at most; that many bytes stand in place of its own elements.
    Filled { array: usize, filler_bytes: usize, filler: u8 },
    /// Every array claims as many elements as so many bytes can hold at most.
    Every { bytes: usize },
}

/// Writes values by their schema.
pub struct Encoder {
    out: Vec<u8>,
    version: i16,
    flexible: bool,
    arrays: usize,
    claim: Option<Claim>,
}

/// The bytes of `value` in `version`.
pub fn encode(schema: &Schema, value: &Value, version: i16) -> Result<Vec<u8>, NullNotAllowed> {
    Ok(encode_claiming(schema, value, version, None)?.0)
}

/// As `encode`, with false counts; and how many arrays there are.
pub fn encode_claiming(
    schema: &Schema,
    value: &Value,
    version: i16,
    claim: Option<Claim>,
) -> Result<(Vec<u8>, usize), NullNotAllowed> {
    let flexible = schema.flexible.has(version);
    let mut encoder = Encoder { out: Vec::new(), version, flexible, arrays: 0, claim };
    encoder.fields(&schema.fields, value)?;
    Ok((encoder.out, encoder.arrays))
}

impl Encoder {
    fn fields(&mut self, fields: &[Field], value: &Value) -> Result<(), NullNotAllowed> {
        let Value::Struct(values) = value else { panic!("a struct") };
        let version = self.version;
        let mut tagged = Vec::new();
        for (field, value) in fields.iter().zip(values).filter(|(field, _)| field.versions.has(version)) {
            match field.tag {
                Some(tag) => tagged.push((tag, field, value)),
                None => self.field(field, value)?,
            }
        }
        if self.flexible {
            tagged.retain(|(_, field, value)| **value != field.default);
            tagged.sort_by_key(|(tag, ..)| *tag);
            self.uvarint(tagged.len() as u32);
            for (tag, field, value) in tagged {
                self.uvarint(tag);
                let before = std::mem::take(&mut self.out);
                self.field(field, value)?;
                let inner = std::mem::replace(&mut self.out, before);
                self.uvarint(inner.len() as u32);
                self.out.extend(inner);
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, value: &Value) -> Result<(), NullNotAllowed> {
        let nullable = field.null.has(self.version);
        if *value == Value::Null && !nullable {
            return Err(NullNotAllowed);
        }
        self.value(&field.kind, value, nullable, self.flexible && !field.plain)
    }

    fn value(&mut self, kind: &Kind, value: &Value, nullable: bool, compact: bool) -> Result<(), NullNotAllowed> {
        match (kind, value) {
            (Kind::Bool, Value::Bool(value)) => self.out.push(u8::from(*value)),
            (Kind::Int(size), Value::Int(value)) => self.out.extend(&value.to_be_bytes()[8 - size..]),
            (Kind::Unsigned, Value::Int(value)) => self.out.extend(&value.to_be_bytes()[6..]),
            (Kind::Uuid, Value::Uuid(value)) => self.out.extend(value),
            (Kind::Text, Value::Null) => self.length(-1, compact, false),
            (Kind::Text, Value::Text(value)) => {
                self.length(value.len() as i64, compact, false);
                self.out.extend(value.as_bytes());
            }
            (Kind::Bytes | Kind::Array(_), Value::Null) => self.length(-1, compact, true),
            (Kind::Bytes, Value::Bytes(value)) => {
                self.length(value.len() as i64, compact, true);
                self.out.extend(value);
            }
            (Kind::Array(kind), Value::Array(values)) => self.array(kind, values, compact)?,
            (Kind::Struct(_), Value::Null) => self.out.push(0xff),
            (Kind::Struct(fields), value) => {
                if nullable {
                    self.out.push(1);
                }
                self.fields(fields, value)?;
            }
            _ => panic!("{value:?} is of another kind"),
        }
        Ok(())
    }

    fn array(&mut self, kind: &Kind, values: &[Value], compact: bool) -> Result<(), NullNotAllowed> {
        let array = self.arrays;
        self.arrays += 1;
        let most = |bytes: usize| (bytes / bytes_min(kind, self.version, self.flexible)) as i64;
        match self.claim {
            Some(Claim::One { array: claimer, count }) if claimer == array => self.length(count, compact, true),
            Some(Claim::Every { bytes }) => self.length(most(bytes), compact, true),
            Some(Claim::Filled { array: claimer, filler_bytes, filler }) if claimer == array => {
                self.length(most(filler_bytes), compact, true);
                self.out.resize(self.out.len() + filler_bytes, filler);
                return Ok(());
            }
            _ => self.length(values.len() as i64, compact, true),
        }
        values.iter().try_for_each(|value| self.value(kind, value, false, compact))
    }

    fn length(&mut self, length: i64, compact: bool, wide: bool) {
        match (compact, wide) {
            (true, _) => self.uvarint((length + 1) as u32),
            (false, true) => self.out.extend((length as i32).to_be_bytes()),
            (false, false) => self.out.extend((length as i16).to_be_bytes()),
        }
    }

    fn uvarint(&mut self, mut value: u32) {
        while value > 0x7f {
            self.out.push(0x80 | (value & 0x7f) as u8);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

/// The fewest bytes that a value of this kind takes.
fn bytes_min(kind: &Kind, version: i16, flexible: bool) -> usize {
    match kind {
        Kind::Bool => 1,
        Kind::Int(size) => *size,
        Kind::Unsigned => 2,
        Kind::Uuid => 16,
        Kind::Text if !flexible => 2,
        Kind::Bytes | Kind::Array(_) if !flexible => 4,
        Kind::Text | Kind::Bytes | Kind::Array(_) => 1,
        Kind::Struct(fields) => {
            let plain = fields.iter().filter(|field| field.versions.has(version) && field.tag.is_none());
            plain.map(|field| bytes_min(&field.kind, version, flexible)).sum::<usize>() + usize::from(flexible)
        }
    }
}

/// Reads values by their schema; the bytes are known to be good.
struct Decoder<'a> {
    bytes: &'a [u8],
    version: i16,
    flexible: bool,
}

/// The value of `bytes` in `version`.
pub fn decode(schema: &Schema, bytes: &[u8], version: i16) -> Value {
    let mut decoder = Decoder { bytes, version, flexible: schema.flexible.has(version) };
    let value = decoder.fields(&schema.fields);
    assert!(decoder.bytes.is_empty(), "bytes behind the message");
    value
}

impl<'a> Decoder<'a> {
    fn fields(&mut self, fields: &[Field]) -> Value {
        let mut values: Vec<Value> = fields.iter().map(|field| field.default.clone()).collect();
        for (field, value) in fields.iter().zip(&mut values) {
            if field.versions.has(self.version) && field.tag.is_none() {
                *value = self.field(field);
            }
        }
        if self.flexible {
            for _ in 0..self.uvarint() {
                let tag = self.uvarint();
                let size = self.uvarint() as usize;
                let rest = self.bytes[size..].as_ref();
                self.bytes = &self.bytes[..size];
                let index = fields.iter().position(|field| field.tag == Some(tag)).expect("a known tag");
                values[index] = self.field(&fields[index]);
                assert_ne!(values[index], fields[index].default, "a tagged field that could be left out");
                assert!(self.bytes.is_empty(), "bytes behind a tagged field");
                self.bytes = rest;
            }
        }
        Value::Struct(values)
    }

    fn field(&mut self, field: &Field) -> Value {
        let nullable = field.null.has(self.version);
        let value = self.value(&field.kind, nullable, self.flexible && !field.plain);
        assert!(nullable || value != Value::Null, "null {}", field.name);
        value
    }

    fn value(&mut self, kind: &Kind, nullable: bool, compact: bool) -> Value {
        match kind {
            Kind::Bool => Value::Bool(self.take(1) == [1]),
            Kind::Int(size) => Value::Int(self.signed(*size)),
            Kind::Unsigned => Value::Int(self.signed(2) & 0xffff),
            Kind::Uuid => Value::Uuid(self.take(16).try_into().expect("16 bytes")),
            Kind::Text => match self.length(compact, 2) {
                None => Value::Null,
                Some(length) => Value::Text(String::from_utf8(self.take(length).to_vec()).expect("UTF-8")),
            },
            Kind::Bytes => match self.length(compact, 4) {
                None => Value::Null,
                Some(length) => Value::Bytes(self.take(length).to_vec()),
            },
            Kind::Array(kind) => match self.length(compact, 4) {
                None => Value::Null,
                Some(length) => Value::Array((0..length).map(|_| self.value(kind, false, compact)).collect()),
            },
            Kind::Struct(_) if nullable && self.take(1) == [0xff] => Value::Null,
            Kind::Struct(fields) => self.fields(fields),
        }
    }

    fn length(&mut self, compact: bool, size: usize) -> Option<usize> {
        let length = if compact { i64::from(self.uvarint()) - 1 } else { self.signed(size) };
        usize::try_from(length).ok()
    }

    fn signed(&mut self, size: usize) -> i64 {
        let unsigned = self.take(size).iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        let shift = 64 - 8 * size;
        (unsigned << shift) as i64 >> shift
    }

    fn uvarint(&mut self) -> u32 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.take(1)[0];
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        head
    }
}
