//! The threads that do nothing but sync files, and who waits for them.
//!
//! A log that wants a sync is queued once; syncs of one log never overlap, syncs of several run side by side, because the
//! kernel merges concurrent fdatasyncs into one journal commit. One thread is kept for the metadata log and internal
//! topics, so that a thousand busy partitions cannot hold up a committed offset.

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
    idle: usize,
    stopping: bool,
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
            }
            self.internal_ready.notify_one();
        } else {
            state.queue.push_back(work);
            if state.idle < state.queue.len() && state.threads < self.threads_max {
                let spawned = self.spawn("klamm-sync", false);
                state.threads += usize::from(spawned);
                if state.threads == 0 {
                    std::process::abort();
                }
            }
            self.ready.notify_one();
        }
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
        loop {
            let next = if internal { state.internal.pop_front() } else { state.queue.pop_front() };
            match next {
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
                    state.idle += usize::from(!internal);
                    if internal { &self.internal_ready } else { &self.ready }.wait(&mut state);
                    state.idle -= usize::from(!internal);
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
            false
        }
    }

    /// A stop used to return while a sync ran, and the log under it was closed as if all were durable.
    #[test]
    fn a_stop_waits_for_the_sync_that_runs() {
        let pool = SyncPool::new(1);
        let ((begun, begins), (open, gate)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
        let work = Arc::new(Gated { begun, gate: Mutex::new(gate), ended: AtomicUsize::new(0) });
        pool.submit(work.clone());
        begins.recv().expect("the sync begins");
        let stopping = std::thread::spawn(move || pool.stop());
        open.send(()).expect("open the gate");
        stopping.join().expect("stop");
        assert_eq!(work.ended.load(Ordering::SeqCst), 1);
    }
}
