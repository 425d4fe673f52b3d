//! The fuzzer's targets without the fuzzer: every input of `fuzz/corpus/` is tried again.
//!
//! `seeds.rs` makes the first inputs of each target from real messages, batches and files.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[path = "../golden/allocator.rs"]
mod allocator;
#[path = "../golden/bridge.rs"]
mod bridge;
#[path = "../golden/facts.rs"]
#[expect(dead_code, reason = "the comparison with the schemas uses all of it")]
mod facts;
#[path = "../golden/generate.rs"]
#[expect(dead_code, reason = "the comparison with the schemas uses all of it")]
mod generate;
mod seeds;
#[path = "../../fuzz/targets/mod.rs"]
mod targets;
#[path = "../golden/value.rs"]
#[expect(dead_code, reason = "the comparison with the schemas uses all of it")]
mod value;

/// The inputs of a target, or the place for them.
fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// Tries every input of a target and names those that break a promise.
fn replay(target: &str) {
    let (_, run) = targets::ALL.iter().find(|(name, _)| *name == target).expect("a target");
    let mut broken = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(corpus(target)).expect("the corpus is there") {
        let path = entry.expect("list the corpus").path();
        let bytes = fs::read(&path).expect("read an input");
        count += 1;
        if catch_unwind(AssertUnwindSafe(|| run(&bytes))).is_err() {
            broken.push(path);
        }
    }
    assert!(count > 0, "the corpus of {target} is empty");
    assert!(broken.is_empty(), "{target}: {broken:#?}");
}

macro_rules! replays {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($target)),*]);
        }
    };
}

mod corpus_keeps_the_promises_of {
    use super::{replay, targets};

    replays! { batch checkpoints codecs config frame handlers indexes logs messages metadata }
}
