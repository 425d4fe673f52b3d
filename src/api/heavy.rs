//! Where requests go that may keep a processor busy for long: a million names, a batch that unpacks to a gigabyte.
//!
//! A few threads of a lower priority work them off in the order they came. What waits for them is one connection; the runtime's
//! own threads, and so everybody else, go on. Decoding, judging and answering belong here; nothing that others wait for does: a
//! thread of low priority must not hold a log's lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Threads for heavy work. They end when it is dropped.
pub struct Heavy {
    jobs: Mutex<mpsc::Sender<Job>>,
}

impl Heavy {
    /// Starts `threads` of them. Where none can be started, the work is refused. Called on a runtime, what they execute may start
    /// tasks of it.
    pub fn start(name: &str, threads: usize) -> Heavy {
        let runtime = tokio::runtime::Handle::try_current().ok();
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = std::sync::Arc::new(Mutex::new(queue));
        for _ in 0..threads.max(1) {
            let queue = std::sync::Arc::clone(&queue);
            let runtime = runtime.clone();
            let work = move || {
                be_humble();
                let _runtime = runtime.as_ref().map(tokio::runtime::Handle::enter);
                loop {
                    let job = queue.lock().recv();
                    match job {
                        Ok(job) => job(),
                        Err(_) => return,
                    }
                }
            };
            if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
                tracing::warn!(%error, name, "start a thread of low priority");
            }
        }
        Heavy { jobs: Mutex::new(jobs) }
    }

    /// Runs work there. A panic goes on in the caller: it ends the connection, not the thread.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            // Nobody waits for it any more, maybe.
            if !sender.is_closed() {
                let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
            }
        };
        // If there is no thread the job is dropped, and so is its sender.
        let _ = self.jobs.lock().send(Box::new(job));
        match receiver.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => panic!("no thread of low priority"),
        }
    }
}

/// Lowers the priority of the thread that calls.
fn be_humble() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "lower the priority of a thread");
    }
}

/// Beside a thread of normal priority such a one gets a tenth of a processor, alone all of it.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_reaches_the_caller_and_the_thread_goes_on() {
        let heavy = std::sync::Arc::new(Heavy::start("test", 1));
        let other = std::sync::Arc::clone(&heavy);
        let panicking = tokio::spawn(async move { other.run(|| panic!("on purpose")).await });
        assert!(panicking.await.expect_err("it panicked").is_panic());
        assert_eq!(heavy.run(|| 6 * 7).await, 42);
    }
}
