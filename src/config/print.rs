//! Texts made from the table of keys: what `klamm config` prints, `config/klamm.toml` and `docs/CONFIG.md`.

use std::fmt::Write;

use crate::config::exit::Exit;
use crate::settings::{Kind, Preset, Row, Scope, Settings, State, Value, expectation, rows};

/// The settings in force as TOML, a key a line with the source of its value: keys that have an effect or were set, or all.
pub fn effective(settings: &Settings, all: bool) -> String {
    let mut text = String::new();
    for row in rows(Scope::Broker) {
        if !(all || row.state == State::Honoured || settings.is_set(row.name)) {
            continue;
        }
        let value = settings.value(row.name);
        let shown = match value {
            Value::Null => String::new(),
            _ if row.sensitive => "\"(hidden)\"".into(),
            value => literal(row, &value.to_string()),
        };
        let effect = match row.state {
            State::Honoured => String::new(),
            State::Later(feature) => format!(", no effect yet: {feature}"),
            State::Meaningless(reason) => format!(", no effect: {reason}"),
        };
        line(&mut text, row.name, &shown, &format!("{}{effect}", settings.source(row.name)));
    }
    text
}

fn line(text: &mut String, name: &str, value: &str, remark: &str) {
    let comment = if value.is_empty() { "# " } else { "" };
    let value = if value.is_empty() { "(no value)" } else { value };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{comment}\"{name}\" = {value}  # {remark}");
}

/// A value as TOML.
fn literal(row: &Row, value: &str) -> String {
    match row.kind {
        Kind::Boolean | Kind::Int | Kind::Short | Kind::Long => value.into(),
        Kind::Double | Kind::String | Kind::List | Kind::Class | Kind::Password => quoted(value),
    }
}

fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04X}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// `config/klamm.toml`: every key that has an effect, at its default, commented out.
pub fn klamm_toml() -> String {
    let mut text = String::from(
        "# Configuration of Klamm: every key that has an effect, at its default. Remove the # before a key to set it.\n\
         #\n\
         # Names and meanings are Apache Kafka's. They are quoted because in TOML a name cannot stand unquoted beside another\n\
         # that begins with it (max.connections, max.connections.per.ip). A server.properties file is read as well.\n\
         # `klamm check --config FILE` says what is wrong with a file, `klamm config` what is in force and why.\n",
    );
    for row in rows(Scope::Broker).iter().filter(|row| row.state == State::Honoured) {
        text.push('\n');
        let _ = writeln!(text, "# {}", row.doc);
        let _ = writeln!(text, "# Takes {}.", expectation(row));
        if let Some((_, reason)) = row.ours {
            let _ = writeln!(text, "# Kafka's default: {}. Here: {reason}.", preset_text(row.kafka));
        }
        match row.preset() {
            Preset::Is(value) => {
                let _ = writeln!(text, "#\"{}\" = {}", row.name, literal(row, value));
            }
            Preset::Null | Preset::Required => {
                let _ = writeln!(text, "#\"{}\" =   (not set)", row.name);
            }
        }
    }
    text
}

fn preset_text(preset: Preset) -> &'static str {
    match preset {
        Preset::Required => "none, it has to be set",
        Preset::Null => "not set",
        Preset::Is("") => "empty",
        Preset::Is(text) => text,
    }
}

/// `docs/CONFIG.md`: every key and what becomes of it.
pub fn config_md() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Printed from the table of keys in `src/settings/rows/`; do not edit. `KLAMM_WRITE_TEXTS=1 cargo test --lib config::` prints it\n\
         and `config/klamm.toml` again.\n\n\
         Order, the later wins: default, file (`--config`, TOML or `server.properties`), environment (`KAFKA_LOG_RETENTION_MS` is\n\
         `log.retention.ms`: drop `KAFKA_`, lower-case, `_` is `.`, `__` is `_`, `___` is `-`), flags (`--set KEY=VALUE`).\n\
         Unknown keys are refused in TOML and flags, remarked on in properties and environment.\n\n",
    );
    text.push_str("## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        let _ = writeln!(text, "| {} | {} |", exit.code(), exit.meaning());
    }
    text.push_str("\n## Broker keys that have an effect\n\n| key | type | default | takes | at run time | |\n|---|---|---|---|---|---|\n");
    honoured(&mut text, Scope::Broker);
    text.push_str("\n## Topic keys that have an effect\n\n| key | type | default | takes | at run time | |\n|---|---|---|---|---|---|\n");
    honoured(&mut text, Scope::Topic);
    text.push_str("\n## Group keys that have an effect\n\n| key | type | default | takes | at run time | |\n|---|---|---|---|---|---|\n");
    honoured(&mut text, Scope::Group);
    text.push_str("\n## Where Klamm's default is not Kafka's\n\n| key | Kafka | Klamm | why |\n|---|---|---|---|\n");
    for row in all() {
        if let Some((ours, reason)) = row.ours {
            let (kafka, ours) = (preset_text(row.kafka), preset_text(ours));
            let _ = writeln!(text, "| `{}` | {kafka} | {ours} | {reason} |", row.name);
        }
    }
    idle(&mut text, "Known, without effect yet", |state| match state {
        State::Later(feature) => Some(feature),
        State::Honoured | State::Meaningless(_) => None,
    });
    idle(&mut text, "Known, and never with an effect", |state| match state {
        State::Meaningless(reason) => Some(reason),
        State::Honoured | State::Later(_) => None,
    });
    text
}

fn all() -> impl Iterator<Item = &'static &'static Row> {
    [Scope::Broker, Scope::Topic, Scope::Group].into_iter().flat_map(rows)
}

fn honoured(text: &mut String, scope: Scope) {
    for row in rows(scope).iter().filter(|row| row.state == State::Honoured) {
        let preset = match row.preset() {
            Preset::Is("") => "empty".to_string(),
            Preset::Is(value) => format!("`{value}`"),
            Preset::Null | Preset::Required => "not set".into(),
        };
        let synonym = row.synonym.map_or_else(String::new, |name| format!(" Otherwise `{name}`."));
        let own = if row.own { " Klamm's own." } else { "" };
        let (kind, takes, dynamic) = (row.kind.name(), expectation(row), if row.dynamic { "yes" } else { "" });
        let doc = format!("{}{synonym}{own}", row.doc).replace('|', "\\|");
        let _ = writeln!(text, "| `{}` | {kind} | {preset} | {takes} | {dynamic} | {doc} |", row.name);
    }
}

fn idle(text: &mut String, title: &str, why: impl Fn(State) -> Option<&'static str>) {
    let _ = writeln!(text, "\n## {title}\n\n| why | keys |\n|---|---|");
    let mut reasons: Vec<&'static str> = all().filter_map(|row| why(row.state)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let mut names: Vec<String> = all()
            .filter(|row| why(row.state) == Some(reason))
            .map(|row| match row.scope {
                Scope::Broker => format!("`{}`", row.name),
                Scope::Topic => format!("`{}` (topic)", row.name),
                Scope::Group => format!("`{}` (group)", row.name),
            })
            .collect();
        names.sort();
        let _ = writeln!(text, "| {reason} | {} |", names.join(", "));
    }
}
