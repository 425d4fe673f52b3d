//! Finds rows by scope and name.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::settings::row::{Row, Scope};
use crate::settings::rows::PARTS;

struct Table {
    broker: Vec<&'static Row>,
    topic: Vec<&'static Row>,
    group: Vec<&'static Row>,
    by_name: HashMap<(&'static str, u8), &'static Row>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut all: Vec<&'static Row> = PARTS.iter().flat_map(|part| part.iter()).collect();
    all.sort_by_key(|row| row.name);
    let of = |scope| all.iter().copied().filter(|row| row.scope == scope).collect();
    Table {
        broker: of(Scope::Broker),
        topic: of(Scope::Topic),
        group: of(Scope::Group),
        by_name: all.iter().map(|row| ((row.name, number(row.scope)), *row)).collect(),
    }
});

const fn number(scope: Scope) -> u8 {
    match scope {
        Scope::Broker => 0,
        Scope::Topic => 1,
        Scope::Group => 2,
    }
}

/// All rows of a scope, by name.
pub fn rows(scope: Scope) -> &'static [&'static Row] {
    match scope {
        Scope::Broker => &TABLE.broker,
        Scope::Topic => &TABLE.topic,
        Scope::Group => &TABLE.group,
    }
}

/// The row of a key, if Kafka or Klamm knows it.
pub fn row(scope: Scope, name: &str) -> Option<&'static Row> {
    TABLE.by_name.get(&(name, number(scope))).copied()
}
