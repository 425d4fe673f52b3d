//! The Go clients: one program, built once a run from `tests/interop/clients/go` with modules of the cache.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::clients::{cache, missing};
use super::process::run;
use super::tests_folder;

/// The built program.
///
/// # Panics
/// If Go is there and does not build it, and clients are required.
pub fn exercise() -> Option<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUILT.get_or_init(build) {
        Ok(program) => Some(program.clone()),
        Err(error) => missing(&format!("the program of the Go clients ({error})")),
    }
}

fn build() -> Result<PathBuf, String> {
    Command::new("go").arg("version").output().map_err(|error| format!("go: {error}"))?;
    let program = cache().join("go/exercise");
    let mut build = Command::new("go");
    build.arg("build").arg("-o").arg(&program).arg(".").current_dir(tests_folder().join("interop/clients/go"));
    build.env("GOMODCACHE", cache().join("go/modules")).env("GOFLAGS", "-modcacherw -buildvcs=false");
    let built = run(&mut build, Duration::from_secs(240));
    if built.status.success() { Ok(program) } else { Err(built.to_string()) }
}
