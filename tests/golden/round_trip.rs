//! Every message in every version served: what Kafka's schema writes we read, and write again to the same bytes.

use bytes::Bytes;
use klamm::wire::ApiKey;

use crate::bridge::{Row, rows};
use crate::facts::{Range, Schema, api_keys, schemas};
use crate::generate::{Random, probes, random};
use crate::value::{Value, decode, encode};

/// Random messages for each message and version.
const RANDOM_MESSAGES: u64 = 200;
/// Every truncation is tried of messages up to this length, and of longer ones as many cuts.
const CUTS_MAX: usize = 120;
/// Truncations are tried of every so many-th random message.
const CUT_EVERY: u64 = 10;

/// Calls `check` with each row, its schema and each version served.
pub fn for_each_version(mut check: impl FnMut(&Row, &Schema, i16)) {
    let schemas = schemas();
    for row in rows() {
        let schema = schemas.iter().find(|schema| schema.name == row.name).expect("every message has a schema");
        for version in row.served.clone() {
            check(&row, schema, version);
        }
    }
}

/// Reads and writes one value in one version; `case` says which, for the failure.
fn check(row: &Row, schema: &Schema, version: i16, value: &Value, case: &str) -> Bytes {
    let name = row.name;
    let theirs = Bytes::from(encode(schema, value, version).expect("a legal value"));
    assert_eq!(&decode(schema, &theirs, version), value, "{name} v{version} {case}: the oracle contradicts itself");
    let ours = (row.recode)(theirs.clone(), version, version)
        .unwrap_or_else(|error| panic!("{name} v{version} {case}: {error}\n{value:?}"));
    assert!(ours == theirs, "{name} v{version} {case}:\n{value:?}\nours   {ours:?}\ntheirs {theirs:?}");
    assert_eq!(&decode(schema, &ours, version), value, "{name} v{version} {case}");
    theirs
}

/// Every truncation is refused, and so is a byte too many.
fn check_bounds(row: &Row, version: i16, bytes: &Bytes, random: &mut Random) {
    let name = row.name;
    let refused = |cut: usize| {
        assert!((row.decode)(bytes.slice(..cut), version).is_err(), "{name} v{version}: cut at {cut} of {bytes:?}");
    };
    if bytes.len() <= CUTS_MAX {
        (0..bytes.len()).for_each(refused);
    } else {
        (0..CUTS_MAX).for_each(|_| refused(random.below(bytes.len())));
    }
    let longer = [bytes, [0].as_slice()].concat().into();
    (row.decode)(longer, version).expect_err("a byte behind the message");
}

fn check_random(row: &Row, schema: &Schema, version: i16, seed: u64) {
    let mut source = Random(seed);
    for round in 0..RANDOM_MESSAGES {
        let value = random(schema, version, &mut source);
        let bytes = check(row, schema, version, &value, &format!("seed {seed} round {round}"));
        if round % CUT_EVERY == 0 {
            check_bounds(row, version, &bytes, &mut source);
        }
    }
}

/// A new seed for each run, printed.
pub fn new_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let seed = RandomState::new().hash_one(0);
    println!("seed {seed}");
    seed
}

#[test]
fn each_field_at_its_bounds_comes_back_the_same() {
    let mut source = Random(1);
    for_each_version(|row, schema, version| {
        for value in probes(schema, version) {
            let bytes = check(row, schema, version, &value, "probe");
            check_bounds(row, version, &bytes, &mut source);
        }
    });
}

#[test]
fn random_messages_come_back_the_same() {
    let seed = new_seed();
    for_each_version(|row, schema, version| check_random(row, schema, version, seed));
}

/// To look at a failure again: the seed that it printed.
#[test]
fn replay_one_seed() {
    const SEED: u64 = 1;
    let only = |row: &Row, version: i16| row.name == "FetchResponse" && version == 12;
    for_each_version(|row, schema, version| {
        if only(row, version) {
            check_random(row, schema, version, SEED);
        }
    });
}

/// Read in one version and written in another, a field that the first lacks has the schema's default.
#[test]
fn absent_fields_read_as_their_defaults() {
    let seed = new_seed();
    let mut source = Random(seed);
    for_each_version(|row, schema, from| {
        for to in row.served.clone() {
            let value = random(schema, from, &mut source);
            // What is null in the one version may not be in the other.
            let Ok(expected) = encode(schema, &value, to) else { continue };
            let bytes = Bytes::from(encode(schema, &value, from).expect("a legal value"));
            let ours = (row.recode)(bytes, from, to).expect("a legal message");
            assert_eq!(ours, expected, "{} v{from} to v{to} seed {seed}\n{value:?}", row.name);
        }
    });
}

#[test]
fn null_is_refused_where_the_version_has_none() {
    for_each_version(|row, schema, version| {
        let lenient = Schema {
            name: schema.name.clone(),
            versions: schema.versions,
            flexible: schema.flexible,
            fields: everything_nullable(&schema.fields),
        };
        for value in probes(&lenient, version) {
            let legal = encode(schema, &value, version).is_ok();
            let bytes = Bytes::from(encode(&lenient, &value, version).expect("everything is nullable"));
            assert_eq!((row.decode)(bytes, version).is_ok(), legal, "{} v{version}\n{value:?}", row.name);
        }
    });
}

/// The same fields with text, bytes and arrays nullable in every version.
fn everything_nullable(fields: &[crate::facts::Field]) -> Vec<crate::facts::Field> {
    use crate::facts::{Field, Kind};
    let kind = |kind: &Kind| -> Kind { nullable_inside(kind) };
    let made = fields.iter().map(|field| Field {
        name: field.name.clone(),
        kind: kind(&field.kind),
        versions: field.versions,
        null: match field.kind {
            Kind::Text | Kind::Bytes | Kind::Array(_) => Range { from: 0, to: i16::MAX },
            _ => field.null,
        },
        tag: field.tag,
        plain: field.plain,
        default: field.default.clone(),
    });
    made.collect()
}

fn nullable_inside(kind: &crate::facts::Kind) -> crate::facts::Kind {
    use crate::facts::Kind;
    match kind {
        Kind::Bool => Kind::Bool,
        Kind::Int(size) => Kind::Int(*size),
        Kind::Unsigned => Kind::Unsigned,
        Kind::Uuid => Kind::Uuid,
        Kind::Text => Kind::Text,
        Kind::Bytes => Kind::Bytes,
        Kind::Array(kind) => Kind::Array(Box::new(nullable_inside(kind))),
        Kind::Struct(fields) => Kind::Struct(everything_nullable(fields)),
    }
}

#[test]
fn served_versions_are_kafkas() {
    let keys = api_keys();
    for row in rows() {
        let Some(key) = row.key else { continue };
        let (_, name, versions) = keys.iter().find(|(number, ..)| *number == key).expect("a known key");
        assert_eq!(format!("{name}Request"), row.name);
        assert_eq!(row.served, versions.from..=versions.to, "{name}");
    }
}

/// What the API table serves is what this file compares.
#[test]
fn the_api_table_serves_these_versions() {
    let compared: Vec<(i16, i16, i16)> =
        rows().iter().filter_map(|row| Some((row.key?, *row.served.start(), *row.served.end()))).collect();
    let mut served: Vec<(i16, i16, i16)> =
        klamm::api::TABLE.iter().map(|row| (row.key.as_i16(), row.served.0, row.served.1)).collect();
    assert!(compared.is_sorted(), "rows rise by key");
    served.sort_unstable();
    assert_eq!(served, compared);
}

#[test]
fn flexible_from_is_the_schemas() {
    for_each_version(|row, schema, version| {
        assert_eq!(version >= row.flexible_from, schema.flexible.has(version), "{} v{version}", row.name);
        assert!(schema.versions.has(version), "{} v{version}", row.name);
    });
}

#[test]
fn api_keys_are_kafkas() {
    let theirs: Vec<(i16, String)> = api_keys().into_iter().map(|(key, name, _)| (key, name)).collect();
    let ours: Vec<(i16, String)> = ApiKey::ALL.iter().map(|key| (key.as_i16(), key.name().to_owned())).collect();
    assert_eq!(ours, theirs);
}
