//! The fuzzer: libFuzzer around one of the targets, named by `KLAMM_FUZZ_TARGET`. One program for all of them: built once.

#![no_main]

use std::sync::LazyLock;

#[path = "../../tests/golden/allocator.rs"]
mod allocator;
#[path = "../../tests/golden/bridge.rs"]
mod bridge;
#[path = "../targets/mod.rs"]
mod targets;

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let name = std::env::var("KLAMM_FUZZ_TARGET").unwrap_or_default();
    let found = targets::ALL.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("KLAMM_FUZZ_TARGET is {name:?}, which is no target")).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
