//! What all connections share: the memory of requests that are being received (`queued.max.request.bytes`), turns of work, and the
//! threads that wait for the disk.
//!
//! Small buffers are free: a connection is charged when it needs one above `READ_STEP_BYTES`, for all of it, before it has it. The
//! charge goes back when the last slice of the bytes in it is dropped. Who finds nothing left waits in turn and is not read meanwhile.
//!
//! Who holds memory waits for no more than `klamm.request.progress.ms`. Connections that hold half a request each and all wait for more would wait forever. So one of them at a time may go beyond the
//! bound, by one request: it gets on, ends, and gives back what it had. Those that hold much and bring little while others
//! wait are closed (`connection.rs`), so the one is never held up by a peer that dawdles.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::api::heavy::Heavy;
use crate::base::limits;

/// What connections take from each other.
pub struct Shares {
    turns: Semaphore,
    free: Arc<Semaphore>,
    /// One place beyond the bound.
    beyond: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Reads what is not in memory.
    cold: Heavy,
}

/// Memory that is taken; dropping it gives it back.
pub struct Charge {
    bytes: usize,
    _permit: OwnedSemaphorePermit,
}

impl Charge {
    /// How much memory it stands for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// One that waits, while it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shares {
    /// Without a bound if it is none.
    pub fn new(bytes_max: Option<usize>) -> Arc<Shares> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let permits = bytes_max.unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Shares {
            turns: Semaphore::new(processors),
            free: Arc::new(Semaphore::new(permits)),
            beyond: Arc::new(Semaphore::new(1)),
            waiting: AtomicUsize::new(0),
            cold: Heavy::start("klamm-cold", limits::COLD_READ_THREADS),
        })
    }

    /// For a connection that has done much in a row and has more to do: lets others go first, then takes a turn. As many have one at
    /// a time as there are processors; the rest of them stands here and not before everybody else in the runtime's queues.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        tokio::task::yield_now().await;
        self.turns.acquire().await.ok()
    }

    /// Does what must wait for the disk, a few of them at a time.
    pub async fn read_cold<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.cold.run(work).await
    }

    /// Memory for so many bytes, if there is enough.
    pub fn try_take(&self, bytes: usize) -> Option<Charge> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(permits(bytes)).ok()?;
        Some(Charge { bytes, _permit: permit })
    }

    /// Memory for so many bytes, when it is there or when it is this one's turn to go beyond the bound.
    pub async fn take(&self, bytes: usize) -> Charge {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        let permit = tokio::select! {
            biased;
            permit = Arc::clone(&self.free).acquire_many_owned(permits(bytes)) => permit,
            permit = Arc::clone(&self.beyond).acquire_owned() => permit,
        };
        match permit {
            Ok(permit) => Charge { bytes, _permit: permit },
            // Semaphores that are never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// True while somebody waits for memory.
    pub fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A frame and the charge of the memory that it lies in.
struct Charged {
    frame: Bytes,
    _charge: Arc<Charge>,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

/// The frame; the charge goes back with its last slice, if nobody else has it then.
pub fn charged(frame: Bytes, charge: &Arc<Charge>) -> Bytes {
    Bytes::from_owner(Charged { frame, _charge: Arc::clone(charge) })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_taken_comes_back_with_the_last_slice() {
        let memory = Shares::new(Some(100));
        let charge = Arc::new(memory.try_take(60).expect("there is enough"));
        let frame = charged(Bytes::from_static(b"a frame"), &charge);
        let slice = frame.slice(2..);
        drop((charge, frame));
        assert!(memory.try_take(60).is_none(), "a slice holds it");
        drop(slice);
        assert!(memory.try_take(100).is_some());
    }

    #[test]
    fn one_at_a_time_goes_beyond_the_bound() {
        let memory = Shares::new(Some(100));
        let held = memory.try_take(100).expect("all of it");
        let Poll::Ready(beyond) = poll(pin!(memory.take(1000))) else { panic!("one may go beyond") };
        assert!(!memory.is_short());
        let mut second = pin!(memory.take(10));
        assert!(poll(second.as_mut()).is_pending());
        assert!(memory.is_short());
        drop(beyond);
        assert!(poll(second).is_ready(), "its turn");
        let mut third = pin!(memory.take(10));
        assert!(poll(third.as_mut()).is_ready(), "the second gave its place back when it was dropped");
        drop(held);
        assert!(memory.try_take(100).is_some());
    }

    #[test]
    fn without_a_bound_nobody_waits() {
        let memory = Shares::new(None);
        let _all: Vec<_> = (0..100).map(|_| memory.try_take(1 << 30).expect("unbounded")).collect();
    }
}
