//! What a handler returns, and what becomes of it on the way to the connection's reply queue.

use std::future::Future;
use std::pin::Pin;

use crate::wire::{ApiKey, Chunk, Message, RequestHeader, frame};

/// Work that goes on after the handler returned.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a handler decided.
pub enum Outcome<R> {
    /// The answer.
    Now(R),
    /// Executed; the answer comes when something has happened. The next request starts meanwhile.
    Later(Work<R>),
    /// Still executing, away from the runtime's threads: the next request of the connection waits for it.
    InOrder(Work<R>),
    /// No answer is due (acks=0).
    Silent,
    /// The connection must close.
    Close,
}

/// What stands in the connection's queue.
pub enum Reply {
    /// An encoded answer.
    Ready(Vec<Chunk>),
    /// Work that ends in an answer.
    Waiting(Work<Reply>),
    /// An answer too long for a frame: the connection must close.
    Unsendable,
}

/// What the connection does with a request that was dispatched.
pub enum Dispatched {
    Reply(Reply),
    InOrder(Work<Reply>),
    Silent,
    Close,
}

impl<R: Message + Send + 'static> Outcome<R> {
    /// Encodes the answer, now or when it comes.
    pub fn encoded(self, key: ApiKey, header: RequestHeader) -> Dispatched {
        match self {
            Outcome::Now(response) => Dispatched::Reply(encode(&response, key, &header)),
            Outcome::Later(work) => {
                Dispatched::Reply(Reply::Waiting(Box::pin(async move { encode(&work.await, key, &header) })))
            }
            Outcome::InOrder(work) => Dispatched::InOrder(Box::pin(async move { encode(&work.await, key, &header) })),
            Outcome::Silent => Dispatched::Silent,
            Outcome::Close => Dispatched::Close,
        }
    }
}

/// The answer to a request, encoded.
pub fn encode<R: Message>(response: &R, key: ApiKey, header: &RequestHeader) -> Reply {
    frame::answer(response, key, header.api_version, header.correlation_id).map_or(Reply::Unsendable, Reply::Ready)
}
