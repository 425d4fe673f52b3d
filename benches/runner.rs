//! The command line, and the rounds: every contestant once a round, in turning order, each on a fresh directory.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::contestant::{Contestant, Kind};
use crate::results::{self, Finished};
use crate::table::{self, Round};
use crate::workloads::{self, Setup, Workload};
use crate::{Fallible, ceiling, goals};

/// Measures what the broker costs, beside a bare ceiling broker and Apache Kafka.
#[derive(Parser)]
struct Arguments {
    /// Names of workloads, beginnings of names, or `all`; none lists them. `summary` prints what `--results` holds.
    workloads: Vec<String>,
    /// Rounds of each workload.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Who takes part, of: klamm, klamm-os, ceiling, kafka.
    #[arg(long, value_delimiter = ',', default_value = "ceiling,klamm,klamm-os,kafka")]
    contestants: Vec<String>,
    /// The broker to measure, a release build.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_klamm"))]
    klamm: PathBuf,
    /// One more argument for every start of klamm; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    klamm_argument: Vec<String>,
    /// A Kafka that runs already, as PID:PORT, in place of fresh ones.
    #[arg(long)]
    kafka: Option<String>,
    /// Shell command that starts a Kafka with its data in $DIR on port $PORT and prints its process id; else it
    /// is taken from KLAMM_BENCH_KAFKA.
    #[arg(long)]
    kafka_cmd: Option<String>,
    /// Rounds in which a Kafka that is started takes part: each costs as long as all others together.
    #[arg(long, default_value_t = 2)]
    kafka_rounds: usize,
    /// Adds what is measured to this file, as JSON lines, and sets all that is in it against the goals at the end.
    #[arg(long)]
    results: Option<PathBuf>,
    /// Seconds of small requests that a JVM gets before anything is measured.
    #[arg(long, default_value_t = 10.0)]
    kafka_warm_up: f64,
    /// Acks in place of each workload's own: 0 is not possible, 1, or -1 for all.
    #[arg(long, allow_hyphen_values = true, value_parser = clap::value_parser!(i16).range(-1..=1))]
    acks: Option<i16>,
    /// Share of the full volume and duration.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where data directories are made; on the disk that is to be measured.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// First of a hundred ports to use.
    #[arg(long, default_value_t = 21500)]
    port: u16,
    /// Serves as the ceiling broker on `--port`, with its data in this folder.
    #[arg(long)]
    serve_ceiling: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

pub fn main() -> Fallible<()> {
    let arguments = Arguments::parse();
    if let Some(folder) = arguments.serve_ceiling {
        return ceiling::run(folder, arguments.port);
    }
    if arguments.acks == Some(0) {
        return Err("acks=0 has no answers to wait for".into());
    }
    if arguments.workloads == ["summary"] {
        let finished = results::load(arguments.results.as_deref().ok_or("a summary of which --results?")?)?;
        finished.iter().for_each(|run| println!("{}", table::markdown(run)));
        println!("{}", goals::summary(&finished));
        return Ok(());
    }
    let chosen = choose(&arguments.workloads)?;
    if chosen.is_empty() {
        for workload in workloads::all() {
            println!("{:22} {}", workload.name, workload.what);
        }
        return Ok(());
    }
    let contestants = contestants(&arguments)?;
    let setup = Setup {
        scale: arguments.scale,
        acks: arguments.acks,
        jvm_warm_up: Duration::from_secs_f64(arguments.kafka_warm_up),
    };
    let folder = arguments.folder.join(format!("bench-{}", std::process::id()));
    allow_files()?;
    let mut ports = Ports { first: arguments.port, next: 0 };
    let mut finished = Vec::new();
    for workload in chosen {
        let taking_part = |round: usize| -> Vec<Contestant> {
            let late = |contestant: &Contestant| contestant.is_jvm() && round >= arguments.kafka_rounds;
            contestants.iter().filter(|&one| workload.concerns(one) && !late(one)).cloned().collect()
        };
        let rounds = (0..workload.rounds(arguments.rounds))
            .map(|round| run_round(&workload, &taking_part(round), round, &setup, &folder, &mut ports))
            .collect();
        let run = Finished {
            workload: workload.name.to_owned(),
            title: format!("`{}`: {}", workload.name, workload.description(&setup)),
            names: taking_part(0).into_iter().map(|contestant| contestant.name).collect(),
            bases: workload.bases.iter().map(|&base| base.to_owned()).collect(),
            rounds,
        };
        println!("{}", table::markdown(&run));
        if let Some(path) = &arguments.results {
            results::save(path, &run)?;
        }
        finished.push(run);
    }
    if let Some(path) = &arguments.results {
        finished = results::load(path)?;
    }
    println!("{}", goals::summary(&finished));
    // What a failed run left is kept for a look.
    let _ = std::fs::remove_dir(&folder);
    Ok(())
}

/// Ports nobody listens on, two neighbours at a time (Kafka's controller takes the second): each pair rests as long as
/// possible before it is used again.
struct Ports {
    first: u16,
    next: u16,
}

impl Ports {
    const PAIRS: u16 = 50;

    /// One for each life of a broker.
    fn two(&mut self) -> Option<[u16; 2]> {
        Some([self.next()?, self.next()?])
    }

    fn next(&mut self) -> Option<u16> {
        let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        for _ in 0..Self::PAIRS {
            let port = self.first + 2 * self.next;
            self.next = (self.next + 1) % Self::PAIRS;
            if free(port) && free(port + 1) {
                return Some(port);
            }
        }
        None
    }
}

/// Raises the limit on open files for the generator and, since they inherit it, for all brokers alike.
fn allow_files() -> Fallible<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

fn choose(names: &[String]) -> Fallible<Vec<Workload>> {
    let matches = |workload: &Workload, name: &String| name == "all" || workload.name.starts_with(name.as_str());
    let every = workloads::all();
    if let Some(name) = names.iter().find(|name| !every.iter().any(|workload| matches(workload, name))) {
        return Err(format!("no workload is named {name}").into());
    }
    Ok(every.into_iter().filter(|workload| names.iter().any(|name| matches(workload, name))).collect())
}

fn contestants(arguments: &Arguments) -> Fallible<Vec<Contestant>> {
    let mut all = Vec::new();
    let kafka_command = arguments.kafka_cmd.clone().or_else(|| std::env::var("KLAMM_BENCH_KAFKA").ok());
    for name in &arguments.contestants {
        let klamm = |more: &[&str]| {
            let mut extra = arguments.klamm_argument.clone();
            extra.extend(more.iter().map(|&argument| argument.to_owned()));
            Kind::Klamm(arguments.klamm.clone(), extra)
        };
        let kind = match (name.as_str(), &arguments.kafka, &kafka_command) {
            ("klamm", ..) => klamm(&[]),
            ("klamm-os", ..) => klamm(&["--set", "durability.mode=os"]),
            ("ceiling", ..) => Kind::Ceiling,
            ("kafka", Some(running), _) => {
                let (pid, port) = running.split_once(':').ok_or("--kafka takes PID:PORT")?;
                Kind::Running(pid.parse()?, port.parse()?)
            }
            ("kafka", None, Some(command)) => Kind::Kafka(command.clone()),
            ("kafka", None, None) => {
                eprintln!("kafka takes no part: neither --kafka nor KLAMM_BENCH_KAFKA says where it is");
                continue;
            }
            _ => return Err(format!("no contestant is named {name}").into()),
        };
        all.push(Contestant { name: name.clone(), kind });
    }
    // Last, so that in the rounds without it the others keep their places.
    all.sort_by_key(Contestant::is_jvm);
    Ok(all)
}

fn run_round(
    workload: &Workload,
    contestants: &[Contestant],
    round: usize,
    setup: &Setup,
    folder: &Path,
    ports: &mut Ports,
) -> Round {
    let mut outcomes: Round = contestants.iter().map(|_| None).collect();
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    let from = ports.first;
    for at in order {
        let (Some(contestant), Some(ports)) = (contestants.get(at), ports.two()) else {
            eprintln!("{} {round}: no free port from {} on", workload.name, from);
            continue;
        };
        let place = folder.join(format!("{}-{round}-{}", workload.name, contestant.name));
        match workload.run(contestant, setup, &place, ports) {
            Ok(outcome) => {
                let figures: Vec<String> =
                    outcome.figures.iter().map(|figure| format!("{} {:.2}", figure.name, figure.value)).collect();
                let (name, foreign) = (&contestant.name, outcome.foreign);
                eprintln!("{} {round} {name}: {}, foreign {foreign:.2}", workload.name, figures.join(", "));
                if let Some(slot) = outcomes.get_mut(at) {
                    *slot = Some(outcome);
                }
                let _ = std::fs::remove_dir_all(&place);
            }
            Err(error) => eprintln!("{} {round} {}: FAILED: {error}", workload.name, contestant.name),
        }
    }
    outcomes
}
