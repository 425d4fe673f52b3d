//! Power cuts and failing disks, simulated: what was promised must be there afterwards, and everything must start.
//!
//! `docs/TESTING.md` says how the rig works. `KLAMM_LONG=<n>` tries n times as many runs, `KLAMM_SEED=<seed>` one of them.

mod attackers;
#[path = "../support/batches.rs"]
mod batches;
mod errors;
mod full_disk;
mod kill;
mod liar;
mod log;
mod many_connections;
mod many_groups;
mod many_topics;
mod meta;
mod process;
mod script;
mod signals;
mod sweep;
mod victim;
