//! The facts of Kafka's schemas, as `derive.py` wrote them down.

use serde_json::Value as Json;

use crate::value::Value;

/// Versions from the first to the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    pub from: i16,
    pub to: i16,
}

impl Range {
    pub const NONE: Range = Range { from: 0, to: -1 };

    /// Reads `3+`, `3-7`, `3` or `none`.
    fn parse(text: &str) -> Range {
        let number = |text: &str| text.parse().expect("a version");
        if text == "none" {
            return Range::NONE;
        }
        match (text.strip_suffix('+'), text.split_once('-')) {
            (Some(from), _) => Range { from: number(from), to: i16::MAX },
            (None, Some((from, to))) => Range { from: number(from), to: number(to) },
            (None, None) => Range { from: number(text), to: number(text) },
        }
    }

    pub fn has(self, version: i16) -> bool {
        self.from <= version && version <= self.to
    }
}

/// A message.
pub struct Schema {
    pub name: String,
    pub versions: Range,
    pub flexible: Range,
    pub fields: Vec<Field>,
}

/// A field of a message or struct.
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub versions: Range,
    pub null: Range,
    pub tag: Option<u32>,
    /// Never in compact form, even in a flexible version.
    pub plain: bool,
    pub default: Value,
}

/// The type of a field.
pub enum Kind {
    Bool,
    /// A whole number of so many bytes.
    Int(usize),
    /// Two bytes without a sign.
    Unsigned,
    Uuid,
    Text,
    /// Bytes and records are written alike.
    Bytes,
    Array(Box<Kind>),
    Struct(Vec<Field>),
}

/// The field whose default is null here, though the schema says the empty text: Kafka's handler always sets it, to null unless asked.
const NULL_BY_DEFAULT: (&str, &str) = ("DescribeConfigsResponse", "Documentation");

/// Every message compared.
pub fn schemas() -> Vec<Schema> {
    let all: Json = serde_json::from_str(include_str!("schemas.json")).expect("derive.py writes JSON");
    all.as_array().expect("a list").iter().map(schema).collect()
}

/// Key, name and served versions of every API of Kafka 4.4.
pub fn api_keys() -> Vec<(i16, String, Range)> {
    let all: Vec<(i16, String, String)> =
        serde_json::from_str(include_str!("api_keys.json")).expect("derive.py writes JSON");
    all.into_iter().map(|(key, name, versions)| (key, name, Range::parse(&versions))).collect()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("{key} in {json}"))
}

fn schema(json: &Json) -> Schema {
    let name = text(json, "name").to_owned();
    let fields = fields(json, &name);
    Schema {
        versions: Range::parse(text(json, "versions")),
        flexible: Range::parse(text(json, "flexible")),
        fields,
        name,
    }
}

fn fields(json: &Json, message: &str) -> Vec<Field> {
    json["fields"].as_array().expect("fields").iter().map(|json| field(json, message)).collect()
}

fn field(json: &Json, message: &str) -> Field {
    let kind = kind(text(json, "type"), json, message);
    let name = text(json, "name").to_owned();
    let default = if (message, name.as_str()) == NULL_BY_DEFAULT {
        Value::Null
    } else {
        default(&kind, json["default"].as_str())
    };
    let tag = json["tag"].as_u64().map(|tag| u32::try_from(tag).expect("a tag"));
    assert!(tag.is_none() || json["tagged"] == json["versions"], "{name} is tagged in some versions only");
    let null = json["null"].as_str().map_or(Range::NONE, Range::parse);
    let versions = Range::parse(text(json, "versions"));
    Field { kind, versions, null, tag, plain: json["plain"] == true, default, name }
}

fn kind(of: &str, json: &Json, message: &str) -> Kind {
    if let Some(element) = of.strip_prefix("[]") {
        return Kind::Array(Box::new(kind(element, json, message)));
    }
    match of {
        "bool" => Kind::Bool,
        "int8" => Kind::Int(1),
        "int16" => Kind::Int(2),
        "int32" => Kind::Int(4),
        // A double is eight bytes, whatever they mean.
        "int64" | "float64" => Kind::Int(8),
        "uint16" => Kind::Unsigned,
        "uuid" => Kind::Uuid,
        "string" => Kind::Text,
        "bytes" | "records" => Kind::Bytes,
        _ => Kind::Struct(fields(json, message)),
    }
}

fn default(kind: &Kind, given: Option<&str>) -> Value {
    match (kind, given) {
        (_, Some("null")) => Value::Null,
        (Kind::Bool, given) => Value::Bool(given == Some("true")),
        (Kind::Int(_) | Kind::Unsigned, None) => Value::Int(0),
        (Kind::Int(_) | Kind::Unsigned, Some(given)) => Value::Int(match given.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).expect("a number"),
            None => given.parse().expect("a number"),
        }),
        (Kind::Uuid, _) => Value::Uuid([0; 16]),
        (Kind::Text, given) => Value::Text(given.unwrap_or_default().to_owned()),
        (Kind::Bytes, _) => Value::Bytes(Vec::new()),
        (Kind::Array(_), _) => Value::Array(Vec::new()),
        (Kind::Struct(fields), _) => Value::Struct(fields.iter().map(|field| field.default.clone()).collect()),
    }
}
