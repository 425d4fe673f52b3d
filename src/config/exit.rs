//! Exit codes of the process. This is their one place.

use std::process::ExitCode;

/// Why the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// A clean stop, or nothing to complain about.
    Clean,
    /// Anything that has no number of its own.
    Failed,
    /// The command line or the configuration is wrong; nothing was touched.
    Configuration,
    /// The data directory cannot be used: locked by another broker, another cluster's, or not understood.
    DataDirectory,
    /// A listener's address is in use or not this machine's.
    Address,
    /// The metadata log can no longer be written.
    Metadata,
    /// A clean stop took too long, or was cut short by a second signal; the next start recovers.
    StopTimedOut,
}

impl Exit {
    /// Every code, for the texts that list them.
    pub const ALL: [Exit; 7] = [
        Exit::Clean,
        Exit::Failed,
        Exit::Configuration,
        Exit::DataDirectory,
        Exit::Address,
        Exit::Metadata,
        Exit::StopTimedOut,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Failed => 1,
            Exit::Configuration => 2,
            Exit::DataDirectory => 3,
            Exit::Address => 4,
            Exit::Metadata => 5,
            Exit::StopTimedOut => 6,
        }
    }

    /// What it means, in a line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Clean => "clean stop, or nothing to complain about",
            Exit::Failed => "any failure that has no number of its own",
            Exit::Configuration => "the command line or the configuration is wrong; nothing was touched",
            Exit::DataDirectory => "the data directory is in use, another cluster's, or not understood",
            Exit::Address => "the address of a listener is in use, or not of this machine",
            Exit::Metadata => "the metadata log can no longer be written",
            Exit::StopTimedOut => "a clean stop took too long or was cut short; the next start recovers",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
