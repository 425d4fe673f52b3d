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

/// Why a connection ended.
#[derive(Debug)]
pub enum End {
    /// The peer closed it, or the network did.
    Peer,
    /// Nothing came or went for `connections.max.idle.ms`.
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
    replies: VecDeque<Reply>,
    outgoing: VecDeque<Chunk>,
    idle: Pin<Box<Sleep>>,
    last_activity: Instant,
    stopping: watch::Receiver<bool>,
}

/// What woke the connection.
enum Wake {
    Readable,
    ReplyReady,
    IdleTimer,
    Stopping,
}

/// Serves a connection until it ends. `stopping` turns true when the broker stops.
pub async fn serve(stream: TcpStream, broker: Arc<Broker>, session: Session, stopping: watch::Receiver<bool>) -> End {
    let now = Instant::now();
    let idle = Box::pin(sleep_until(now + broker.limits.connection_idle));
    let mut connection = Connection {
        stream,
        broker,
        session,
        buffer: BytesMut::new(),
        replies: VecDeque::new(),
        outgoing: VecDeque::new(),
        idle,
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
                self.send_ready().await?;
                return Ok(end);
            }
            self.send_ready().await?;
            if self.replies.len() < limits::REPLIES_IN_FLIGHT_MAX && self.has_whole_frame() {
                // The queue was full and has room again: the socket need not become readable for what is here already.
                continue;
            }
            let stopping = *self.stopping.borrow();
            if stopping && self.replies.is_empty() {
                return Ok(End::Stopping);
            }
            if self.replies.len() < limits::REPLIES_IN_FLIGHT_MAX && !stopping {
                match self.read_some() {
                    Ok(0) => return self.drain().await,
                    Ok(_) => {
                        self.last_activity = Instant::now();
                        continue;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            match self.wait(stopping).await? {
                Wake::Readable | Wake::ReplyReady | Wake::Stopping => {}
                Wake::IdleTimer => {
                    let deadline = self.last_activity + self.broker.limits.connection_idle;
                    if Instant::now() >= deadline && self.replies.is_empty() {
                        return Ok(End::Idle);
                    }
                    let next = deadline.max(Instant::now() + Duration::from_secs(1));
                    self.idle.as_mut().reset(next);
                }
            }
        }
    }

    /// The peer will send no more; what it asked is still answered.
    async fn drain(&mut self) -> io::Result<End> {
        while !self.replies.is_empty() {
            poll_fn(|context| poll_front(&mut self.replies, context)).await;
            self.send_ready().await?;
        }
        Ok(End::Peer)
    }

    /// Executes the requests that are whole in the buffer. `Some` if the connection must end.
    async fn execute_buffered(&mut self) -> Option<End> {
        while self.replies.len() < limits::REPLIES_IN_FLIGHT_MAX {
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
                Dispatched::Reply(reply) => self.replies.push_back(reply),
                Dispatched::InOrder(work) => {
                    let reply = work.await;
                    self.replies.push_back(reply);
                }
                Dispatched::Silent => {}
                Dispatched::Close => return Some(End::Refused),
            }
        }
        None
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
        let length = frame::request_length(*head, self.broker.limits.request_bytes_max)?;
        if self.buffer.len() < 4 + length {
            // The buffer grows with what has come, by at most four times: an announced length costs nothing.
            let missing = 4 + length - self.buffer.len();
            let step = (3 * self.buffer.len()).max(limits::READ_STEP_BYTES);
            self.buffer.reserve(missing.min(step));
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(4 + length);
        bytes::Buf::advance(&mut frame, 4);
        Ok(Some(frame.freeze()))
    }

    fn read_some(&mut self) -> io::Result<usize> {
        if self.buffer.capacity() == self.buffer.len() {
            self.buffer.reserve(limits::READ_STEP_BYTES);
        }
        let result = self.stream.try_read_buf(&mut self.buffer);
        if result.is_err() && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        result
    }

    /// Sends the replies in front that are ready, as few calls as they need.
    async fn send_ready(&mut self) -> io::Result<()> {
        while let Some(Reply::Ready(_)) = self.replies.front() {
            if let Some(Reply::Ready(chunks)) = self.replies.pop_front() {
                self.outgoing.extend(chunks);
            }
        }
        if self.outgoing.is_empty() {
            return match self.replies.front() {
                Some(Reply::Unsendable) => Err(io::ErrorKind::InvalidData.into()),
                _ => Ok(()),
            };
        }
        let sending = respond::send(&self.stream, &mut self.outgoing);
        tokio::time::timeout(self.broker.limits.connection_idle, sending).await??;
        self.last_activity = Instant::now();
        if self.outgoing.capacity() > 64 {
            self.outgoing = VecDeque::new();
        }
        Ok(())
    }

    async fn wait(&mut self, stopping: bool) -> io::Result<Wake> {
        let read = self.replies.len() < limits::REPLIES_IN_FLIGHT_MAX && !stopping;
        let pending = !self.replies.is_empty();
        tokio::select! {
            biased;
            () = poll_fn(|context| poll_front(&mut self.replies, context)), if pending => Ok(Wake::ReplyReady),
            ready = self.stream.readable(), if read => ready.map(|()| Wake::Readable),
            () = &mut self.idle => Ok(Wake::IdleTimer),
            _ = self.stopping.changed(), if !stopping => Ok(Wake::Stopping),
        }
    }
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
