//! Every broker, topic and group key, one row each, and the values in force.
//!
//! `rows/` is the table of all keys, `Settings` the broker's values with their sources. What DescribeConfigs answers and what
//! CreateTopics refuses comes from here. Reading files, environment and flags does not: that is `config`.

mod alter;
mod consistency;
mod describe;
mod effective;
mod listeners;
mod row;
mod rows;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use alter::{Change, Layer, Refused, THROTTLES, changed, check_client_metrics};
pub use consistency::validate_topic_configs_here;
pub use describe::{
    ConfigSource, Described, Dynamic, Overrides, Synonym, validate_group_config, validate_topic_config,
    validate_topic_configs,
};
pub use effective::{Finding, Given, Settings, Source};
pub use listeners::{Bind, Listener, Protocol, host_and_port};
pub use row::{Kind, Preset, Row, Scope, State, Valid};
pub use table::{row, rows};
pub use value::{Fault, Value, expectation, parse};
