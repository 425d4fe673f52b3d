//! A TOML file into keys and values, with the line and column of each.
//!
//! Names are Kafka's. `log.retention.ms = 1000`, `"log.retention.ms" = 1000` and `retention.ms = 1000` below `[log]` are the same.
//! In TOML a key that is the beginning of another (`max.connections`, `max.connections.per.ip`) cannot be written unquoted
//! beside it; the finding says so.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::names::is_prefix_of_others;
use crate::settings::{Finding, Given, Source};

/// True if the text is TOML without an error.
pub fn is_toml(text: &str) -> bool {
    DeTable::parse(text).is_ok()
}

/// Every key of the text, in the order of their names, and everything that is wrong with its form.
pub fn read(text: &str, path: &Arc<Path>) -> (Vec<Given>, Vec<Finding>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, path, given: BTreeMap::new(), findings: Vec::new() };
    for error in errors {
        reader.syntax(error.message(), error.span());
    }
    reader.table("", table.get_ref());
    (reader.given.into_values().collect(), reader.findings)
}

struct Reader<'a> {
    text: &'a str,
    path: &'a Arc<Path>,
    given: BTreeMap<String, Given>,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn table(&mut self, above: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
            match value.get_ref() {
                DeValue::Table(inner) => self.table(&name, inner),
                _ => self.value(name, key.span(), value),
            }
        }
    }

    fn value(&mut self, name: String, at: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let source = self.source(at.start);
        let Some(value) = plain(value.get_ref()) else {
            self.findings.push(Finding {
                key: name,
                value: None,
                source,
                reason: "dates, nested lists and texts with a comma inside a list mean nothing here".into(),
                remedy: "Give a text, a number, true or false, or a list of them".into(),
            });
            return;
        };
        if let Some(before) = self.given.get(&name) {
            let (first, second) = ordered(before.source.clone(), source);
            self.findings.push(Finding {
                key: name,
                value: None,
                source: second,
                reason: format!("the key is there twice, first at {first}"),
                remedy: "Remove one".into(),
            });
            return;
        }
        self.given.insert(name.clone(), Given { name, value, source });
    }

    fn syntax(&mut self, message: &str, span: Option<Range<usize>>) {
        let at = span.clone().map_or(0, |span| span.start);
        let key = self.key_of_line(at);
        let conflict = message.contains("duplicate key") || message.contains("extend") || message.contains("redefin");
        let remedy = match &key {
            Some(key) if conflict && !key.starts_with('[') => {
                let shorter = shortest_conflict(key);
                format!(
                    "If it is the beginning of other keys or others are the beginning of it, quote them: \"{shorter}\" = ..."
                )
            }
            _ if conflict => "Write this table's keys out as quoted dotted keys: \"log.retention.ms\" = ...".into(),
            _ => "See the TOML specification, and config/klamm.toml for an example".into(),
        };
        let source = self.source(at);
        self.findings.push(Finding {
            key: key.unwrap_or_default(),
            value: None,
            source,
            reason: format!("not TOML: {}", message.trim()),
            remedy,
        });
    }

    /// What stands before the `=` in the line of a position, without quotes and spaces; a table header as it is.
    fn key_of_line(&self, position: usize) -> Option<String> {
        let start = self.text.get(..position)?.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(start..)?.lines().next()?;
        if line.trim_start().starts_with('[') {
            return Some(line.trim().to_string());
        }
        let (key, _) = line.split_once('=')?;
        Some(key.chars().filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'').collect())
    }

    fn source(&self, position: usize) -> Source {
        let before = self.text.get(..position).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        Source::File { path: self.path.clone(), line, column }
    }
}

/// The shortest beginning of the key that is a key itself, or the key.
fn shortest_conflict(key: &str) -> &str {
    key.match_indices('.')
        .map(|(at, _)| key.get(..at).unwrap_or(key))
        .find(|start| is_key_and_prefix(start))
        .unwrap_or(key)
}

fn is_key_and_prefix(name: &str) -> bool {
    crate::settings::row(crate::settings::Scope::Broker, name).is_some() && is_prefix_of_others(name)
}

fn ordered(one: Source, other: Source) -> (Source, Source) {
    let line = |source: &Source| match source {
        Source::File { line, column, .. } => (*line, *column),
        _ => (0, 0),
    };
    if line(&one) <= line(&other) { (one, other) } else { (other, one) }
}

/// The text of a value as a properties file would hold it.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.as_str();
            i128::from_str_radix(digits, number.radix()).map_or_else(|_| Some(digits.into()), |n| Some(n.to_string()))
        }
        DeValue::Float(number) => Some(number.as_str().to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Array(elements) => {
            let texts: Option<Vec<String>> =
                elements.iter().map(|element| plain(element.get_ref()).filter(|text| !text.contains(','))).collect();
            texts.map(|texts| texts.join(","))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
