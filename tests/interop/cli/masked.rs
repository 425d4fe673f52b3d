//! What no two brokers have in common, made equal: ids, ports, folders, times.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::broker::Broker;

/// What is known of a broker's names.
pub struct Masks {
    /// Texts that stand for themselves, with what is shown instead.
    fixed: Vec<(String, &'static str)>,
    /// Ids of topics, by name.
    topic_ids: BTreeMap<String, String>,
}

impl Masks {
    pub fn of(broker: &Broker) -> Masks {
        let properties = std::fs::read_to_string(broker.data().join("meta.properties")).expect("read meta.properties");
        let property = |name: &str| {
            let value = properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_else(|| panic!("{name} in meta.properties")).to_owned()
        };
        let fixed = vec![
            (broker.data().display().to_string(), "(data)"),
            (property("cluster.id"), "(cluster id)"),
            (property("directory.id"), "(directory id)"),
            (broker.bootstrap(), "(broker)"),
            (broker.port().to_string(), "PORT"),
        ];
        Masks { fixed, topic_ids: BTreeMap::new() }
    }

    /// A word of a command line, with `{id of TOPIC}` filled in.
    pub fn unmasked(&self, word: &str) -> String {
        match word.strip_prefix("{id of ").and_then(|rest| rest.strip_suffix('}')) {
            Some(topic) => self.topic_ids.get(topic).expect("the topic's id was shown").clone(),
            None => word.to_owned(),
        }
    }

    /// The lines of an output, without stack traces and empty lines. `flag`: `numbers` or `ids`, whose members are `(id)`.
    pub fn masked(&mut self, text: &str, flag: &str) -> Vec<String> {
        let kept = text.lines().filter(|line| !line.trim().is_empty() && !is_frame(line));
        let mut lines: Vec<String> = kept.map(|line| self.line(line, flag == "numbers")).collect();
        if flag == "ids" {
            lines.iter_mut().for_each(|line| *line = without_ids(line));
        }
        // how often a client tries again, also while it ends, is a matter of time
        let mut warned = BTreeSet::new();
        lines.retain(|line| !line.starts_with("[(time)] WARN") || warned.insert(line.clone()));
        lines
    }

    fn line(&mut self, line: &str, numbers: bool) -> String {
        self.learn(line);
        let mut line = line.to_owned();
        for (text, shown) in &self.fixed {
            line = line.replace(text, shown);
        }
        for (topic, id) in &self.topic_ids {
            line = line.replace(id, &format!("(id of {topic})"));
        }
        if line.starts_with("[20")
            && let Some((_, rest)) = line.split_once("] ")
        {
            line = format!("[(time)] {rest}");
        }
        let line =
            if numbers { line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ") } else { line };
        digits(&line, |before, digits| {
            let of_one_run = [
                "127.0.0.1:",
                "correlation id ",
                "console-consumer-",
                "adminclient-",
                "producer-",
                "otalBytes\":",
                "usableBytes\":",
                "Epoch: ",
                "HighWatermark:          ",
            ];
            numbers
                || digits.len() == 13 && digits.starts_with('1')
                || of_one_run.iter().any(|end| before.ends_with(end))
        })
    }

    /// Takes note of a topic's id where one is shown.
    fn learn(&mut self, line: &str) {
        let value = |label: &str| {
            let (_, rest) = line.split_once(label)?;
            rest.split('\t').next().map(|value| value.trim().to_owned())
        };
        if let (Some(topic), Some(id)) = (value("Topic: "), value("TopicId: ")) {
            self.topic_ids.insert(topic, id);
        }
    }
}

/// The line with the ids of members, as the broker (classic) and the client (consumer protocol) make them, as `(id)`.
fn without_ids(line: &str) -> String {
    let masked = |word: &str| match word.len() {
        22 => "(id)".to_owned(),
        length @ 37.. if word.is_char_boundary(length - 36) => {
            let (before, id) = word.split_at(length - 36);
            if id.matches('-').count() == 4 { format!("{before}(id)") } else { word.to_owned() }
        }
        _ => word.to_owned(),
    };
    line.split(' ').map(masked).collect::<Vec<_>>().join(" ")
}

fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    line.starts_with(['\t', ' ']) && (trimmed.starts_with("at ") || trimmed.starts_with("... "))
}

/// The line with the runs of digits that are `chosen`, by what stands before them, shown as `N`.
fn digits(line: &str, chosen: impl Fn(&str, &str) -> bool) -> String {
    let mut shown = String::new();
    let mut rest = line;
    while let Some(from) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, run) = rest.split_at(from);
        shown.push_str(before);
        let to = run.find(|c: char| !c.is_ascii_digit()).unwrap_or(run.len());
        let (run, after) = run.split_at(to);
        shown.push_str(if chosen(&shown, run) { "N" } else { run });
        rest = after;
    }
    shown + rest
}
