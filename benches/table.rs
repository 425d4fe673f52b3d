//! Rounds into a markdown table: medians, and medians of the ratios taken within each round.

use std::fmt::Write;

use crate::results::Finished;
use crate::workloads::Outcome;

/// One round: what each contestant did, in the order of the contestants; nothing where it failed.
pub type Round = Vec<Option<Outcome>>;

/// Foreign load above this makes a round of no use.
pub const FOREIGN_CORES_MAX: f64 = 0.25;

/// The rounds that count, and why those.
pub fn used(rounds: &[Round]) -> (Vec<&Round>, &'static str) {
    let quiet: Vec<&Round> = rounds.iter().filter(|round| worst_foreign(round) <= FOREIGN_CORES_MAX).collect();
    if quiet.is_empty() {
        (rounds.iter().collect(), "none was quiet, all are used")
    } else {
        (quiet, "quiet ones are used")
    }
}

/// The table of one workload.
pub fn markdown(run: &Finished) -> String {
    let Finished { title, names, rounds, .. } = run;
    let (used, remark) = used(rounds);
    let foreign = median(rounds.iter().map(worst_foreign).collect());
    let steal = rounds.iter().flatten().flatten().map(|outcome| outcome.steal).fold(0.0, f64::max);
    let mut out = format!("### {title}\n\n");
    let place = |base: &String| Some((names.iter().position(|name| name == base)?, base.clone()));
    let bases: Vec<(usize, String)> = run.bases.iter().filter_map(place).collect();
    let mut header = String::from("| |");
    for (name, compared) in columns(&used) {
        let _ = write!(header, " {name} |");
        for (_, base) in bases.iter().filter(|_| compared) {
            let _ = write!(header, " / {base} |");
        }
    }
    let rule = "---|".repeat(header.matches('|').count() - 1);
    let _ = writeln!(out, "{header}\n|{rule}");
    for (at, name) in names.iter().enumerate() {
        if used.iter().any(|round| round.get(at).is_some_and(Option::is_some)) {
            let _ = writeln!(out, "{}", row(at, name, &bases, &used));
        }
    }
    let _ = writeln!(
        out,
        "\n{} of {} rounds ({remark}); foreign load: median {foreign:.2} core; steal: at most {steal:.2} core.",
        used.len(),
        rounds.len(),
    );
    out
}

fn row(at: usize, name: &str, bases: &[(usize, String)], rounds: &[&Round]) -> String {
    let mut row = format!("| {name} |");
    for (index, (_, compared)) in columns(rounds).iter().enumerate() {
        let values = rounds.iter().filter_map(|round| value(round, at, index)).collect();
        let _ = write!(row, " {} |", spread(values, ""));
        for (base, _) in bases.iter().filter(|_| *compared) {
            let ratio = |round: &&Round| Some(value(round, at, index)? / value(round, *base, index)?);
            let ratios: Vec<f64> = rounds.iter().filter_map(ratio).filter(|ratio| ratio.is_finite()).collect();
            let _ = write!(row, " {} |", if at == *base { "1".to_owned() } else { spread(ratios, "x") });
        }
    }
    row
}

fn columns(rounds: &[&Round]) -> Vec<(String, bool)> {
    let first = rounds.iter().flat_map(|round| round.iter()).flatten().next();
    first.map_or_else(Vec::new, |outcome| {
        outcome.figures.iter().map(|figure| (figure.name.clone(), figure.compared)).collect()
    })
}

fn value(round: &Round, contestant: usize, figure: usize) -> Option<f64> {
    Some(round.get(contestant)?.as_ref()?.figures.get(figure)?.value)
}

fn worst_foreign(round: &Round) -> f64 {
    round.iter().flatten().map(|outcome| outcome.foreign).fold(0.0, f64::max)
}

/// `median [least..greatest]`
fn spread(values: Vec<f64>, unit: &str) -> String {
    if values.is_empty() {
        return String::from("-");
    }
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let middle = median(values);
    format!("{}{unit} [{}..{}]", number(middle), number(least), number(greatest))
}

/// The middle, or what lies between the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.get(values.len() / 2), values.get(values.len().wrapping_sub(1) / 2)) {
        (Some(upper), Some(lower)) => f64::midpoint(*upper, *lower),
        _ => 0.0,
    }
}

/// Three digits that mean something.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.digits$}")
}
