//! One connection: frames in, requests executed in order, replies out in order.
//!
//! A single task alternates: execute every request that is buffered, send every reply that is ready, wait for bytes or for
//! the reply in front. Replies that wait (an acknowledgement, a parked fetch) stand in a bounded queue; while it is full the
//! socket is not read. An idle connection holds no buffer.
//!
//! A buffer above `READ_STEP_BYTES` is charged to `shares.rs`. Buffers grow with what has come, never with what is announced. A timer looks
//! a second after it at a connection that stays inside a request, and each second at one that holds a large buffer: a buffer larger than what is in it is cut to size, and who brings next
//! to nothing for `klamm.request.progress.ms`, or fills slowly what others wait for, is closed.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::respond;
use super::shares::{Charge, Shares, charged};
use crate::api::{self, Broker, Dispatched, Reply, Session};
use crate::base::limits;
use crate::wire::Chunk;
use crate::wire::frame;

/// How long the answers to what a peer asked before it closed its side are waited for.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How long a stop waits for a peer that takes its answers slowly.
const STOP_SENDING_MAX: Duration = Duration::from_secs(1);

/// How often a connection is looked at that stays inside a request.
const LOOK: Duration = Duration::from_secs(1);

/// The same while others wait for memory.
const LOOK_WHEN_SHORT: Duration = Duration::from_millis(250);

/// Why a connection ended.
#[derive(Debug)]
pub enum End {
    /// The peer closed it, or the network did.
    Peer,
    /// Nothing came and nothing went for `connections.max.idle.ms`.
    Idle,
    /// A request was begun and next to nothing more of it came.
    Dawdled,
    /// The broker is stopping and everything asked was answered.
    Stopping,
    /// The peer sent what is not a request, or a request that closes the connection.
    Refused,
}

struct Connection {
    stream: TcpStream,
    broker: Arc<Broker>,
    shares: Arc<Shares>,
    session: Session,
    buffer: BytesMut,
    /// For the memory that the buffer lies in, if it is a large one.
    charge: Option<Arc<Charge>>,
    /// Bytes reserved for the next read into an empty buffer: what the last frame needed, within limits.
    step: usize,
    /// Bytes that the frame in the buffer needs to be read on; 0 if there is room.
    wanted: usize,
    /// Bytes read and frames cut so far.
    received: u64,
    frames: u64,
    /// Requests executed since it last waited for something.
    in_a_row: u32,
    /// When the first of them was.
    row_began: Instant,
    /// What the timer last saw of a frame that was begun.
    watched: Option<Watched>,
    replies: VecDeque<Reply>,
    /// Bytes in memory of the answers that stand in the queue.
    reply_bytes: usize,
    outgoing: VecDeque<Chunk>,
    /// The one timer: ends idleness, a stall of the peer, a drain.
    timer: Pin<Box<Sleep>>,
    last_activity: Instant,
    stopping: watch::Receiver<bool>,
}

/// A frame that was begun, as the timer saw it.
#[derive(Clone, Copy)]
struct Watched {
    /// Which frame.
    frame: u64,
    /// When it had last brought enough, and what had been received then.
    since: Instant,
    received: u64,
    /// What had been received a look ago.
    received_lately: u64,
}

/// What woke the connection.
enum Wake {
    Readable,
    ReplyReady,
    Timer,
    Stopping,
}

/// Serves a connection until it ends. `stopping` turns true when the broker stops.
pub async fn serve(
    stream: TcpStream,
    (broker, shares): (Arc<Broker>, Arc<Shares>),
    session: Session,
    stopping: watch::Receiver<bool>,
) -> End {
    let now = Instant::now();
    let timer = Box::pin(sleep_until(now + broker.limits.connection_idle));
    let mut connection = Connection {
        stream,
        broker,
        shares,
        session,
        buffer: BytesMut::new(),
        charge: None,
        step: limits::FIRST_READ_BYTES,
        wanted: 0,
        received: 0,
        frames: 0,
        in_a_row: 0,
        row_began: now,
        watched: None,
        replies: VecDeque::new(),
        reply_bytes: 0,
        outgoing: VecDeque::new(),
        timer,
        last_activity: now,
        stopping,
    };
    match connection.run().await {
        Ok(end) => end,
        Err(_) => End::Peer,
    }
}

impl Connection {
    async fn run(&mut self) -> io::Result<End> {
        loop {
            if let Some(end) = self.execute_buffered().await {
                return self.drain(end).await;
            }
            self.send_ready().await?;
            // A peer that never pauses gives the worker's other tasks their turn here.
            tokio::task::coop::consume_budget().await;
            let has_room = self.has_room();
            if has_room && self.has_whole_frame() {
                // The queue was full and has room again: the socket need not become readable for what is here already.
                continue;
            }
            let stopping = *self.stopping.borrow();
            if stopping && self.replies.is_empty() {
                return Ok(End::Stopping);
            }
            let read = has_room && !stopping;
            if read {
                if self.wanted > 0
                    && let Some(end) = self.enlarge().await
                {
                    return Ok(end);
                }
                match self.read_some() {
                    Ok(0) => return self.drain(End::Peer).await,
                    Ok(count) => {
                        self.received += count as u64;
                        self.last_activity = Instant::now();
                        continue;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            if read && !self.buffer.is_empty() && self.is_to_be_looked_at() {
                self.alarm(self.last_activity + LOOK);
            }
            match self.wait(read, stopping).await? {
                Wake::Readable | Wake::ReplyReady | Wake::Stopping => {}
                Wake::Timer => {
                    if let Some(end) = self.look(read) {
                        return Ok(end);
                    }
                }
            }
        }
    }

    /// Sees to it that the timer fires by then.
    fn alarm(&mut self, by: Instant) {
        if by < self.timer.deadline() {
            self.timer.as_mut().reset(by);
        }
    }

    /// Whether the frame that was begun is to be looked at soon: for the first time, or because it holds what others may wait for. Of
    /// thousands that hold next to nothing it is enough to see that they make progress.
    fn is_to_be_looked_at(&self) -> bool {
        self.charge.is_some() || self.watched.is_none_or(|seen| seen.frame != self.frames)
    }

    /// The timer fired: closes a connection that is idle or dawdles, and sets the timer again.
    fn look(&mut self, read: bool) -> Option<End> {
        let now = Instant::now();
        // Also if answers wait, as Kafka: a peer that is gone is not noticed while it is not read from.
        let idle = self.last_activity + self.broker.limits.connection_idle;
        if now >= idle {
            return Some(End::Idle);
        }
        if !read || self.buffer.is_empty() {
            self.watched = None;
            self.timer.as_mut().reset(idle);
            return None;
        }
        let is_short = self.shares.is_short();
        let next = match &self.charge {
            None => self.broker.limits.request_progress,
            Some(_) if is_short => LOOK_WHEN_SHORT,
            Some(_) => LOOK,
        };
        self.timer.as_mut().reset(idle.min(now + next));
        let fresh = Watched { frame: self.frames, since: now, received: self.received, received_lately: self.received };
        let Some(seen) = self.watched.filter(|seen| seen.frame == self.frames) else {
            self.watched = Some(fresh);
            self.cut_to_size();
            return None;
        };
        if self.received - seen.received >= limits::FRAME_PROGRESS_BYTES {
            self.watched = Some(fresh);
        } else if now - seen.since >= self.broker.limits.request_progress {
            return Some(self.dawdles("a request was begun and does not come"));
        } else {
            self.watched = Some(Watched { received_lately: self.received, ..seen });
        }
        if let Some(charge) = self.charge.as_ref().filter(|_| is_short) {
            let least =
                (charge.bytes() / limits::FRAME_PROGRESS_WHEN_SHORT).max(limits::FRAME_PROGRESS_WHEN_SHORT_BYTES);
            if self.received - seen.received_lately < least as u64 {
                return Some(self.dawdles("a large request comes slowly while others wait for memory"));
            }
        }
        self.cut_to_size();
        None
    }

    fn dawdles(&self, why: &str) -> End {
        self.broker.metrics.requests_dawdled.add(1);
        self.broker.complaints.say(&self.session, &why);
        End::Dawdled
    }

    /// No more is read from the peer; what it asked is still answered, if the answers come soon. A parked fetch of a peer
    /// that is gone would otherwise stay for as long as it was to wait.
    async fn drain(&mut self, end: End) -> io::Result<End> {
        let deadline = Instant::now() + DRAIN_MAX;
        loop {
            self.send_ready().await?;
            if self.replies.is_empty() {
                return Ok(end);
            }
            self.timer.as_mut().reset(deadline);
            tokio::select! {
                biased;
                () = poll_fn(|context| poll_replies(&mut self.replies, &mut self.reply_bytes, context)) => {}
                () = &mut self.timer => return Ok(end),
            }
        }
    }

    /// True while another request may be executed: the queue is bounded in replies and in bytes.
    fn has_room(&self) -> bool {
        let limits = &self.broker.limits;
        self.replies.len() < limits.replies_max && self.reply_bytes < limits.reply_bytes_max
    }

    /// Executes the requests that are whole in the buffer. `Some` if the connection must end.
    async fn execute_buffered(&mut self) -> Option<End> {
        let shares = Arc::clone(&self.shares);
        let mut turn = None;
        while self.has_room() {
            if self.is_long_in_a_row() {
                self.in_a_row = 0;
                drop(turn.take());
                turn = shares.turn().await;
            }
            self.in_a_row += 1;
            let frame = match self.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return None,
                Err(error) => {
                    self.broker.metrics.requests_malformed.add(1);
                    self.broker.complaints.say(&self.session, &error);
                    return Some(End::Refused);
                }
            };
            self.broker.metrics.requests.add(1);
            let mut dispatched = api::dispatch(&self.broker, &mut self.session, frame);
            loop {
                match dispatched {
                    Dispatched::Reply(reply) => self.push(reply),
                    Dispatched::InOrder(work) => {
                        drop(turn.take());
                        let reply = work.await;
                        self.push(reply);
                    }
                    Dispatched::Heavy(work) => {
                        drop(turn.take());
                        dispatched = self.broker.heavy.run(work).await;
                        continue;
                    }
                    Dispatched::Then(work) => {
                        dispatched = work();
                        continue;
                    }
                    Dispatched::Silent => {}
                    Dispatched::Close => return Some(End::Refused),
                }
                break;
            }
        }
        None
    }

    /// Whether it is time for others: after many requests, and after fewer that take long.
    fn is_long_in_a_row(&mut self) -> bool {
        if self.in_a_row >= limits::REQUESTS_IN_A_ROW {
            return true;
        }
        if !self.in_a_row.is_multiple_of(limits::REQUESTS_BETWEEN_LOOKS) {
            return false;
        }
        let now = Instant::now();
        if self.in_a_row == 0 {
            self.row_began = now;
        }
        now - self.row_began > limits::TIME_IN_A_ROW
    }

    fn push(&mut self, reply: Reply) {
        self.reply_bytes += bytes_in_memory(&reply);
        self.replies.push_back(reply);
    }

    /// True if the buffer holds more to execute, or to refuse.
    fn has_whole_frame(&self) -> bool {
        let Some(head) = self.buffer.first_chunk::<4>() else { return false };
        let length = frame::request_length(*head, self.broker.limits.request_bytes_max);
        length.map_or(true, |length| self.buffer.len() >= 4 + length)
    }

    /// Cuts the next whole frame off the buffer, without its length.
    fn next_frame(&mut self) -> Result<Option<Bytes>, frame::FrameError> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let whole = 4 + frame::request_length(*head, self.broker.limits.request_bytes_max)?;
        let here = self.buffer.len();
        if here < whole {
            // The buffer grows with what has come, by at most four times: an announced length costs nothing. It grows when
            // less than it holds would fit, so that each byte is moved about once.
            let missing = whole - here;
            if self.buffer.capacity() - here < missing.min(here) {
                self.wanted = missing.min((3 * here).max(limits::READ_STEP_BYTES));
            }
            return Ok(None);
        }
        self.step = match whole {
            ..=limits::READ_STEP_BYTES => limits::READ_STEP_BYTES,
            // With room for the beginning of the next one.
            _ => (whole + limits::READ_STEP_BYTES).min(limits::READ_STEP_BYTES_MAX),
        };
        self.frames += 1;
        self.wanted = 0;
        let mut frame = self.buffer.split_to(whole);
        bytes::Buf::advance(&mut frame, 4);
        let frame = frame.freeze();
        Ok(Some(match &self.charge {
            Some(charge) if whole > limits::READ_STEP_BYTES => charged(frame, charge),
            _ => frame,
        }))
    }

    /// Makes room for what the frame in the buffer needs, when there is memory for it.
    async fn enlarge(&mut self) -> Option<End> {
        let more = std::mem::take(&mut self.wanted);
        if self.buffer.try_reclaim(more) {
            return None;
        }
        let bytes = self.buffer.len() + more;
        let charge = match bytes {
            ..=limits::READ_STEP_BYTES => None,
            _ => match self.shares.try_take(bytes) {
                Some(charge) => Some(charge),
                None => match self.wait_for_memory(bytes).await {
                    Some(charge) => Some(charge),
                    None => return Some(self.dawdles("there is no memory for a large request")),
                },
            },
        };
        self.move_buffer(bytes, charge);
        None
    }

    /// Waits in turn, for as long as a request may make no progress, since whoever waits may hold memory; longer if it holds none.
    async fn wait_for_memory(&mut self, bytes: usize) -> Option<Charge> {
        let patience = self.broker.limits.request_progress * if self.charge.is_some() { 1 } else { 3 };
        let charge = tokio::time::timeout(patience, self.shares.take(bytes)).await.ok()?;
        let now = Instant::now();
        // Until now it was not the peer's fault; from now on it is.
        let (frame, received) = (self.frames, self.received);
        self.watched = Some(Watched { frame, since: now, received, received_lately: received });
        self.last_activity = now;
        self.alarm(now + LOOK_WHEN_SHORT);
        Some(charge)
    }

    /// Puts what is in the buffer into a new one.
    fn move_buffer(&mut self, capacity: usize, charge: Option<Charge>) {
        let mut buffer = BytesMut::with_capacity(capacity);
        buffer.extend_from_slice(&self.buffer);
        self.buffer = buffer;
        self.charge = charge.map(Arc::new);
    }

    /// A peer that dawdles has no more memory than it fills, and a little room.
    fn cut_to_size(&mut self) {
        let fits = self.buffer.len() + self.buffer.len() / 2 + 256;
        if self.buffer.capacity() > fits.next_power_of_two() {
            let charge = match fits {
                ..=limits::READ_STEP_BYTES => None,
                _ => match self.shares.try_take(fits) {
                    Some(charge) => Some(charge),
                    None => return,
                },
            };
            self.move_buffer(fits, charge);
        }
    }

    fn read_some(&mut self) -> io::Result<usize> {
        if self.buffer.capacity() == self.buffer.len() {
            self.refill();
        }
        let result = self.stream.try_read_buf(&mut self.buffer);
        if result.is_err() && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.charge = None;
        }
        result
    }

    /// Makes room in a full buffer: for the next frames, or for more of a small one.
    fn refill(&mut self) {
        let room = match self.buffer.len() {
            0 => self.step,
            // Cut to size before.
            here if self.watched.is_some_and(|seen| seen.frame == self.frames) => {
                here.clamp(256, limits::READ_STEP_BYTES)
            }
            _ => limits::READ_STEP_BYTES,
        };
        if self.buffer.try_reclaim(room) {
            return;
        }
        let charge = if room > limits::READ_STEP_BYTES { self.shares.try_take(room) } else { None };
        let room = if charge.is_some() { room } else { room.min(limits::READ_STEP_BYTES) };
        self.move_buffer(self.buffer.len() + room, charge);
    }

    /// Sends the replies in front that are ready, in as few calls as they need.
    async fn send_ready(&mut self) -> io::Result<()> {
        while let Some(Reply::Ready(_)) = self.replies.front() {
            if let Some(reply) = self.replies.pop_front() {
                self.reply_bytes -= bytes_in_memory(&reply);
                let Reply::Ready(chunks) = reply else { continue };
                self.outgoing.extend(chunks);
            }
        }
        if !self.outgoing.is_empty() {
            self.send_outgoing().await?;
            if self.outgoing.capacity() > 64 {
                self.outgoing = VecDeque::new();
            }
        }
        match self.replies.front() {
            Some(Reply::Unsendable) => Err(io::ErrorKind::InvalidData.into()),
            _ => Ok(()),
        }
    }

    /// Sends all that is outgoing, as long as the peer takes some of it within `klamm.send.stall.ms`, and for no longer
    /// than `STOP_SENDING_MAX` once the broker stops.
    async fn send_outgoing(&mut self) -> io::Result<()> {
        let mut progress = Instant::now();
        let stall = self.broker.limits.send_stall;
        self.alarm(progress + stall);
        let mut stop_by = None;
        while !self.outgoing.is_empty() {
            let stopping = *self.stopping.borrow();
            if stopping && stop_by.is_none() {
                let by = Instant::now() + STOP_SENDING_MAX;
                stop_by = Some(by);
                self.timer.as_mut().reset(by);
            }
            tokio::select! {
                biased;
                sent = respond::send_some(&self.stream, &mut self.outgoing, &self.shares) => {
                    sent?;
                    progress = Instant::now();
                }
                () = &mut self.timer => {
                    let deadline = stop_by.unwrap_or(progress + stall);
                    if Instant::now() >= deadline {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    self.timer.as_mut().reset(deadline);
                }
                _ = self.stopping.changed(), if !stopping => {}
            }
        }
        self.last_activity = progress;
        Ok(())
    }

    async fn wait(&mut self, read: bool, stopping: bool) -> io::Result<Wake> {
        let pending = !self.replies.is_empty();
        self.in_a_row = 0;
        tokio::select! {
            biased;
            () = poll_fn(|context| poll_replies(&mut self.replies, &mut self.reply_bytes, context)), if pending => {
                Ok(Wake::ReplyReady)
            }
            ready = self.stream.readable(), if read => ready.map(|()| Wake::Readable),
            () = &mut self.timer => Ok(Wake::Timer),
            _ = self.stopping.changed(), if !stopping => Ok(Wake::Stopping),
        }
    }
}

/// Bytes of an answer that are in memory; regions of files are not.
fn bytes_in_memory(reply: &Reply) -> usize {
    let Reply::Ready(chunks) = reply else { return 0 };
    let of_chunk = |chunk: &Chunk| if let Chunk::Bytes(bytes) = chunk { bytes.len() } else { 0 };
    chunks.iter().map(of_chunk).sum()
}

/// Drives the replies from the front on, up to one that waits; ready once that in front can be sent. One sync makes many ready at
/// once: they leave together. What becomes ready is in memory from now on, and counted.
fn poll_replies(
    replies: &mut VecDeque<Reply>,
    reply_bytes: &mut usize,
    context: &mut std::task::Context<'_>,
) -> Poll<()> {
    for reply in replies.iter_mut() {
        if let Reply::Waiting(work) = reply {
            let Poll::Ready(ready) = work.as_mut().poll(context) else { break };
            *reply_bytes += bytes_in_memory(&ready);
            *reply = ready;
        }
    }
    match replies.front() {
        Some(Reply::Ready(_) | Reply::Unsendable) => Poll::Ready(()),
        Some(Reply::Waiting(_)) | None => Poll::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_task<F: Future>(
        _: impl FnOnce(TcpStream, (Arc<Broker>, Arc<Shares>), Session, watch::Receiver<bool>) -> F,
    ) -> usize {
        size_of::<F>()
    }

    /// An idle connection is this task, its timer, its session's strings and what the kernel has: below 4 KiB in all.
    #[test]
    fn the_task_of_a_connection_is_small() {
        let bytes = size_of_task(serve);
        println!("{bytes} bytes");
        assert!(bytes < 1536, "{bytes} bytes");
    }
}
