//! Who waits for a partition to move: fetches for bytes, produce answers for the high watermark.
//!
//! One `Waiter` per request, registered in each partition it concerns. A partition that moves takes its share off the
//! waiter; the waiter wakes when nothing is left, so a fetch over a thousand partitions wakes once and not at each append.
//!
//! Cases in which a registered waiter is woken: the high watermark (or last stable offset) passes its offset or brings its
//! bytes; the partition is deleted; the log is poisoned; the log start passes a fetch (`wake_fetches`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::ids::Offset;

/// Seats of a partition that keeps their memory while nobody waits.
const SEATS_KEPT: usize = 64;

/// What one request still waits for.
pub struct Waiter {
    /// Bytes (fetch) or partitions (produce) still missing; wakes at zero or below.
    remaining: AtomicI64,
    notify: Notify,
    done: AtomicBool,
}

impl Waiter {
    pub fn new(remaining: i64) -> Arc<Waiter> {
        Arc::new(Waiter { remaining: AtomicI64::new(remaining), notify: Notify::new(), done: AtomicBool::new(false) })
    }

    /// Takes `amount` off what is missing and wakes the request if that was the last.
    pub fn subtract(&self, amount: i64) {
        if self.remaining.fetch_sub(amount, Ordering::AcqRel) <= amount {
            self.wake();
        }
    }

    /// Wakes the request whatever is missing.
    pub fn wake(&self) {
        self.done.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Returns once the waiter was woken; at once if it was woken before.
    pub async fn wait(&self) {
        while !self.is_done() {
            self.notify.notified().await;
        }
    }
}

enum Want {
    /// A fetch: `subtract(bytes)` for every move, counted from what it has seen.
    Bytes,
    /// An answer: `subtract(1)` once the high watermark has reached the offset.
    Reach(Offset),
}

struct Entry {
    waiter: Arc<Waiter>,
    want: Want,
}

/// Where a request stands among the waiters of one partition; what `remove` is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat(usize);

/// The waiters of one partition.
#[derive(Default)]
pub struct Waiters {
    seats: Mutex<Seats>,
    /// Lets the hot path skip the lock.
    any: AtomicBool,
}

#[derive(Default)]
struct Seats {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
}

impl Seats {
    fn is_empty(&self) -> bool {
        self.free.len() == self.entries.len()
    }

    fn take(&mut self, entry: Entry) -> Seat {
        if let Some(at) = self.free.pop() {
            self.entries[at] = Some(entry);
            return Seat(at);
        }
        self.entries.push(Some(entry));
        Seat(self.entries.len() - 1)
    }

    /// Keeps the entries that `stay` says; gives the memory of a crowd back once all are gone.
    fn retain(&mut self, mut stay: impl FnMut(&Entry) -> bool) {
        for (at, slot) in self.entries.iter_mut().enumerate() {
            if slot.as_ref().is_some_and(|entry| !stay(entry)) {
                *slot = None;
                self.free.push(at);
            }
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.is_empty() {
            if self.entries.capacity() > SEATS_KEPT {
                *self = Seats::default();
            } else {
                self.entries.clear();
                self.free.clear();
            }
        }
    }
}

impl Waiters {
    /// Registers a fetch. Check the partition again afterwards: what came before is not counted.
    pub fn add_fetch(&self, waiter: &Arc<Waiter>) -> Seat {
        self.add(Entry { waiter: Arc::clone(waiter), want: Want::Bytes })
    }

    /// Registers an answer that leaves when the high watermark has reached `offset`. Check afterwards, as above.
    pub fn add_answer(&self, waiter: &Arc<Waiter>, offset: Offset) -> Seat {
        self.add(Entry { waiter: Arc::clone(waiter), want: Want::Reach(offset) })
    }

    fn add(&self, entry: Entry) -> Seat {
        let seat = self.seats.lock().take(entry);
        self.any.store(true, Ordering::SeqCst);
        // Pairs with the fence of `moved`: either it sees the entry, or the check that follows sees the move.
        fence(Ordering::SeqCst);
        seat
    }

    /// Forgets a request, if it is still there. Who registers must call this in the end, also if it is given up half-way.
    pub fn remove(&self, seat: Seat, waiter: &Arc<Waiter>) {
        let mut seats = self.seats.lock();
        if let Some(slot) = seats.entries.get_mut(seat.0)
            && slot.as_ref().is_some_and(|entry| Arc::ptr_eq(&entry.waiter, waiter))
        {
            *slot = None;
            seats.free.push(seat.0);
            seats.tidy();
        }
        self.any.store(!seats.is_empty(), Ordering::SeqCst);
    }

    /// The high watermark moved to `to`, bringing `bytes` bytes into view.
    pub fn moved(&self, to: Offset, bytes: i64) {
        fence(Ordering::SeqCst);
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let mut seats = self.seats.lock();
        seats.retain(|entry| match entry.want {
            Want::Bytes => {
                entry.waiter.subtract(bytes);
                !entry.waiter.is_done()
            }
            Want::Reach(offset) if offset <= to => {
                entry.waiter.subtract(1);
                false
            }
            Want::Reach(_) => true,
        });
        self.any.store(!seats.is_empty(), Ordering::SeqCst);
    }

    /// Wakes every fetch: what it waits for may be gone.
    pub fn wake_fetches(&self) {
        let mut seats = self.seats.lock();
        seats.retain(|entry| match entry.want {
            Want::Bytes => {
                entry.waiter.wake();
                false
            }
            Want::Reach(_) => true,
        });
        self.any.store(!seats.is_empty(), Ordering::SeqCst);
    }

    /// Wakes everyone: the partition is gone or refuses to go on.
    pub fn wake_all(&self) {
        let mut seats = self.seats.lock();
        for entry in std::mem::take(&mut *seats).entries.into_iter().flatten() {
            entry.waiter.wake();
        }
        self.any.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_wakes_when_its_bytes_are_there() {
        let waiters = Waiters::default();
        let waiter = Waiter::new(100);
        waiters.add_fetch(&waiter);
        waiters.moved(Offset(1), 60);
        assert!(!waiter.is_done());
        waiters.moved(Offset(2), 40);
        assert!(waiter.is_done());
        assert!(waiters.seats.lock().entries.is_empty());
    }

    #[test]
    fn an_answer_wakes_when_all_its_partitions_have_passed() {
        let (first, second) = (Waiters::default(), Waiters::default());
        let waiter = Waiter::new(2);
        first.add_answer(&waiter, Offset(10));
        second.add_answer(&waiter, Offset(5));
        first.moved(Offset(9), 1);
        second.moved(Offset(5), 1);
        assert!(!waiter.is_done());
        first.moved(Offset(12), 1);
        assert!(waiter.is_done());
    }

    #[test]
    fn requests_that_leave_do_not_pile_up() {
        let waiters = Waiters::default();
        let stays = Waiter::new(1);
        waiters.add_fetch(&stays);
        for _ in 0..1000 {
            let waiter = Waiter::new(1);
            let seat = waiters.add_fetch(&waiter);
            waiters.remove(seat, &waiter);
        }
        assert_eq!(waiters.seats.lock().entries.len(), 2);
        waiters.moved(Offset(1), 1);
        assert!(stays.is_done());
    }

    #[test]
    fn a_seat_that_another_has_taken_is_left_to_it() {
        let waiters = Waiters::default();
        let (first, second) = (Waiter::new(1), Waiter::new(1));
        let seat = waiters.add_fetch(&first);
        waiters.moved(Offset(1), 1);
        assert_eq!(waiters.add_fetch(&second), seat);
        waiters.remove(seat, &first);
        waiters.moved(Offset(2), 1);
        assert!(second.is_done());
    }
}
