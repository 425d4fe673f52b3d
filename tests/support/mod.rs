//! What the tests that run real processes share: brokers (Klamm and Apache Kafka), stock clients, bounded waiting.
//!
//! Nothing here outlives the test process: a broker is guarded by a pipe, a client by a deadline.

pub mod broker;
pub mod clients;
pub mod node;
pub mod go;
pub mod process;
pub mod topic;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One test at a time: they measure nothing, but brokers and JVMs beside each other are slow on two cores.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls for a thing until it is there.
///
/// # Panics
/// After `limit`, naming `what`.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder of the build's own for what tests write; it survives the run, so keep only caches and marked folders there.
pub fn scratch() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
    std::fs::create_dir_all(&folder).expect("make the scratch folder");
    folder
}

/// The project's `tests/` folder.
pub fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("make a folder");
    for entry in std::fs::read_dir(from).expect("list a folder") {
        let entry = entry.expect("list a folder");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type of a file").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copy a file");
        }
    }
}

/// Whether the long versions of tests are asked for (`.ci/run --long`).
pub fn long() -> bool {
    std::env::var("KLAMM_LONG").is_ok_and(|value| value == "1")
}
