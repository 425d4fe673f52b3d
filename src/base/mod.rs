//! What std lacks. Imports nothing of ours.
pub mod abort;
pub mod clock;
pub mod disk;
pub mod ids;
pub mod limits;
pub mod metrics;
pub mod poison;
pub mod random;
pub mod region;
pub mod reserve;
