//! What is known of one key: a row. The rows themselves are data, in `rows/`.
//!
//! Name, type, default, sensitivity and whether a key changes at run time are Apache Kafka 4.4's, as a running broker reports
//! them; `tests/golden/configs.tsv` holds the same facts as test data. What Klamm does with a key is its `State`.

/// What a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    Broker,
    Topic,
    Group,
}

/// Kafka's type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl Kind {
    /// Number of the type in DescribeConfigs (KIP-569).
    pub const fn code(self) -> i8 {
        match self {
            Kind::Boolean => 1,
            Kind::String => 2,
            Kind::Int => 3,
            Kind::Short => 4,
            Kind::Long => 5,
            Kind::Double => 6,
            Kind::List => 7,
            Kind::Class => 8,
            Kind::Password => 9,
        }
    }

    /// Kafka's name of the type, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::String => "string",
            Kind::Int => "int",
            Kind::Short => "short",
            Kind::Long => "long",
            Kind::Double => "double",
            Kind::List => "list",
            Kind::Class => "class",
            Kind::Password => "password",
        }
    }
}

/// The value of a key that nobody set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preset {
    /// Kafka does not start without a value.
    Required,
    /// No value.
    Null,
    Is(&'static str),
}

impl Preset {
    /// The text of the value, if there is one.
    pub const fn text(self) -> Option<&'static str> {
        match self {
            Preset::Is(text) => Some(text),
            Preset::Required | Preset::Null => None,
        }
    }
}

/// Which values a key takes, as Kafka refuses the others.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// A double between the two.
    Ratio(f64, f64),
    OneOf(&'static [&'static str]),
    /// The same, in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// Each element is one of these.
    ListOf(&'static [&'static str]),
    /// At least one element; each is one of these, or anything if there are none.
    FilledListOf(&'static [&'static str]),
    /// -1 or 1 to 9.
    GzipLevel,
    /// `*` or `partition:broker` pairs.
    ThrottledReplicas,
    /// `latest`, `earliest` or `by_duration:` and an ISO-8601 duration (KIP-932).
    ShareOffsetReset,
}

/// What Klamm does with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The value has its effect.
    Honoured,
    /// Its feature does not exist yet; a value is kept and reported.
    Later(&'static str),
    /// It can mean nothing here, for this reason; a value is kept and reported.
    Meaningless(&'static str),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub scope: Scope,
    pub name: &'static str,
    pub kind: Kind,
    /// Kafka's default.
    pub kafka: Preset,
    /// Klamm's own default and why, where it is not Kafka's.
    pub ours: Option<(Preset, &'static str)>,
    /// It may be changed by IncrementalAlterConfigs at run time.
    pub dynamic: bool,
    /// Its value is never shown.
    pub sensitive: bool,
    pub valid: Valid,
    /// The broker key a topic or group key falls back to.
    pub synonym: Option<&'static str>,
    pub state: State,
    /// What it does. Empty unless honoured.
    pub doc: &'static str,
    /// Klamm's, unknown to Kafka.
    pub own: bool,
}

impl Row {
    /// The value of the key when nobody set it.
    pub fn preset(&self) -> Preset {
        self.ours.map_or(self.kafka, |(preset, _)| preset)
    }

    const fn new(scope: Scope, name: &'static str, kind: Kind, kafka: Preset) -> Row {
        Row {
            scope,
            name,
            kind,
            kafka,
            ours: None,
            dynamic: false,
            sensitive: matches!(kind, Kind::Password),
            valid: Valid::Any,
            synonym: None,
            state: State::Honoured,
            doc: "",
            own: false,
        }
    }

    pub(super) const fn dynamic(mut self) -> Row {
        self.dynamic = true;
        self
    }

    pub(super) const fn valid(mut self, valid: Valid) -> Row {
        self.valid = valid;
        self
    }

    pub(super) const fn ours(mut self, preset: Preset, reason: &'static str) -> Row {
        self.ours = Some((preset, reason));
        self
    }

    pub(super) const fn falls_back_to(mut self, broker_key: &'static str) -> Row {
        self.synonym = Some(broker_key);
        self
    }

    pub(super) const fn later(mut self, feature: &'static str) -> Row {
        self.state = State::Later(feature);
        self
    }

    pub(super) const fn meaningless(mut self, reason: &'static str) -> Row {
        self.state = State::Meaningless(reason);
        self
    }

    pub(super) const fn doc(mut self, doc: &'static str) -> Row {
        self.doc = doc;
        self
    }

    pub(super) const fn own(mut self) -> Row {
        self.own = true;
        self
    }
}

pub(super) const fn broker(name: &'static str, kind: Kind, kafka: Preset) -> Row {
    Row::new(Scope::Broker, name, kind, kafka)
}

pub(super) const fn topic(name: &'static str, kind: Kind, kafka: Preset) -> Row {
    Row::new(Scope::Topic, name, kind, kafka).dynamic()
}

pub(super) const fn group(name: &'static str, kind: Kind, kafka: Preset) -> Row {
    Row::new(Scope::Group, name, kind, kafka).dynamic()
}
