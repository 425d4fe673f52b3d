//! The groups of the play: whose client, how it assigns and commits, who comes and goes.

/// A session that ends while the play goes on, and still outlasts what a busy machine does to a member.
const SHORT_MS: &str = "10000";
/// One that does not end.
const LONG_MS: &str = "60000";

/// A group: its client's part of the programs' words, members from the beginning and others that join, and what more.
pub struct Plot {
    pub client: &'static str,
    protocol: &'static str,
    assignor: &'static str,
    commit: &'static str,
    first: usize,
    joining: usize,
    /// One more member has an instance id.
    pub instance: bool,
    /// The first member pauses, resumes and seeks.
    pub steps: bool,
}

const fn plot(
    client: &'static str,
    [protocol, assignor, commit]: [&'static str; 3],
    (first, joining): (usize, usize),
    (instance, steps): (bool, bool),
) -> Plot {
    Plot { client, protocol, assignor, commit, first, joining, instance, steps }
}

/// Of sarama no member goes back: its sessions cannot.
pub const PLOTS: [Plot; 26] = [
    plot("java", ["classic", "range", "sync"], (4, 4), (false, false)),
    plot("java", ["classic", "roundrobin", "async"], (1, 1), (false, true)),
    plot("java", ["classic", "sticky", "auto"], (2, 1), (false, false)),
    plot("java", ["classic", "cooperative-sticky", "sync"], (2, 1), (true, true)),
    plot("java", ["consumer", "uniform", "async"], (2, 2), (false, true)),
    plot("java", ["consumer", "range", "auto"], (2, 1), (true, false)),
    plot("confluent", ["classic", "range", "sync"], (1, 1), (false, true)),
    plot("confluent", ["classic", "roundrobin", "auto"], (2, 1), (true, false)),
    plot("confluent", ["classic", "cooperative-sticky", "async"], (2, 2), (false, false)),
    plot("confluent", ["consumer", "uniform", "sync"], (2, 1), (true, true)),
    plot("confluent", ["consumer", "range", "auto"], (1, 1), (false, false)),
    plot("kafka-python", ["classic", "range", "sync"], (1, 1), (false, true)),
    plot("kafka-python", ["classic", "roundrobin", "async"], (1, 1), (false, false)),
    plot("kafka-python", ["classic", "cooperative-sticky", "auto"], (2, 1), (false, false)),
    plot("aiokafka", ["classic", "roundrobin", "sync"], (2, 1), (false, true)),
    plot("aiokafka", ["classic", "sticky", "auto"], (1, 1), (false, false)),
    plot("kafkajs", ["classic", "roundrobin", "sync"], (2, 1), (false, true)),
    plot("kafkajs", ["classic", "roundrobin", "auto"], (1, 1), (false, false)),
    plot("franz-go", ["classic", "range", "sync"], (2, 1), (false, true)),
    plot("franz-go", ["classic", "roundrobin", "async"], (1, 1), (false, false)),
    plot("franz-go", ["classic", "sticky", "auto"], (2, 1), (false, false)),
    plot("franz-go", ["classic", "cooperative-sticky", "sync"], (2, 1), (false, true)),
    plot("sarama", ["classic", "range", "sync"], (2, 1), (false, false)),
    plot("sarama", ["classic", "roundrobin", "auto"], (1, 1), (false, false)),
    plot("sarama", ["classic", "sticky", "sync"], (2, 1), (false, false)),
    plot("sarama", ["classic", "cooperative-sticky", "auto"], (2, 1), (false, false)),
];

/// Which members a process hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    First,
    /// They crash.
    Joining,
    /// In place of those that crashed; they leave.
    Later,
    Static,
}

impl Plot {
    pub fn name(&self) -> String {
        format!("{}-{}-{}-{}", self.client, self.protocol, self.assignor, self.commit)
    }

    pub fn members(&self, role: Role) -> Vec<String> {
        let (letter, count) = match role {
            Role::First => ("first", self.first),
            Role::Static => ("static", usize::from(self.instance)),
            Role::Joining => ("joining", self.joining),
            Role::Later => ("later", self.joining),
        };
        (0..count).map(|number| format!("{letter}{number}")).collect()
    }

    pub fn spec(&self, role: Role, member: &str) -> String {
        let Plot { client, protocol, assignor, commit, .. } = self;
        let session = if role == Role::Joining { SHORT_MS } else { LONG_MS };
        let mut spec = format!("client={client},group={},member={member},protocol={protocol}", self.name());
        spec += &format!(",assignor={assignor},commit={commit},session={session}");
        if role == Role::Static {
            spec += &format!(",instance={member}");
        }
        if self.steps && member == "first0" {
            spec += ",steps=1";
        }
        spec
    }
}

/// The sessions of the consumer protocol are the broker's.
pub fn short_sessions() -> String {
    format!("group.consumer.session.timeout.ms={SHORT_MS}")
}

pub fn long_sessions() -> String {
    format!("group.consumer.session.timeout.ms={LONG_MS}")
}
