//! Log lines to standard error, as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use super::loggers;

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("'{0}' is no log level: off, error, warn, info, debug, trace, or a filter as klamm::log=debug,info")]
    Level(String),
    #[error("logging is set up already")]
    Twice,
}

/// Begins logging; once in a process. `level` is a level or a filter as `klamm::log=debug,info`; without one it is what RUST_LOG
/// says, else info. Colours only on a terminal, and not if NO_COLOR is set.
///
/// # Errors
/// `Level` if it cannot be understood, `Twice` if something has set up logging before.
pub fn begin(level: Option<&str>, json: bool) -> Result<(), LoggingError> {
    let variable = std::env::var("RUST_LOG").ok().filter(|level| !level.is_empty());
    let level = level.map(str::to_string).or(variable).unwrap_or_else(|| "info".into());
    let first = filter(&level)?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(colours);
    let begun = if json {
        let builder = builder.json().flatten_event(true).with_env_filter(first).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map(|()| loggers::begin(&level, reloader(handle)))
    } else {
        let builder = builder.with_env_filter(first).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.try_init().map(|()| loggers::begin(&level, reloader(handle)))
    };
    begun.map_err(|_| LoggingError::Twice)
}

/// Puts another filter into force.
fn reloader<S: 'static>(handle: Handle<EnvFilter, S>) -> Box<dyn Fn(&str) + Send> {
    Box::new(move |text| {
        let reloaded = filter(text).map_err(|error| error.to_string());
        let reloaded = reloaded.and_then(|filter| handle.reload(filter).map_err(|error| error.to_string()));
        if let Err(error) = reloaded {
            tracing::error!(error, "change log levels");
        }
    })
}

/// A bare word has to be a level: as a filter it would name a module, and silence everything else.
fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let is_bare = !level.contains(['=', ',', '[', ':']);
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    if is_bare && !words.iter().any(|word| word.eq_ignore_ascii_case(level)) {
        return Err(LoggingError::Level(level.into()));
    }
    EnvFilter::builder().parse(level).map_err(|_| LoggingError::Level(level.into()))
}

#[cfg(test)]
mod tests {
    use super::{filter, reloader};

    #[test]
    fn a_filter_that_is_changed_holds_from_the_next_line_on() {
        let builder = tracing_subscriber::fmt().with_writer(std::io::sink);
        let builder = builder.with_env_filter(filter("info").expect("a level")).with_filter_reloading();
        let change = reloader(builder.reload_handle());
        tracing::subscriber::with_default(builder.finish(), || {
            assert!(!tracing::enabled!(target: "klamm::log", tracing::Level::DEBUG));
            change("info,klamm::log=debug");
            assert!(tracing::enabled!(target: "klamm::log", tracing::Level::DEBUG));
            assert!(!tracing::enabled!(target: "klamm::api", tracing::Level::DEBUG));
            change("off");
            assert!(!tracing::enabled!(target: "klamm::log", tracing::Level::ERROR));
        });
    }

    #[test]
    fn levels_and_filters_are_understood() {
        for good in ["info", "DEBUG", "off", "klamm::log=debug,info", "warn,klamm=trace"] {
            assert!(filter(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for bad in ["inof", "", "klamm", "klamm=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
