//! `cargo bench --bench klamm -- WORKLOAD...`: what the broker costs, beside a bare ceiling and Apache Kafka.
//!
//! `docs/BENCHMARKS.md` says how it measures and how to run it. Linux only: it reads `/proc`.

#[cfg(target_os = "linux")]
mod assignment;
#[cfg(target_os = "linux")]
mod batch;
#[cfg(target_os = "linux")]
mod ceiling;
#[cfg(target_os = "linux")]
mod cold;
#[cfg(target_os = "linux")]
mod contestant;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod goals;
#[cfg(target_os = "linux")]
mod group_wire;
#[cfg(target_os = "linux")]
mod groups;
#[cfg(target_os = "linux")]
mod latency;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod produce;
#[cfg(target_os = "linux")]
mod restart;
#[cfg(target_os = "linux")]
mod results;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
mod stretch;
#[cfg(target_os = "linux")]
mod sustain;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod wire;
#[cfg(target_os = "linux")]
mod workloads;

/// A result whose error is only ever printed.
#[cfg(target_os = "linux")]
type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[cfg(target_os = "linux")]
fn main() -> Fallible<()> {
    runner::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("The benchmarks read /proc and run on Linux only.");
}
