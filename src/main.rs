//! The `klamm` command.

use std::process::ExitCode;

use klamm::config::command::{LogFormat, Task, task};
use klamm::config::exit::Exit;
use klamm::observe::logging;

fn main() -> ExitCode {
    let start = match task() {
        Task::Start(start) => start,
        Task::Done(code) => return code,
    };
    if let Err(error) = logging::begin(start.log_level.as_deref(), start.log_format == LogFormat::Json) {
        eprintln!("klamm: {error}");
        return Exit::Configuration.into();
    }
    for note in start.settings.notes() {
        tracing::warn!("{note}");
    }
    klamm::daemon::run(start.settings)
}
