//! What a handler returns, and what becomes of it on the way to the connection's reply queue.

use std::future::Future;
use std::pin::Pin;

use crate::wire::{ApiKey, Chunk, Message, RequestHeader, frame};

/// Work that goes on after the handler returned.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs what blocks beside the runtime's own threads. A panic goes on in the caller: it ends the connection, not in an answer.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being shut down: nobody waits for the result.
        Err(_) => std::future::pending().await,
    }
}

/// What a handler decided.
pub enum Outcome<R> {
    /// The answer.
    Now(R),
    /// Executed; the answer comes when something has happened. The next request starts meanwhile.
    Later(Work<R>),
    /// Still executing, away from the runtime's threads: the next request of the connection waits for it.
    InOrder(Work<R>),
    /// To be executed by the threads for heavy work; the next request of the connection waits for it.
    Heavy(Box<dyn FnOnce() -> Outcome<R> + Send>),
    /// What heavy work leaves to be executed in place.
    Then(Box<dyn FnOnce() -> Outcome<R> + Send>),
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
    /// For the threads of [`super::heavy`].
    Heavy(Box<dyn FnOnce() -> Dispatched + Send>),
    /// For the connection's own task again.
    Then(Box<dyn FnOnce() -> Dispatched + Send>),
    Silent,
    Close,
}

/// Which request an answer belongs to.
#[derive(Clone, Copy)]
pub struct Asked {
    key: ApiKey,
    api_version: i16,
    correlation_id: i32,
}

impl Asked {
    pub fn of(key: ApiKey, header: &RequestHeader) -> Asked {
        Asked { key, api_version: header.api_version, correlation_id: header.correlation_id }
    }
}

impl<R: Message + Send + 'static> Outcome<R> {
    /// Encodes the answer, now or when it comes.
    pub fn encoded(self, asked: Asked) -> Dispatched {
        match self {
            Outcome::Now(response) => Dispatched::Reply(encode(&response, asked)),
            Outcome::Later(work) => {
                Dispatched::Reply(Reply::Waiting(Box::pin(async move { encode(&work.await, asked) })))
            }
            Outcome::InOrder(work) => Dispatched::InOrder(Box::pin(async move { encode(&work.await, asked) })),
            Outcome::Heavy(work) => Dispatched::Heavy(Box::new(move || work().encoded(asked))),
            Outcome::Then(work) => Dispatched::Then(Box::new(move || work().encoded(asked))),
            Outcome::Silent => Dispatched::Silent,
            Outcome::Close => Dispatched::Close,
        }
    }
}

/// The answer to a request, encoded.
pub fn encode<R: Message>(response: &R, asked: Asked) -> Reply {
    let frame = frame::answer(response, asked.key, asked.api_version, asked.correlation_id);
    frame.map_or(Reply::Unsendable, Reply::Ready)
}
