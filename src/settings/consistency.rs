//! What values of several broker keys, or one value beyond its range, must not say together. Most of it is Kafka's
//! (`KafkaConfig.validateValues`); the rest refuses what Klamm cannot do yet and must not seem to do.

use crate::settings::describe::{Overrides, validate_topic_configs};
use crate::settings::effective::{Finding, Settings};
use crate::settings::row::{Row, Scope, State};
use crate::settings::table;
use crate::settings::value::{Fault, parse};

/// Everything that does not go together.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut refuse = |key: &str, reason: String, remedy: &str| findings.push(finding(settings, key, reason, remedy));

    let (newer, older) = (settings.int("node.id"), settings.int("broker.id"));
    if settings.is_set("node.id") && older >= 0 && older != newer {
        refuse("broker.id", format!("node.id is {newer}"), "Remove broker.id, its older name");
    }
    if !settings.list("process.roles").iter().any(|role| role == "broker") {
        refuse("process.roles", "a node that is no broker is of no use here".into(), "Give broker,controller");
    }
    for key in ["log.dirs", "log.dir"] {
        if settings.is_set(key) && settings.value(key).list().len() > 1 {
            let count = settings.value(key).list().len();
            refuse(key, format!("Klamm keeps its data in one directory, {count} are named"), "Name one");
        }
    }
    let metadata = settings.optional_string("metadata.log.dir");
    if metadata.is_some_and(|dir| settings.list("log.dirs").first().is_none_or(|data| data != dir)) {
        refuse("metadata.log.dir", "the metadata log lies in the data directory".into(), "Remove it");
    }
    for key in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        if settings.is_set(key) && settings.value(key).long() == 0 {
            refuse(key, "must be unlimited (-1) or at least 1".into(), "Give -1 or at least 1");
        }
    }
    let request_max = settings.long("socket.request.max.bytes");
    let queued = settings.long("queued.max.request.bytes");
    if settings.is_set("queued.max.request.bytes") && queued > 0 && queued < request_max {
        refuse(
            "queued.max.request.bytes",
            format!("below socket.request.max.bytes ({request_max})"),
            "Raise it, or give -1",
        );
    }
    for key in ["socket.send.buffer.bytes", "socket.receive.buffer.bytes"] {
        if settings.long(key) == 0 || settings.long(key) < -1 {
            refuse(key, "must be -1 or at least 1".into(), "Give -1 for the system's own size");
        }
    }
    for (low, high) in ORDERED {
        if settings.long(low) > settings.long(high) {
            refuse(low, format!("above {high} ({})", settings.long(high)), "Lower the one or raise the other");
        }
    }
    if !settings.string("authorizer.class.name").is_empty() {
        refuse(
            "authorizer.class.name",
            "authorization does not exist yet, and a broker that ignores it would be open to everyone".into(),
            "Remove it, if everyone who can connect may do everything",
        );
    }
    if is_never_visible(settings, settings.string("durability.mode")) {
        refuse(
            "durability.mode",
            Fault::NeverVisible.to_string(),
            "Give another mode, or durability.visibility=acknowledged",
        );
    }
    findings.extend(overrides(settings));
    findings.extend(defaults_of_topics(settings));
    findings.extend(secrets_in_flags(settings));
    findings
}

fn is_never_visible(settings: &Settings, mode: &str) -> bool {
    mode == "os" && settings.string("durability.visibility") == "durable"
}

/// Checks all topic keys of one topic, also against what this broker is set to.
///
/// # Errors
/// The first fault, as Kafka words it where Kafka has it.
pub fn validate_topic_configs_here(settings: &Settings, configs: &Overrides) -> Result<(), Fault> {
    validate_topic_configs(configs)?;
    match configs.get("durability.mode") {
        Some(mode) if is_never_visible(settings, mode.trim()) => Err(Fault::NeverVisible),
        _ => Ok(()),
    }
}

/// The first of each pair is at most the second.
const ORDERED: &[(&str, &str)] = &[
    ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
    ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"),
    ("group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    ("group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"),
    ("group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
];

/// A topic cannot fall back to a value that it could not be given itself.
fn defaults_of_topics(settings: &Settings) -> Vec<Finding> {
    let misfit = |topic: &&'static Row| {
        let key = topic.synonym.filter(|key| settings.is_set(key))?;
        let text = settings.effective(key).text()?;
        let fault = parse(topic, &text).err()?;
        Some(finding(settings, key, format!("topics cannot take it: {fault}"), "Give a value that topics take"))
    };
    table::rows(Scope::Topic).iter().filter_map(misfit).collect()
}

fn overrides(settings: &Settings) -> Option<Finding> {
    let key = "max.connections.per.ip.overrides";
    let bad = misfit_override(settings.string(key))?;
    Some(finding(settings, key, format!("'{bad}' is not HOST:COUNT"), "Give HOST:COUNT pairs, comma separated"))
}

/// What is no HOST:COUNT in a list of them.
pub(super) fn misfit_override(text: &str) -> Option<&str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).find(|part| {
        part.rsplit_once(':').is_none_or(|(host, count)| host.trim().is_empty() || count.trim().parse::<u32>().is_err())
    })
}

/// The command line of a process can be read by every user of the machine.
fn secrets_in_flags(settings: &Settings) -> Vec<Finding> {
    use crate::settings::effective::Source;
    let in_flag = |name: &str| matches!(settings.source(name), Source::Flag { .. });
    table::rows(Scope::Broker)
        .iter()
        .filter(|row| row.sensitive && in_flag(row.name) && !matches!(row.state, State::Meaningless(_)))
        .map(|row| {
            let reason = "every user of this machine can read a secret on a command line".into();
            finding(settings, row.name, reason, "Put it into the file or the environment")
        })
        .collect()
}

/// A finding about the value in force.
pub(super) fn finding(settings: &Settings, key: &str, reason: String, remedy: &str) -> Finding {
    let sensitive = table::row(Scope::Broker, key).is_none_or(|row| row.sensitive);
    Finding {
        key: key.into(),
        value: settings.value(key).text().filter(|_| !sensitive),
        source: settings.source(key).clone(),
        reason,
        remedy: remedy.into(),
    }
}
