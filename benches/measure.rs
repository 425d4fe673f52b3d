//! What a run cost: processor time of a process, of this thread, of everybody else; memory.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Fallible;

/// Processor time of another process so far, per thread in nanoseconds and as a whole in clock ticks.
///
/// The threads are precise but lose those that have ended; the ticks are coarse but complete.
struct ProcessTime {
    threads: HashMap<String, u64>,
    ticks: Duration,
}

/// A point in time to measure from.
pub struct Mark {
    pid: u32,
    at: Instant,
    process: ProcessTime,
    machine: MachineTime,
}

/// What has been spent since a mark.
pub struct Spent {
    pub wall: Duration,
    pub broker: Duration,
    /// Processor time of the whole machine, all processes.
    busy: Duration,
    steal: Duration,
}

struct MachineTime {
    busy: Duration,
    steal: Duration,
}

impl Mark {
    pub fn now(pid: u32) -> Fallible<Mark> {
        Ok(Mark { pid, at: Instant::now(), process: ProcessTime::of(pid)?, machine: MachineTime::now()? })
    }

    /// What has been spent; `client` is the load generator's own processor time.
    pub fn spent(&self) -> Fallible<Spent> {
        let wall = self.at.elapsed();
        let machine = MachineTime::now()?;
        let broker = ProcessTime::of(self.pid)?.since(&self.process);
        let busy = machine.busy.saturating_sub(self.machine.busy);
        Ok(Spent { wall, broker, busy, steal: machine.steal.saturating_sub(self.machine.steal) })
    }
}

impl Spent {
    /// Cores that neither the broker nor the generator used, and cores taken by the host.
    pub fn foreign_cores(&self, client: Duration) -> (f64, f64) {
        let foreign = self.busy.as_secs_f64() - self.broker.as_secs_f64() - client.as_secs_f64();
        let wall = self.wall.as_secs_f64();
        (foreign.max(0.0) / wall, self.steal.as_secs_f64() / wall)
    }
}

impl ProcessTime {
    fn of(pid: u32) -> Fallible<ProcessTime> {
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            // A thread may end between the listing and the reading.
            if let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) {
                threads.insert(entry.file_name().to_string_lossy().into_owned(), first_number(&text)?);
            }
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no name in stat")?.1.split_whitespace().collect();
        let field = |at: usize| -> Fallible<u64> { Ok(fields.get(at).ok_or("a short stat")?.parse()?) };
        Ok(ProcessTime { threads, ticks: ticks(field(11)? + field(12)?) })
    }

    fn since(&self, earlier: &ProcessTime) -> Duration {
        let ticks = self.ticks.saturating_sub(earlier.ticks);
        if earlier.threads.keys().any(|thread| !self.threads.contains_key(thread)) {
            return ticks;
        }
        let spent = |(thread, now): (&String, &u64)| now.saturating_sub(*earlier.threads.get(thread).unwrap_or(&0));
        let threads = Duration::from_nanos(self.threads.iter().map(spent).sum());
        // Threads that came and went in between are in the ticks alone.
        if ticks > threads + Duration::from_millis(30) { ticks } else { threads }
    }
}

impl MachineTime {
    fn now() -> Fallible<MachineTime> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().ok_or("an empty /proc/stat")?;
        let fields: Vec<u64> = line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
        let field = |at: usize| fields.get(at).copied().unwrap_or(0);
        // user, nice, system, irq, softirq
        let busy = field(0) + field(1) + field(2) + field(5) + field(6);
        Ok(MachineTime { busy: ticks(busy), steal: ticks(field(7)) })
    }
}

/// Processor time of the calling thread so far.
pub fn thread_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(first_number(&text).unwrap_or(0))
}

/// A field of `/proc/PID/status` in MiB: `VmHWM`, `VmRSS`, `RssAnon`.
pub fn memory_mib(pid: u32, field: &str) -> Fallible<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(field)).ok_or("no such field in status")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no number in status")?.parse()?;
    Ok(kib / 1024.0)
}

/// Writes and deletes `bytes` in `folder`: memory the guest never touched costs more than the work to be measured.
pub fn prime(folder: &Path, bytes: u64) -> Fallible<()> {
    use std::io::Write;
    let path = folder.join("prime");
    let mut file = fs::File::create(&path)?;
    let block = vec![1; 1 << 20];
    for _ in 0..bytes.div_ceil(1 << 20) {
        file.write_all(&block)?;
    }
    drop(file);
    fs::remove_file(path)?;
    Ok(())
}

/// Median time of one small append and fdatasync in `folder`, in microseconds.
pub fn sync_us(folder: &Path) -> Fallible<f64> {
    use std::io::Write;
    let path = folder.join("sync-probe");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..200 {
        file.write_all(&[1; 170])?;
        let before = Instant::now();
        file.sync_data()?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// MB/s of a loop that appends `batch_bytes` and syncs, each time, in `folder`.
pub fn sync_each(folder: &Path, batch_bytes: usize, time: Duration) -> Fallible<f64> {
    use std::io::Write;
    let path = folder.join("sync-probe");
    let mut file = fs::File::create(&path)?;
    let block = vec![1; batch_bytes];
    let started = Instant::now();
    let mut bytes = 0;
    while started.elapsed() < time {
        file.write_all(&block)?;
        file.sync_data()?;
        bytes += batch_bytes;
    }
    let rate = bytes as f64 / 1e6 / started.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

fn first_number(text: &str) -> Fallible<u64> {
    Ok(text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?)
}

/// Linux counts in hundredths of a second for user space, whatever the kernel's own tick is.
fn ticks(count: u64) -> Duration {
    Duration::from_millis(10 * count)
}
