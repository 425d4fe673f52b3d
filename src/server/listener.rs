//! Accepts connections on one address and starts a task for each, within the limits of `max.connections`, and not too many at once.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::shares::Shares;
use super::{connection, respond};
use crate::api::{Broker, Session};
use crate::base::limits;
use crate::base::metrics::Metrics;

/// Pause after an accept that failed for want of file descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Connections accepted before the worker's other tasks get their turn.
const ACCEPTED_AT_ONCE: u32 = 8;

/// One bound address of a named listener.
pub struct Listener {
    pub name: Arc<str>,
    pub socket: TcpListener,
}

/// How many connections there may be, as it is now: all of it may change while the broker runs.
#[derive(Clone, Copy)]
pub struct ConnectionBounds {
    /// `max.connections`.
    pub connections: usize,
    /// `max.connections.per.ip`.
    pub per_ip: usize,
    /// `max.connection.creation.rate`.
    pub per_second: u32,
}

/// What all connections together may take, from the configuration.
pub struct Bounds {
    /// What the process may open.
    pub open_files: u64,
    /// `queued.max.request.bytes`, if it is bounded.
    pub request_bytes: Option<usize>,
}

/// How many connections there may be, in all, from one address, and new ones; and what their requests may take.
pub struct Admission {
    shares: Arc<Shares>,
    pace: Mutex<Pace>,
    all: Arc<Semaphore>,
    per_ip_max: AtomicUsize,
    permits: Mutex<Permits>,
    /// Descriptors from here on are not for connections, but for a few.
    descriptors_max: u64,
    few: u64,
    per_ip: Mutex<HashMap<IpAddr, usize>>,
}

/// Spreads connections over time: one each `interval`, and those that were not used in the last second at once.
struct Pace {
    interval: Duration,
    /// When the next one is due.
    next: Instant,
}

impl Pace {
    const BURST: Duration = Duration::from_secs(1);

    /// Takes the next turn: how long to wait for it.
    fn turn(&mut self, now: Instant) -> Duration {
        let due = self.next.max(now.checked_sub(Self::BURST).unwrap_or(now));
        self.next = due + self.interval;
        due.saturating_duration_since(now)
    }

    /// Goes on at another rate; nobody waits longer for what the old one has put off.
    fn set_interval(&mut self, interval: Duration, now: Instant) {
        self.interval = interval;
        self.next = self.next.min(now + interval);
    }
}

fn interval(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
}

/// Permits that exist: more than wanted while connections are open that were let in when there might be more.
struct Permits {
    existing: usize,
    wanted: usize,
}

/// A place for one connection; dropping it gives the place back.
struct Place {
    admission: Arc<Admission>,
    ip: IpAddr,
    _permit: OwnedSemaphorePermit,
}

/// An open connection in the metrics, also if its task panics.
struct Open(Arc<Metrics>);

impl Open {
    fn new(metrics: &Arc<Metrics>) -> Open {
        metrics.connections_accepted.add(1);
        metrics.connections_open.add(1);
        Open(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_open.subtract(1);
    }
}

impl Admission {
    pub fn new(bounds: &Bounds, now: ConnectionBounds) -> Arc<Admission> {
        let connections_max = now.connections.min(Semaphore::MAX_PERMITS);
        let reserved = (bounds.open_files / 4).min(limits::FILES_RESERVED_MAX);
        Arc::new(Admission {
            shares: Shares::new(bounds.request_bytes),
            pace: Mutex::new(Pace { interval: interval(now.per_second), next: Instant::now() }),
            all: Arc::new(Semaphore::new(connections_max)),
            per_ip_max: AtomicUsize::new(now.per_ip),
            permits: Mutex::new(Permits { existing: connections_max, wanted: connections_max }),
            descriptors_max: bounds.open_files - reserved,
            few: bounds.open_files / 8,
            per_ip: Mutex::default(),
        })
    }

    /// Takes other bounds. Connections that are open stay.
    pub fn set_bounds(&self, now: ConnectionBounds) {
        self.per_ip_max.store(now.per_ip, Ordering::Relaxed);
        self.pace.lock().set_interval(interval(now.per_second), Instant::now());
        let mut permits = self.permits.lock();
        permits.wanted = now.connections.min(Semaphore::MAX_PERMITS);
        if permits.wanted > permits.existing {
            self.all.add_permits(permits.wanted - permits.existing);
            permits.existing = permits.wanted;
        } else {
            // Those in use are given up when they come back: `is_given_up`.
            permits.existing -= self.all.forget_permits(permits.existing - permits.wanted);
        }
    }

    /// True if there is a permit too many, which is the caller's.
    fn is_given_up(&self) -> bool {
        let mut permits = self.permits.lock();
        let is_too_many = permits.existing > permits.wanted;
        permits.existing -= usize::from(is_too_many);
        is_too_many
    }

    /// True if nearly all files that may be open are, and more than a few of them are connections. The system gives the lowest
    /// free descriptor, so all below are taken.
    fn is_short_of_files(&self, stream: &TcpStream) -> bool {
        let connections = self.permits.lock().existing.saturating_sub(self.all.available_permits());
        u64::try_from(stream.as_raw_fd()).is_ok_and(|descriptor| descriptor >= self.descriptors_max)
            && connections as u64 > self.few
    }

    fn place(self: &Arc<Self>, ip: IpAddr, permit: OwnedSemaphorePermit) -> Option<Place> {
        let ip = ip.to_canonical();
        let mut per_ip = self.per_ip.lock();
        let count = per_ip.entry(ip).or_default();
        if *count >= self.per_ip_max.load(Ordering::Relaxed) {
            if *count == 0 {
                per_ip.remove(&ip);
            }
            return None;
        }
        *count += 1;
        Some(Place { admission: Arc::clone(self), ip, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut per_ip = self.admission.per_ip.lock();
        if let Some(count) = per_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                per_ip.remove(&self.ip);
            }
        }
    }
}

/// Accepts until `stopping` turns true. `alive` is held by every connection: who owns its receiver sees the last one end.
///
/// A connection past `max.connections` waits in the kernel's queue, so that existing clients are undisturbed.
pub async fn accept_loop(
    listener: Listener,
    broker: Arc<Broker>,
    admission: Arc<Admission>,
    mut stopping: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    let mut failing = false;
    let mut accepted_at_once = 0;
    loop {
        accepted_at_once += 1;
        if accepted_at_once % ACCEPTED_AT_ONCE == 0 {
            tokio::task::yield_now().await;
        }
        let accepted = tokio::select! {
            accepted = accept(&listener, &admission) => accepted,
            _ = stopping.changed() => return,
        };
        let failed_before = std::mem::replace(&mut failing, accepted.is_err());
        match accepted {
            Ok(Some((stream, peer, place))) => {
                let session = Session::new(Arc::clone(&listener.name), stream.local_addr().ok(), peer);
                let (broker, stopping, alive) = (Arc::clone(&broker), stopping.clone(), alive.clone());
                let shares = Arc::clone(&admission.shares);
                tokio::spawn(async move {
                    let open = Open::new(&broker.metrics);
                    let end = connection::serve(stream, (broker, shares), session, stopping).await;
                    tracing::debug!(%peer, ?end, "connection closed");
                    drop((open, place, alive));
                });
            }
            Ok(None) => {}
            Err(error) => {
                if !failed_before {
                    tracing::warn!(listener = &*listener.name, %error, "accept failed");
                }
                broker.registry.give_files_back();
                tokio::select! {
                    () = tokio::time::sleep(BACK_OFF) => {}
                    _ = stopping.changed() => return,
                }
            }
        }
    }
}

async fn accept(listener: &Listener, admission: &Arc<Admission>) -> io::Result<Option<(TcpStream, SocketAddr, Place)>> {
    let permit = Arc::clone(&admission.all).acquire_owned().await.map_err(io::Error::other)?;
    if admission.is_given_up() {
        permit.forget();
        return Ok(None);
    }
    let (stream, peer) = listener.socket.accept().await?;
    let wait = admission.pace.lock().turn(Instant::now());
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    if admission.is_short_of_files(&stream) {
        return Err(io::Error::other("too many open files: a connection is closed, the rest is for the logs"));
    }
    let Some(place) = admission.place(peer.ip(), permit) else {
        tracing::debug!(%peer, "too many connections from one address");
        return Ok(None);
    };
    respond::prepare(&stream);
    Ok(Some((stream, peer, place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_connections_comes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let mut pace = Pace { interval: Duration::from_millis(100), next: start };
        let later = start + Duration::from_secs(60);
        let waits: Vec<u128> = (0..14).map(|_| pace.turn(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 200, 300]);
        assert_eq!(pace.turn(later + Duration::from_secs(1)).as_millis(), 0);
    }

    #[test]
    fn another_rate_holds_for_the_next_connection() {
        let start = Instant::now();
        let mut pace = Pace { interval: Duration::from_secs(60), next: start };
        let now = start + Duration::from_secs(1);
        let waits: Vec<u128> = (0..2).map(|_| pace.turn(now).as_millis()).collect();
        assert_eq!(waits, [0, 59_000]);
        pace.set_interval(Duration::from_millis(500), now);
        let waits: Vec<u128> = (0..2).map(|_| pace.turn(now).as_millis()).collect();
        assert_eq!(waits, [500, 1000]);
    }
}
