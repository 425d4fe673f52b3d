//! Values to try a message with: one field at a time at its bounds, and at random.

use crate::facts::{Field, Kind, Range, Schema};
use crate::value::Value;

/// A seeded source of numbers (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// What a field is set to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    /// Small, not the default: text and arrays of length 1.
    Small,
    Minimum,
    Maximum,
    /// Numbers that a declaration may wrongly take for a tagged field's default.
    Zero,
    MinusOne,
    Null,
    Empty,
    /// A tagged field is left out.
    Default,
}

impl Variant {
    const ALL: [Variant; 7] = [
        Variant::Minimum,
        Variant::Maximum,
        Variant::Zero,
        Variant::MinusOne,
        Variant::Null,
        Variant::Empty,
        Variant::Default,
    ];
}

/// Longest text that Kafka reads.
const TEXT_BYTES_MAX: usize = 32_767;
/// Long enough to be shared with the request's buffer.
const BYTES_MAX: usize = 70_000;
/// A count of two bytes in compact form.
const ELEMENTS_MAX: usize = 150;

/// Each field in each variant, the others small.
pub fn probes(schema: &Schema, version: i16) -> Vec<Value> {
    let mut plain = Probe { version, target: usize::MAX, variant: Variant::Small, seen: 0, applied: false };
    let mut all = vec![plain.fields(&schema.fields)];
    for variant in Variant::ALL {
        for target in 0..plain.seen {
            let mut probe = Probe { version, target, variant, seen: 0, applied: false };
            let value = probe.fields(&schema.fields);
            if probe.applied {
                all.push(value);
            }
        }
    }
    all
}

/// All fields small.
pub fn small(schema: &Schema, version: i16) -> Value {
    Probe { version, target: usize::MAX, variant: Variant::Small, seen: 0, applied: false }.fields(&schema.fields)
}

struct Probe {
    version: i16,
    /// Which field is set to `variant`, counted in the order of writing.
    target: usize,
    variant: Variant,
    seen: usize,
    applied: bool,
}

impl Probe {
    fn fields(&mut self, fields: &[Field]) -> Value {
        Value::Struct(fields.iter().map(|field| self.field(field)).collect())
    }

    fn field(&mut self, field: &Field) -> Value {
        if !field.versions.has(self.version) {
            return field.default.clone();
        }
        let at_target = self.seen == self.target;
        self.seen += 1;
        if !at_target {
            return self.value(&field.kind, Variant::Small, field.null);
        }
        self.applied = match self.variant {
            Variant::Null => field.null.has(self.version),
            Variant::Empty => matches!(field.kind, Kind::Text | Kind::Bytes | Kind::Array(_)),
            Variant::Minimum | Variant::Maximum => true,
            Variant::Zero | Variant::MinusOne => matches!(field.kind, Kind::Int(_)),
            Variant::Small => false,
            Variant::Default => !field.null.has(self.version) || field.default != Value::Null,
        };
        if !self.applied {
            return self.value(&field.kind, Variant::Small, field.null);
        }
        if self.variant == Variant::Default {
            return field.default.clone();
        }
        self.value(&field.kind, self.variant, field.null)
    }

    fn value(&mut self, kind: &Kind, variant: Variant, null: Range) -> Value {
        if variant == Variant::Null && null.has(self.version) {
            return Value::Null;
        }
        match kind {
            Kind::Bool => Value::Bool(variant != Variant::Minimum),
            Kind::Int(size) => Value::Int(match variant {
                Variant::Minimum => i64::MIN >> (64 - 8 * size),
                Variant::Maximum => i64::MAX >> (64 - 8 * size),
                Variant::Zero => 0,
                Variant::MinusOne => -1,
                _ => 7,
            }),
            Kind::Unsigned => Value::Int(match variant {
                Variant::Minimum => 0,
                Variant::Maximum => 0xffff,
                _ => 7,
            }),
            Kind::Uuid => Value::Uuid(match variant {
                Variant::Minimum => [0; 16],
                Variant::Maximum => [0xff; 16],
                _ => [7; 16],
            }),
            Kind::Text => Value::Text(match variant {
                Variant::Maximum => "\u{20ac}".repeat(TEXT_BYTES_MAX / 3) + "x",
                Variant::Small => "a".to_owned(),
                _ => String::new(),
            }),
            Kind::Bytes => Value::Bytes(match variant {
                Variant::Maximum => vec![0xa5; BYTES_MAX],
                Variant::Small => vec![0],
                _ => Vec::new(),
            }),
            Kind::Array(kind) => {
                let count = match variant {
                    Variant::Empty => 0,
                    Variant::Maximum => ELEMENTS_MAX,
                    _ => 1,
                };
                Value::Array((0..count).map(|_| self.element(kind, variant)).collect())
            }
            Kind::Struct(fields) => self.fields(fields),
        }
    }

    fn element(&mut self, kind: &Kind, variant: Variant) -> Value {
        match kind {
            // So many of the longest texts would only cost time.
            Kind::Text => self.value(kind, Variant::Small, Range::NONE),
            _ => self.value(kind, variant, Range::NONE),
        }
    }
}

/// A random value.
pub fn random(schema: &Schema, version: i16, random: &mut Random) -> Value {
    random_fields(&schema.fields, version, random)
}

fn random_fields(fields: &[Field], version: i16, random: &mut Random) -> Value {
    Value::Struct(fields.iter().map(|field| random_field(field, version, random)).collect())
}

fn random_field(field: &Field, version: i16, random: &mut Random) -> Value {
    if !field.versions.has(version) || (field.tag.is_some() && random.one_in(2)) {
        return field.default.clone();
    }
    if field.null.has(version) && random.one_in(4) {
        return Value::Null;
    }
    random_value(&field.kind, version, random)
}

fn random_value(kind: &Kind, version: i16, random: &mut Random) -> Value {
    match kind {
        Kind::Bool => Value::Bool(random.one_in(2)),
        Kind::Int(size) => {
            let wide = random.next() as i64 >> (64 - 8 * size);
            Value::Int(if random.one_in(2) { wide } else { wide % 3 })
        }
        Kind::Unsigned => Value::Int(random.below(0x1_0000) as i64),
        Kind::Uuid => {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&random.next().to_be_bytes());
            Value::Uuid(bytes)
        }
        Kind::Text => {
            let letters = ['a', '.', '\0', '\u{e4}', '\u{20ac}', '\u{1f600}'];
            let count = if random.one_in(50) { 200 } else { random.below(6) };
            Value::Text((0..count).map(|_| letters[random.below(letters.len())]).collect())
        }
        Kind::Bytes => {
            let count = if random.one_in(50) { 9_000 } else { random.below(20) };
            Value::Bytes((0..count).map(|_| random.next() as u8).collect())
        }
        Kind::Array(kind) => {
            let count = random.below(4);
            Value::Array((0..count).map(|_| random_value(kind, version, random)).collect())
        }
        Kind::Struct(fields) => random_fields(fields, version, random),
    }
}
