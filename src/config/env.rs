//! Environment variables of Kafka's image: `KAFKA_LOG_RETENTION_MS` is `log.retention.ms`.
//!
//! Rule of the image (`KafkaDockerWrapper.scala`): drop `KAFKA_`, lower-case, then `___` is `-`, `__` is `_`, `_` is `.`.

use crate::settings::{Given, Source};

/// Variables of the image that are no keys, or that others put there.
const NO_KEYS: &[&str] = &[
    "KAFKA_CLASSPATH",
    "KAFKA_DEBUG",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_OPTS",
    "KAFKA_PID_FILE",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_VERSION",
];

/// Their beginnings; `KAFKA_PORT` and `KAFKA_SERVICE_` are Kubernetes' for a service called kafka.
const NO_KEY_FAMILIES: &[&str] = &["KAFKA_JMX_", "KAFKA_LOG4J_", "KAFKA_PORT", "KAFKA_SERVICE_"];

/// The keys in the variables, in the order of their names. Variables that are no keys are passed over in silence.
pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Given> {
    let mut given: Vec<Given> = variables
        .into_iter()
        .filter_map(|(variable, value)| {
            let name = name(&variable)?;
            Some(Given { name, value, source: Source::Environment { variable } })
        })
        .collect();
    given.sort_by(|one, other| one.name.cmp(&other.name));
    given
}

fn name(variable: &str) -> Option<String> {
    if variable == "CLUSTER_ID" {
        return Some("cluster.id".into());
    }
    let is_no_key = NO_KEYS.contains(&variable) || NO_KEY_FAMILIES.iter().any(|start| variable.starts_with(start));
    let rest = variable.strip_prefix("KAFKA_").filter(|rest| !rest.is_empty() && !is_no_key)?;
    Some(rest.to_lowercase().replace("___", "-").replace("__", "\0").replace('_', ".").replace('\0', "_"))
}
