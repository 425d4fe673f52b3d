//! The threads that do nothing but sync files, and who waits for them.
//!
//! A log that wants a sync is queued once; syncs of one log never overlap, syncs of several run side by side, because the
//! kernel merges concurrent fdatasyncs into one journal commit. One thread is kept for internal topics, so that a thousand busy
//! partitions cannot hold up a committed offset; threads that have nothing else to do help it, since the commits of many
//! groups are in many logs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long a stop waits for a sync.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Something with bytes to make durable.
pub trait Syncable: Send + Sync {
    /// Syncs once. Blocks. Called by one thread at a time for each queueing. True if it is to be queued again.
    fn sync_now(self: Arc<Self>) -> bool;
    /// Served by the reserved thread too.
    fn is_internal(&self) -> bool;
}

/// A pool of threads, started as they are needed.
pub struct SyncPool {
    state: Mutex<State>,
    ready: Condvar,
    internal_ready: Condvar,
    ended: Condvar,
    threads_max: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arc<dyn Syncable>>,
    internal: VecDeque<Arc<dyn Syncable>>,
    threads: usize,
    internal_thread: bool,
    internal_idle: bool,
    idle: usize,
    stopping: bool,
}

impl State {
    /// Syncs that threads of no special duty may take: one internal one is left to its own thread.
    fn for_anyone(&self) -> usize {
        self.queue.len() + self.internal.len().saturating_sub(usize::from(self.internal_idle))
    }
}

impl SyncPool {
    /// A pool of at most `threads_max` threads, one more for internal logs.
    pub fn new(threads_max: usize) -> Arc<SyncPool> {
        Arc::new(SyncPool {
            state: Mutex::default(),
            ready: Condvar::new(),
            internal_ready: Condvar::new(),
            ended: Condvar::new(),
            threads_max: threads_max.max(1),
        })
    }

    /// Queues one sync. Never blocks.
    pub fn submit(self: &Arc<Self>, work: Arc<dyn Syncable>) {
        let mut state = self.state.lock();
        if work.is_internal() {
            state.internal.push_back(work);
            if !state.internal_thread {
                state.internal_thread = self.spawn("klamm-sync-internal", true);
                if !state.internal_thread {
                    // Nobody would ever be acknowledged.
                    std::process::abort();
                }
                state.internal_idle = true;
            }
            if state.internal_idle {
                self.internal_ready.notify_one();
            }
            if state.for_anyone() == 0 {
                return;
            }
        } else {
            state.queue.push_back(work);
        }
        if state.idle < state.for_anyone() && state.threads < self.threads_max {
            let spawned = self.spawn("klamm-sync", false);
            state.threads += usize::from(spawned);
            if state.threads == 0 {
                std::process::abort();
            }
        }
        self.ready.notify_one();
    }

    /// Ends the threads once the queues are empty, and waits for that: a log cannot be closed while it is being synced. A
    /// sync that hangs is not waited for beyond `STOP_WAIT`.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.stopping = true;
        self.ready.notify_all();
        self.internal_ready.notify_all();
        let is_running = |state: &mut State| state.threads > 0 || state.internal_thread;
        if self.ended.wait_while_for(&mut state, is_running, STOP_WAIT).timed_out() {
            tracing::error!("a sync hangs");
        }
    }

    /// Starts a thread; false if the system has none left.
    fn spawn(self: &Arc<Self>, name: &str, internal: bool) -> bool {
        let pool = Arc::clone(self);
        let spawned =
            std::thread::Builder::new().name(name.to_owned()).stack_size(256 * 1024).spawn(move || pool.work(internal));
        spawned.inspect_err(|error| tracing::error!(%error, "no thread to sync with")).is_ok()
    }

    fn work(&self, internal: bool) {
        let mut state = self.state.lock();
        if internal {
            state.internal_idle = false;
        }
        loop {
            let next = if internal { None } else { state.queue.pop_front() };
            match next.or_else(|| state.internal.pop_front()) {
                Some(work) => {
                    drop(state);
                    let again = Arc::clone(&work).sync_now();
                    state = self.state.lock();
                    if again {
                        // This thread looks right away: nobody need be woken for it.
                        if internal { &mut state.internal } else { &mut state.queue }.push_back(work);
                    }
                }
                None if state.stopping => {
                    if internal {
                        state.internal_thread = false;
                    } else {
                        state.threads -= 1;
                    }
                    self.ended.notify_all();
                    return;
                }
                None => {
                    if internal {
                        state.internal_idle = true;
                        self.internal_ready.wait(&mut state);
                        state.internal_idle = false;
                    } else {
                        state.idle += 1;
                        self.ready.wait(&mut state);
                        state.idle -= 1;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    struct Counted {
        internal: bool,
        count: AtomicUsize,
        done: mpsc::SyncSender<()>,
    }

    impl Syncable for Counted {
        fn sync_now(self: Arc<Self>) -> bool {
            self.count.fetch_add(1, Ordering::SeqCst);
            self.done.send(()).expect("the test waits");
            false
        }

        fn is_internal(&self) -> bool {
            self.internal
        }
    }

    #[test]
    fn every_queued_sync_runs_once() {
        let pool = SyncPool::new(2);
        let (done, results) = mpsc::sync_channel(100);
        let plain = Arc::new(Counted { internal: false, count: AtomicUsize::new(0), done: done.clone() });
        let internal = Arc::new(Counted { internal: true, count: AtomicUsize::new(0), done });
        for _ in 0..20 {
            pool.submit(plain.clone());
            pool.submit(internal.clone());
        }
        for _ in 0..40 {
            results.recv().expect("a sync");
        }
        assert_eq!(plain.count.load(Ordering::SeqCst), 20);
        assert_eq!(internal.count.load(Ordering::SeqCst), 20);
        pool.stop();
    }

    struct Gated {
        internal: bool,
        begun: mpsc::SyncSender<()>,
        gate: Mutex<mpsc::Receiver<()>>,
        ended: AtomicUsize,
    }

    impl Syncable for Gated {
        fn sync_now(self: Arc<Self>) -> bool {
            self.begun.send(()).expect("the test waits");
            self.gate.lock().recv().expect("the test opens the gate");
            self.ended.fetch_add(1, Ordering::SeqCst);
            false
        }

        fn is_internal(&self) -> bool {
            self.internal
        }
    }

    /// Work whose syncs wait at a gate, and what tells that one has begun and what lets one end.
    fn gated(internal: bool) -> (Arc<Gated>, mpsc::Receiver<()>, mpsc::SyncSender<()>) {
        let ((begun, begins), (open, gate)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
        (Arc::new(Gated { internal, begun, gate: Mutex::new(gate), ended: AtomicUsize::new(0) }), begins, open)
    }

    /// The offsets of many groups are in many logs: one after another made a commit wait for all the others.
    #[test]
    fn internal_logs_are_synced_side_by_side_and_beside_busy_partitions() {
        let pool = SyncPool::new(2);
        let all: Vec<_> = [true, true, true, true].into_iter().map(gated).collect();
        all.iter().take(3).for_each(|(work, ..)| pool.submit(work.clone()));
        all.iter().take(3).for_each(|(_, begins, _)| begins.recv().expect("three run at once"));
        all.iter().take(3).for_each(|(.., open)| open.send(()).expect("open the gate"));
        // Both of the others are held up by partitions.
        let busy: Vec<_> = [false, false].into_iter().map(gated).collect();
        busy.iter().for_each(|(work, ..)| pool.submit(work.clone()));
        busy.iter().for_each(|(_, begins, _)| begins.recv().expect("begun"));
        pool.submit(all[3].0.clone());
        all[3].1.recv().expect("the thread of its own runs it");
        all[3].2.send(()).expect("open the gate");
        busy.iter().for_each(|(.., open)| open.send(()).expect("open the gate"));
        pool.stop();
        assert!(all.iter().all(|(work, ..)| work.ended.load(Ordering::SeqCst) == 1));
    }

    /// A stop used to return while a sync ran, and the log under it was closed as if all were durable.
    #[test]
    fn a_stop_waits_for_the_sync_that_runs() {
        let pool = SyncPool::new(1);
        let (work, begins, open) = gated(false);
        pool.submit(work.clone());
        begins.recv().expect("the sync begins");
        let stopping = std::thread::spawn(move || pool.stop());
        open.send(()).expect("open the gate");
        stopping.join().expect("stop");
        assert_eq!(work.ended.load(Ordering::SeqCst), 1);
    }
}
