//! What has been measured, as lines of JSON in a file, so that a long comparison can be made in pieces.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::Fallible;
use crate::table::{self, Round};
use crate::workloads::{Figure, Outcome};

/// All rounds of one workload.
pub struct Finished {
    pub workload: String,
    pub title: String,
    pub names: Vec<String>,
    pub bases: Vec<String>,
    pub rounds: Vec<Round>,
}

impl Finished {
    /// Median over the rounds that count.
    pub fn median(&self, name: &str, figure: &str) -> Option<f64> {
        self.over_rounds(|round| self.value(round, name, figure))
    }

    /// Median of the ratios within each round.
    pub fn median_ratio(&self, name: &str, base: &str, figure: &str) -> Option<f64> {
        self.over_rounds(|round| Some(self.value(round, name, figure)? / self.value(round, base, figure)?))
    }

    fn over_rounds(&self, value: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = table::used(&self.rounds).0.into_iter().filter_map(value).collect();
        (!values.is_empty()).then(|| table::median(values))
    }

    fn value(&self, round: &Round, name: &str, figure: &str) -> Option<f64> {
        let at = self.names.iter().position(|other| other == name)?;
        round.get(at)?.as_ref()?.figures.iter().find(|other| other.name == figure).map(|figure| figure.value)
    }
}

/// Adds one workload to the file.
pub fn save(path: &Path, run: &Finished) -> Fallible<()> {
    let outcome = |outcome: &Option<Outcome>| {
        let outcome = outcome.as_ref()?;
        let figures: Vec<Value> =
            outcome.figures.iter().map(|figure| json!([figure.name, figure.value, figure.compared])).collect();
        Some(json!({ "figures": figures, "foreign": outcome.foreign, "steal": outcome.steal }))
    };
    let rounds: Vec<Vec<Option<Value>>> = run.rounds.iter().map(|round| round.iter().map(outcome).collect()).collect();
    let (workload, title, names, bases) = (&run.workload, &run.title, &run.names, &run.bases);
    let line = json!({ "workload": workload, "title": title, "names": names, "bases": bases, "rounds": rounds });
    let mut file = fs::File::options().create(true).append(true).open(path)?;
    Ok(writeln!(file, "{line}")?)
}

/// Everything in the file; of a workload that ran twice only the last.
pub fn load(path: &Path) -> Fallible<Vec<Finished>> {
    let mut all: Vec<Finished> = Vec::new();
    for line in fs::read_to_string(path)?.lines() {
        let run = parse(&serde_json::from_str(line)?).ok_or("a line that is no result")?;
        all.retain(|other| other.workload != run.workload);
        all.push(run);
    }
    Ok(all)
}

fn parse(line: &Value) -> Option<Finished> {
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    let texts = |value: &Value| value.as_array()?.iter().map(text).collect::<Option<Vec<String>>>();
    let rounds = line.get("rounds")?.as_array()?.iter();
    let rounds = rounds.map(|round| Some(round.as_array()?.iter().map(outcome).collect()));
    Some(Finished {
        workload: text(line.get("workload")?)?,
        title: text(line.get("title")?)?,
        names: texts(line.get("names")?)?,
        bases: texts(line.get("bases")?)?,
        rounds: rounds.collect::<Option<Vec<Round>>>()?,
    })
}

/// Nothing where the contestant failed or took no part.
fn outcome(value: &Value) -> Option<Outcome> {
    let figure = |value: &Value| {
        let (name, number, compared) = (value.get(0)?.as_str()?, value.get(1)?, value.get(2)?.as_bool()?);
        // JSON has no infinity: it is written as null.
        Some(Figure { name: name.to_owned(), value: number.as_f64().unwrap_or(f64::NAN), compared })
    };
    let number = |name: &str| value.get(name)?.as_f64();
    let figures = value.get("figures")?.as_array()?.iter().map(figure).collect::<Option<Vec<Figure>>>()?;
    Some(Outcome { figures, foreign: number("foreign")?, steal: number("steal")? })
}
