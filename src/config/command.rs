//! The command line: `klamm`, `klamm check`, `klamm config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::check::{self, Sources};
use crate::config::exit::Exit;
use crate::config::flags::Flags;
use crate::config::print;
use crate::settings::{Finding, Settings};

/// A Kafka-compatible broker that fits on one machine
///
/// Without a sub-command it starts the broker, on ./klamm-data and localhost:9092 if nothing else is said.
#[derive(Parser, Debug)]
#[command(name = "klamm", version, after_help = exit_codes())]
pub struct Command {
    /// Configuration: TOML, or a server.properties file
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
    /// error, warn, info, debug, trace, or a filter as klamm::log=debug,info [default: RUST_LOG, else info]
    #[arg(long, value_name = "LEVEL", global = true)]
    log_level: Option<String>,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT", global = true, default_value = "text")]
    log_format: LogFormat,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Clone, Copy, Debug)]
enum Action {
    /// Say everything that is wrong with the configuration; exit code 2 if anything is
    Check,
    /// Print the settings in force and where each comes from
    Config {
        /// Print every known key, not only those that have an effect or were set
        #[arg(long)]
        all: bool,
    },
}

/// How log lines are written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

/// What the process is to do.
#[derive(Debug)]
pub enum Task {
    /// Run the broker.
    Start(Box<Start>),
    /// Nothing more: the command has printed what was asked for.
    Done(ExitCode),
}

/// What it takes to run the broker.
#[derive(Debug)]
pub struct Start {
    pub settings: Settings,
    pub log_level: Option<String>,
    pub log_format: LogFormat,
}

/// Reads the command line, the configuration it names and the environment, and does what needs no broker.
///
/// `--help`, `--version` and a command line that makes no sense end the process (codes 0 and 2).
pub fn task() -> Task {
    let command = Command::parse();
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let file = command.config.clone();
    let loaded = check::load(&Sources { file, environment, flags: command.flags });
    match (command.action, loaded) {
        (None, Ok(settings)) => {
            Task::Start(Box::new(Start { settings, log_level: command.log_level, log_format: command.log_format }))
        }
        (Some(Action::Check), loaded) => Task::Done(checked(command.config, loaded)),
        (Some(Action::Config { all }), Ok(settings)) => {
            print_out(&print::effective(&settings, all));
            Task::Done(Exit::Clean.into())
        }
        (None | Some(Action::Config { .. }), Err(findings)) => {
            eprint!("{}", check::report(&findings));
            Task::Done(Exit::Configuration.into())
        }
    }
}

/// Faults go to standard output, they are what was asked for.
fn checked(file: Option<PathBuf>, loaded: Result<Settings, Vec<Finding>>) -> ExitCode {
    match loaded {
        Ok(settings) => {
            for note in settings.notes() {
                print_out(&format!("note: {note}\n"));
            }
            let what = file.map_or_else(|| "the configuration".into(), |file| file.display().to_string());
            print_out(&format!("{what}: no faults\n"));
            Exit::Clean.into()
        }
        Err(findings) => {
            print_out(&check::report(&findings));
            let count = findings.len();
            print_out(&format!("{count} {}\n", if count == 1 { "fault" } else { "faults" }));
            Exit::Configuration.into()
        }
    }
}

/// Like `print!`, but a reader that has gone away (`klamm config | head`) is no failure.
fn print_out(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        text.push_str(&format!("  {}  {}\n", exit.code(), exit.meaning()));
    }
    text
}
