//! State machines that remember through a log: consumer groups now, transactions later.
//!
//! A machine decides and never waits; what it must remember are records in a partition of an internal topic, and its state is
//! the replay of those records, at run time as after a restart. `shell.rs` is the only file that knows of the runtime.

mod configured;
pub mod group;
pub mod groups;
pub mod machine;
pub mod shell;

pub use groups::Groups;
pub use machine::{At, Context, Effects, Input, Machine, Marker, Ticket, Topics};
