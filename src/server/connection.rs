//! One connection: frames in, requests executed in order, replies out in order.
//!
//! A single task alternates: execute every request that is buffered, send every reply that is ready, wait for bytes or for
//! the reply in front. Replies that wait (an acknowledgement, a parked fetch) stand in a bounded queue; while it is full the
//! socket is not read. An idle connection holds no buffer.

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
use crate::api::{self, Broker, Dispatched, Reply, Session};
use crate::base::limits;
use crate::wire::Chunk;
use crate::wire::frame;

/// How long the answers to what a peer asked before it closed its side are waited for.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How long a stop waits for a peer that takes its answers slowly.
const STOP_SENDING_MAX: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug)]
pub enum End {
    /// The peer closed it, or the network did.
    Peer,
    /// Nothing came and nothing went for `connections.max.idle.ms`.
    Idle,
    /// The broker is stopping and everything asked was answered.
    Stopping,
    /// The peer sent what is not a request, or a request that closes the connection.
    Refused,
}

struct Connection {
    stream: TcpStream,
    broker: Arc<Broker>,
    session: Session,
    buffer: BytesMut,
    /// Bytes reserved for the next read into an empty buffer: what the last frame needed, within limits.
    step: usize,
    replies: VecDeque<Reply>,
    /// Bytes in memory of the answers that stand in the queue.
    reply_bytes: usize,
    outgoing: VecDeque<Chunk>,
    /// The one timer: ends idleness, a stall of the peer, a drain.
    timer: Pin<Box<Sleep>>,
    last_activity: Instant,
    stopping: watch::Receiver<bool>,
}

/// What woke the connection.
enum Wake {
    Readable,
    ReplyReady,
    Timer,
    Stopping,
}

/// Serves a connection until it ends. `stopping` turns true when the broker stops.
pub async fn serve(stream: TcpStream, broker: Arc<Broker>, session: Session, stopping: watch::Receiver<bool>) -> End {
    let now = Instant::now();
    let timer = Box::pin(sleep_until(now + broker.limits.connection_idle));
    let mut connection = Connection {
        stream,
        broker,
        session,
        buffer: BytesMut::new(),
        step: limits::READ_STEP_BYTES,
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
                match self.read_some() {
                    Ok(0) => return self.drain(End::Peer).await,
                    Ok(_) => {
                        self.last_activity = Instant::now();
                        continue;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            match self.wait(read, stopping).await? {
                Wake::Readable | Wake::ReplyReady | Wake::Stopping => {}
                Wake::Timer => {
                    // Also if answers wait, as Kafka: a peer that is gone is not noticed while it is not read from.
                    let deadline = self.last_activity + self.broker.limits.connection_idle;
                    if Instant::now() >= deadline {
                        return Ok(End::Idle);
                    }
                    self.timer.as_mut().reset(deadline);
                }
            }
        }
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
                () = poll_fn(|context| poll_front(&mut self.replies, context)) => self.count_front(),
                () = &mut self.timer => return Ok(end),
            }
        }
    }

    /// True while another request may be executed: the queue is bounded in replies and in bytes.
    fn has_room(&self) -> bool {
        self.replies.len() < limits::REPLIES_IN_FLIGHT_MAX && self.reply_bytes < limits::REPLY_BYTES_IN_FLIGHT_MAX
    }

    /// Executes the requests that are whole in the buffer. `Some` if the connection must end.
    async fn execute_buffered(&mut self) -> Option<End> {
        while self.has_room() {
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
            match api::dispatch(&self.broker, &mut self.session, frame) {
                Dispatched::Reply(reply) => self.push(reply),
                Dispatched::InOrder(work) => {
                    let reply = work.await;
                    self.push(reply);
                }
                Dispatched::Silent => {}
                Dispatched::Close => return Some(End::Refused),
            }
        }
        None
    }

    fn push(&mut self, reply: Reply) {
        self.reply_bytes += bytes_in_memory(&reply);
        self.replies.push_back(reply);
    }

    /// Counts an answer that was waited for: now it is in memory.
    fn count_front(&mut self) {
        self.reply_bytes += self.replies.front().map_or(0, bytes_in_memory);
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
                self.buffer.reserve(missing.min((3 * here).max(limits::READ_STEP_BYTES)));
            }
            return Ok(None);
        }
        self.step = match whole {
            ..=limits::READ_STEP_BYTES => limits::READ_STEP_BYTES,
            // With room for the beginning of the next one.
            _ => (whole + limits::READ_STEP_BYTES).min(limits::READ_STEP_BYTES_MAX),
        };
        let mut frame = self.buffer.split_to(whole);
        bytes::Buf::advance(&mut frame, 4);
        Ok(Some(frame.freeze()))
    }

    fn read_some(&mut self) -> io::Result<usize> {
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(if self.buffer.is_empty() { self.step } else { limits::READ_STEP_BYTES });
        }
        let result = self.stream.try_read_buf(&mut self.buffer);
        if result.is_err() && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        result
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

    /// Sends all that is outgoing, as long as the peer takes some of it within `connections.max.idle.ms`, and for no longer
    /// than `STOP_SENDING_MAX` once the broker stops.
    async fn send_outgoing(&mut self) -> io::Result<()> {
        let mut progress = Instant::now();
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
                sent = respond::send_some(&self.stream, &mut self.outgoing) => {
                    sent?;
                    progress = Instant::now();
                }
                () = &mut self.timer => {
                    let deadline = stop_by.unwrap_or(progress + self.broker.limits.connection_idle);
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
        tokio::select! {
            biased;
            () = poll_fn(|context| poll_front(&mut self.replies, context)), if pending => {
                self.count_front();
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

/// Drives the reply in front; ready once it can be sent.
fn poll_front(replies: &mut VecDeque<Reply>, context: &mut std::task::Context<'_>) -> Poll<()> {
    match replies.front_mut() {
        Some(Reply::Waiting(work)) => match work.as_mut().poll(context) {
            Poll::Ready(reply) => {
                replies[0] = reply;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        },
        Some(Reply::Ready(_) | Reply::Unsendable) => Poll::Ready(()),
        None => Poll::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_task<F: Future>(_: impl FnOnce(TcpStream, Arc<Broker>, Session, watch::Receiver<bool>) -> F) -> usize {
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
