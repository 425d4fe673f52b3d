//! `listeners` and its companions into what is to be opened.
//!
//! Listener names are compared in upper case, as Kafka does. A listener whose protocol cannot be had yet is refused: it must not
//! open in clear instead.

use std::collections::BTreeMap;
use std::fmt;

use crate::settings::consistency::finding;
use crate::settings::effective::{Finding, Settings, Source};
use crate::settings::value::{Value, split};

/// How a listener is secured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Protocol {
    fn named(name: &str) -> Option<Protocol> {
        match name {
            "PLAINTEXT" => Some(Protocol::Plaintext),
            "SSL" => Some(Protocol::Ssl),
            "SASL_PLAINTEXT" => Some(Protocol::SaslPlaintext),
            "SASL_SSL" => Some(Protocol::SaslSsl),
            _ => None,
        }
    }

    /// Kafka's number of the protocol, as in the metadata's registration record.
    pub const fn id(self) -> i16 {
        match self {
            Protocol::Plaintext => 0,
            Protocol::Ssl => 1,
            Protocol::SaslPlaintext => 2,
            Protocol::SaslSsl => 3,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Plaintext => "PLAINTEXT",
            Protocol::Ssl => "SSL",
            Protocol::SaslPlaintext => "SASL_PLAINTEXT",
            Protocol::SaslSsl => "SASL_SSL",
        })
    }
}

/// What a listener binds to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bind {
    /// `localhost`: 127.0.0.1 and ::1, whichever of them the machine has.
    Loopbacks,
    /// No host, `0.0.0.0` or `::`: every interface.
    Everywhere,
    /// A host name or address.
    Host(String),
}

/// One listener to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// In upper case.
    pub name: String,
    pub protocol: Protocol,
    pub bind: Bind,
    /// The host as given, without brackets.
    pub host: String,
    /// 0: any free port.
    pub port: u16,
    /// What clients are told; none: the address they connected to.
    pub advertised: Option<(String, u16)>,
}

impl Listener {
    /// True if another machine can reach it.
    pub fn is_open_to_others(&self) -> bool {
        match &self.bind {
            Bind::Loopbacks => false,
            Bind::Everywhere => true,
            Bind::Host(host) => host.parse::<std::net::IpAddr>().is_ok_and(|ip| !ip.is_loopback()),
        }
    }
}

struct Endpoint {
    name: String,
    host: String,
    port: u16,
}

/// Listeners to open, and names of those that are not.
type Resolved = (Vec<Listener>, Vec<String>);

/// The listeners that the settings describe.
///
/// # Errors
/// Everything wrong with them.
pub(super) fn resolve(settings: &Settings) -> Result<Resolved, Vec<Finding>> {
    let mut findings = Vec::new();
    let endpoints = endpoints(settings, "listeners", &mut findings);
    let advertised = endpoints_if_set(settings, &mut findings);
    let controllers: Vec<String> = names(settings, "controller.listener.names");
    let protocols = protocols(settings, &mut findings);
    check_unique(settings, &endpoints, &mut findings);
    check_advertised(settings, &endpoints, &advertised, &controllers, &mut findings);
    check_inter_broker(settings, &endpoints, &controllers, &mut findings);

    let mut opened = Vec::new();
    let mut unopened = Vec::new();
    for endpoint in endpoints {
        if controllers.contains(&endpoint.name) {
            unopened.push(endpoint.name);
            continue;
        }
        match protocols.get(&endpoint.name) {
            Some(Protocol::Plaintext) => opened.push(listener(endpoint, &advertised)),
            Some(protocol) => findings.push(finding(
                settings,
                "listeners",
                format!(
                    "{} asks for {protocol}, which does not exist yet, and is not opened in clear instead",
                    endpoint.name
                ),
                "Remove the listener or map it to PLAINTEXT",
            )),
            None => findings.push(finding(
                settings,
                "listener.security.protocol.map",
                format!("no protocol for the listener {}", endpoint.name),
                "Add NAME:PROTOCOL for it",
            )),
        }
    }
    if findings.is_empty() && opened.is_empty() {
        findings.push(finding(settings, "listeners", "no listener is left for clients".into(), "Add one"));
    }
    if findings.is_empty() { Ok((opened, unopened)) } else { Err(findings) }
}

fn listener(endpoint: Endpoint, advertised: &[Endpoint]) -> Listener {
    let told = advertised.iter().find(|told| told.name == endpoint.name);
    Listener {
        protocol: Protocol::Plaintext,
        bind: bind(&endpoint.host),
        advertised: told.map(|told| (told.host.clone(), told.port)),
        name: endpoint.name,
        host: endpoint.host,
        port: endpoint.port,
    }
}

fn bind(host: &str) -> Bind {
    match host {
        "" | "0.0.0.0" | "::" => Bind::Everywhere,
        _ if host.eq_ignore_ascii_case("localhost") => Bind::Loopbacks,
        _ => Bind::Host(host.into()),
    }
}

/// What is worth saying of good listeners.
pub(super) fn notes(settings: &Settings) -> Vec<String> {
    let mut notes = Vec::new();
    if !settings.unopened_listeners().is_empty() {
        let names = settings.unopened_listeners().join(", ");
        notes.push(format!("controller listeners are not opened, the controller is in this process: {names}"));
    }
    let open: Vec<&str> =
        settings.listeners().iter().filter(|it| it.is_open_to_others()).map(|it| it.name.as_str()).collect();
    if !open.is_empty() {
        notes.push(format!("open to other machines without authentication or encryption: {}", open.join(", ")));
    }
    notes
}

fn names(settings: &Settings, key: &str) -> Vec<String> {
    settings.value(key).list().iter().map(|name| name.to_uppercase()).collect()
}

fn endpoints_if_set(settings: &Settings, findings: &mut Vec<Finding>) -> Vec<Endpoint> {
    if *settings.value("advertised.listeners") == Value::Null {
        return Vec::new();
    }
    endpoints(settings, "advertised.listeners", findings)
}

fn endpoints(settings: &Settings, key: &str, findings: &mut Vec<Finding>) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for text in settings.value(key).list() {
        match endpoint(text) {
            Some(endpoint) => endpoints.push(endpoint),
            None => findings.push(finding(
                settings,
                key,
                format!("'{text}' is no listener"),
                "Give NAME://HOST:PORT, an IPv6 address in brackets, a port from 0 to 65535",
            )),
        }
    }
    endpoints
}

fn endpoint(text: &str) -> Option<Endpoint> {
    let (name, address) = text.split_once("://")?;
    let (host, port) = host_and_port(address)?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    is_name.then(|| Endpoint { name: name.to_uppercase(), host, port })
}

/// `localhost:9092`, `[::1]:9092`, `:9092` into host, without brackets, and port.
pub fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let good = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._%:".contains(&byte));
    // A colon belongs to an IPv6 address, and that to brackets.
    if !good || (bare == host && host.contains(':')) {
        return None;
    }
    Some((bare.to_string(), port.parse().ok()?))
}

fn protocols(settings: &Settings, findings: &mut Vec<Finding>) -> BTreeMap<String, Protocol> {
    let key = "listener.security.protocol.map";
    let mut map = BTreeMap::new();
    for pair in split(settings.string(key)) {
        match pair.split_once(':').map(|(name, protocol)| (name.trim(), Protocol::named(protocol.trim()))) {
            Some((name, Some(protocol))) if !name.is_empty() => {
                if map.insert(name.to_uppercase(), protocol).is_some() {
                    findings.push(finding(settings, key, format!("{name} is there twice"), "Remove one"));
                }
            }
            _ => findings.push(finding(
                settings,
                key,
                format!("'{pair}' is no NAME:PROTOCOL"),
                "The protocols are PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL",
            )),
        }
    }
    map
}

fn check_unique(settings: &Settings, endpoints: &[Endpoint], findings: &mut Vec<Finding>) {
    for (at, endpoint) in endpoints.iter().enumerate() {
        let before = || endpoints.iter().take(at);
        if before().any(|other| other.name == endpoint.name) {
            let reason = format!("the name {} is there twice", endpoint.name);
            findings.push(finding(settings, "listeners", reason, "Give each listener its own name"));
        }
        let same_port = |other: &Endpoint| {
            other.port == endpoint.port && endpoint.port != 0 && !are_apart(&other.host, &endpoint.host)
        };
        if before().any(same_port) {
            let reason = format!("the port {} is there twice", endpoint.port);
            findings.push(finding(settings, "listeners", reason, "Give each listener its own port"));
        }
    }
}

/// One port serves two listeners if they bind two different addresses.
fn are_apart(one: &str, other: &str) -> bool {
    matches!((bind(one), bind(other)), (Bind::Host(one), Bind::Host(other)) if one != other)
}

fn check_advertised(
    settings: &Settings,
    endpoints: &[Endpoint],
    advertised: &[Endpoint],
    controllers: &[String],
    findings: &mut Vec<Finding>,
) {
    let key = "advertised.listeners";
    for (at, told) in advertised.iter().enumerate() {
        if !endpoints.iter().any(|endpoint| endpoint.name == told.name) && !controllers.contains(&told.name) {
            let reason = format!("there is no listener {}", told.name);
            findings.push(finding(settings, key, reason, "Add it to listeners, or remove it here"));
        }
        if bind(&told.host) == Bind::Everywhere {
            let reason = format!("nobody can connect to '{}'", told.host);
            findings.push(finding(
                settings,
                key,
                reason,
                "Name a host, or leave the key out: clients are then told the address they connected to",
            ));
        }
        if advertised.iter().take(at).any(|other| other.name == told.name) {
            findings.push(finding(settings, key, format!("the name {} is there twice", told.name), "Remove one"));
        }
    }
}

fn check_inter_broker(
    settings: &Settings,
    endpoints: &[Endpoint],
    controllers: &[String],
    findings: &mut Vec<Finding>,
) {
    let key = "inter.broker.listener.name";
    let Some(name) = settings.optional_string(key).map(str::to_uppercase) else { return };
    if *settings.source("security.inter.broker.protocol") != Source::Default {
        let reason = "security.inter.broker.protocol is set too".into();
        findings.push(finding(settings, key, reason, "Set one of the two"));
    }
    if controllers.contains(&name) || !endpoints.iter().any(|endpoint| endpoint.name == name) {
        let reason = "it is no listener of clients".into();
        findings.push(finding(settings, key, reason, "Name one of listeners, or remove the key"));
    }
}
