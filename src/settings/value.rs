//! A key's text into its value, refused in the words Kafka's clients know.
//!
//! Kafka trims every text, takes booleans in any case, drops repeated elements of a list and shows the value it understood,
//! not the text it was given (`ConfigDef.parseType`).

use std::fmt;

use crate::settings::row::{Kind, Row, Valid};

/// The value of a key.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Boolean(bool),
    /// A short, int or long.
    Number(i64),
    Double(f64),
    /// A string, class name or password.
    Text(String),
    List(Vec<String>),
}

impl Value {
    /// The value as Kafka writes it; none for `Null`.
    pub fn text(&self) -> Option<String> {
        (*self != Value::Null).then(|| self.to_string())
    }

    /// # Panics
    /// If the key is no boolean.
    pub fn boolean(&self) -> bool {
        match self {
            Value::Boolean(value) => *value,
            _ => panic!("the value is no boolean"),
        }
    }

    /// # Panics
    /// If the key is no number, or not set.
    pub fn long(&self) -> i64 {
        match self {
            Value::Number(value) => *value,
            _ => panic!("the value is no number"),
        }
    }

    /// # Panics
    /// If the key is no short or int, or not set.
    pub fn int(&self) -> i32 {
        i32::try_from(self.long()).expect("values of int keys are checked when they are parsed")
    }

    /// # Panics
    /// If the key is no double.
    pub fn double(&self) -> f64 {
        match self {
            Value::Double(value) => *value,
            _ => panic!("the value is no double"),
        }
    }

    /// # Panics
    /// If the key is no string.
    pub fn string(&self) -> &str {
        match self {
            Value::Text(value) => value,
            _ => panic!("the value is no string"),
        }
    }

    /// # Panics
    /// If the key is no list.
    pub fn list(&self) -> &[String] {
        match self {
            Value::List(values) => values,
            Value::Null => &[],
            _ => panic!("the value is no list"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Boolean(value) => value.fmt(f),
            Value::Number(value) => value.fmt(f),
            Value::Double(value) => f.write_str(&java_double(*value)),
            Value::Text(value) => value.fmt(f),
            Value::List(values) => values.join(",").fmt(f),
        }
    }
}

/// A double as Java prints it: `0.5`, `1.7976931348623157E308`.
fn java_double(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// Why a value or a name is refused. The texts are Kafka's.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Fault {
    #[error("Unknown topic config name: {name}")]
    UnknownTopicConfig { name: String },
    #[error("Unknown group config name: {name}")]
    UnknownGroupConfig { name: String },
    #[error("Invalid value {value} for configuration {name}: {why}")]
    Invalid { name: String, value: String, why: String },
    #[error("Configuration '{name}' must not be empty. Valid values include: {valid}")]
    EmptyList { name: String, valid: String },
    #[error("Configuration '{name}' values must not be empty.")]
    EmptyElement { name: String },
    #[error("conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})")]
    CompactionLags { min: i64, max: i64 },
    #[error(
        "durability.mode=os with durability.visibility=durable would show consumers nothing: no sync ever covers the data"
    )]
    NeverVisible,
    #[error(
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
    )]
    TieredStorage,
}

/// The value that `text` means for the key.
///
/// # Errors
/// As Kafka refuses it.
pub fn parse(row: &Row, text: &str) -> Result<Value, Fault> {
    let text = text.trim();
    let invalid = |why: &str| Fault::Invalid { name: row.name.into(), value: text.into(), why: why.into() };
    let value = match row.kind {
        Kind::Boolean => match text {
            _ if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
            _ if text.eq_ignore_ascii_case("false") => Value::Boolean(false),
            _ => return Err(invalid("Expected value to be either true or false")),
        },
        Kind::Short => number::<i16>(text).ok_or_else(|| invalid("Not a number of type SHORT"))?,
        Kind::Int => number::<i32>(text).ok_or_else(|| invalid("Not a number of type INT"))?,
        Kind::Long => number::<i64>(text).ok_or_else(|| invalid("Not a number of type LONG"))?,
        Kind::Double => double(text).ok_or_else(|| invalid("Not a number of type DOUBLE"))?,
        Kind::String | Kind::Class | Kind::Password => Value::Text(text.into()),
        Kind::List => Value::List(split(text)),
    };
    check(row, value)
}

fn number<N: std::str::FromStr + Into<i64>>(text: &str) -> Option<Value> {
    text.parse::<N>().ok().map(|number| Value::Number(number.into()))
}

/// Java allows a `d` or `f` behind the digits. NaN and the infinities are never meant.
fn double(text: &str) -> Option<Value> {
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    digits.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::Double)
}

/// The elements of a list, trimmed. An empty text is an empty list.
pub(crate) fn split(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    text.split(',').map(|element| element.trim().to_string()).collect()
}

fn check(row: &Row, value: Value) -> Result<Value, Fault> {
    let invalid = |why: String| Fault::Invalid { name: row.name.into(), value: value.to_string(), why };
    match (row.valid, &value) {
        (Valid::AtLeast(min), Value::Number(n)) => within(*n, min, i64::MAX).map_err(invalid)?,
        (Valid::Between(min, max), Value::Number(n)) => within(*n, min, max).map_err(invalid)?,
        (Valid::Ratio(min, _), Value::Double(n)) if *n < min => {
            return Err(invalid(format!("Value must be at least {min}")));
        }
        (Valid::Ratio(_, max), Value::Double(n)) if *n > max => {
            return Err(invalid(format!("Value must be no more than {max}")));
        }
        (Valid::GzipLevel, Value::Number(n)) if *n != -1 && !(1..=9).contains(n) => {
            return Err(invalid("Value must be between 1 and 9 or equal to -1".into()));
        }
        (Valid::OneOf(names), Value::Text(text)) if !names.contains(&text.as_str()) => {
            return Err(invalid(format!("String must be one of: {}", names.join(", "))));
        }
        (Valid::OneOfAnyCase(names), Value::Text(text)) if !names.iter().any(|n| n.eq_ignore_ascii_case(text)) => {
            return Err(invalid(format!("String must be one of (case insensitive): {}", names.join(", "))));
        }
        (Valid::ShareOffsetReset, Value::Text(text)) if !is_share_offset_reset(text) => {
            return Err(invalid(
                "Invalid value for configuration: must be latest, earliest or by_duration:PnDTnHnMn.nS".into(),
            ));
        }
        (Valid::ThrottledReplicas, Value::List(replicas)) if !are_throttled_replicas(replicas) => {
            let why = format!(
                "{} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                row.name
            );
            let value = format!("[{}]", replicas.join(", "));
            return Err(Fault::Invalid { name: row.name.into(), value, why });
        }
        _ => {}
    }
    match (row.valid, value) {
        (Valid::ListOf(names), Value::List(elements)) => check_list(row, names, elements, true),
        (Valid::FilledListOf(names), Value::List(elements)) => check_list(row, names, elements, false),
        (_, value) => Ok(value),
    }
}

fn within(number: i64, min: i64, max: i64) -> Result<(), String> {
    if number < min {
        return Err(format!("Value must be at least {min}"));
    }
    if number > max {
        return Err(format!("Value must be no more than {max}"));
    }
    Ok(())
}

fn check_list(row: &Row, names: &[&str], elements: Vec<String>, may_be_empty: bool) -> Result<Value, Fault> {
    if elements.is_empty() && !may_be_empty {
        let valid =
            if names.is_empty() { "any non-empty value".to_string() } else { format!("[{}]", names.join(", ")) };
        return Err(Fault::EmptyList { name: row.name.into(), valid });
    }
    let mut seen: Vec<String> = Vec::new();
    for element in elements {
        if element.is_empty() {
            return Err(Fault::EmptyElement { name: row.name.into() });
        }
        if !names.is_empty() && !names.contains(&element.as_str()) {
            let why = format!("String must be one of: {}", names.join(", "));
            return Err(Fault::Invalid { name: row.name.into(), value: element, why });
        }
        if !seen.contains(&element) {
            seen.push(element);
        }
    }
    Ok(Value::List(seen))
}

fn are_throttled_replicas(replicas: &[String]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_pair = |pair: &String| pair.split_once(':').is_some_and(|(p, b)| is_number(p) && is_number(b));
    replicas.iter().all(is_pair) || matches!(replicas, [star] if star == "*")
}

fn is_share_offset_reset(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text == "latest"
        || text == "earliest"
        || text.strip_prefix("by_duration:p").is_some_and(|rest| {
            rest.bytes().any(|byte| byte.is_ascii_digit())
                && rest.bytes().all(|byte| byte.is_ascii_digit() || b"dthms.".contains(&byte))
        })
}

/// What the key takes, for a person: `an integer of at least 1`.
pub fn expectation(row: &Row) -> String {
    let kind = match row.kind {
        Kind::Boolean => "true or false",
        Kind::Short | Kind::Int | Kind::Long => "an integer",
        Kind::Double => "a number",
        Kind::List => "a comma-separated list",
        Kind::String | Kind::Class | Kind::Password => "a text",
    };
    let bound = match (row.kind, row.valid) {
        (_, Valid::AtLeast(min)) => format!(" of at least {min}"),
        (_, Valid::Between(min, max)) => format!(" from {min} to {max}"),
        (_, Valid::Ratio(min, max)) if max < f64::MAX => format!(" from {min} to {max}"),
        (_, Valid::Ratio(min, _)) => format!(" of at least {min}"),
        (_, Valid::GzipLevel) => " from 1 to 9, or -1".into(),
        (_, Valid::OneOf(names) | Valid::OneOfAnyCase(names)) => return format!("one of {}", names.join(", ")),
        (_, Valid::ListOf(names) | Valid::FilledListOf(names)) if !names.is_empty() => {
            format!(" of {}", names.join(", "))
        }
        (_, Valid::ThrottledReplicas) => " of partition:broker pairs, or *".into(),
        (_, Valid::ShareOffsetReset) => return "latest, earliest or by_duration:P1DT2H".into(),
        (Kind::Short, _) => format!(" from {} to {}", i16::MIN, i16::MAX),
        (Kind::Int, _) => format!(" from {} to {}", i32::MIN, i32::MAX),
        _ => String::new(),
    };
    format!("{kind}{bound}")
}
