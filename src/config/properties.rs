//! A `server.properties` file, read as Java reads it (`java.util.Properties.load`).
//!
//! A line that ends in an odd number of backslashes goes on in the next, whose leading blanks are dropped. `#` and `!` begin a
//! comment at the start of a line only. The name ends at the first `=`, `:` or blank that no backslash precedes. Bytes that are
//! not UTF-8 are ISO-8859-1.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::settings::{Finding, Given, Source};

/// The text of the file's bytes.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes)
        .map_or_else(|_| Cow::Owned(bytes.iter().copied().map(char::from).collect()), Cow::Borrowed)
}

/// Every name once, in the order of lines, with remarks on repeated ones, and everything that is wrong with the file's form.
pub fn read(text: &str, path: &Arc<Path>) -> (Vec<Given>, Vec<String>, Vec<Finding>) {
    let mut last: BTreeMap<String, Given> = BTreeMap::new();
    let mut notes = Vec::new();
    let mut findings = Vec::new();
    for (line, logical) in logical_lines(text) {
        let source = Source::File { path: path.clone(), line, column: 0 };
        let (name, value) = split(&logical);
        match (unescape(name), unescape(value)) {
            (Some(name), Some(value)) => {
                let given = Given { name: name.clone(), value, source };
                if let Some(before) = last.insert(name.clone(), given) {
                    notes.push(format!("{name} is in the file twice; the value at {} is not used", before.source));
                }
            }
            _ => findings.push(Finding {
                key: name.to_string(),
                value: None,
                source,
                reason: "\\u is not followed by four hexadecimal digits".into(),
                remedy: "Write \\\\u for a backslash and a u".into(),
            }),
        }
    }
    let mut given: Vec<Given> = last.into_values().collect();
    given.sort_by_key(|given| match given.source {
        Source::File { line, .. } => line,
        _ => 0,
    });
    (given, notes, findings)
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Lines joined where a backslash says so, without comments and blank ones, with the number of their first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in natural_lines(text).into_iter().enumerate() {
        let rest = line.trim_start_matches(BLANKS);
        let (first, mut joined) = match open.take() {
            Some(begun) => begun,
            None if rest.is_empty() || rest.starts_with(['#', '!']) => continue,
            None => (at + 1, String::new()),
        };
        let backslashes = rest.len() - rest.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            joined.push_str(rest.strip_suffix('\\').unwrap_or(rest));
            open = Some((first, joined));
        } else {
            joined.push_str(rest);
            lines.push((first, joined));
        }
    }
    lines.extend(open);
    lines
}

/// Lines end with `\n`, `\r` or `\r\n`.
fn natural_lines(text: &str) -> Vec<&str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')).collect()
}

/// Name and value, their escapes untouched.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' | '\u{c}' => {
                let (name, rest) = line.split_at(at);
                let rest = rest.trim_start_matches(BLANKS);
                let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
                return (name, rest.trim_start_matches(BLANKS));
            }
            _ => {}
        }
    }
    (line, "")
}

fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    let push = |units: &mut Vec<u16>, c: char| units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut units, c);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let is_hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| is_hex)?);
            }
            Some('t') => push(&mut units, '\t'),
            Some('n') => push(&mut units, '\n'),
            Some('r') => push(&mut units, '\r'),
            Some('f') => push(&mut units, '\u{c}'),
            Some(other) => push(&mut units, other),
            None => {}
        }
    }
    Some(String::from_utf16_lossy(&units))
}
