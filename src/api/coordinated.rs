//! How a handler asks the coordinator of a group, and how its answer becomes the client's.

use std::sync::Arc;

use tokio::task::block_in_place;

use super::{Broker, Call, Outcome, errors};
use crate::coordinator::group::event::{Client, Event, GroupError, Reply};
use crate::coordinator::groups::GroupShell;
use crate::coordinator::shell::{Called, ShellError};
use crate::wire::ErrorCode;

/// Asks the coordinator of a group. `answer` gets the reply, or the error of a coordinator that is not here.
pub fn ask<R: Send + 'static>(
    call: &Call<'_>,
    group: &str,
    event: Event,
    answer: impl FnOnce(Result<Reply, ErrorCode>) -> R + Send + 'static,
) -> Outcome<R> {
    ask_of(call.broker, call.is_aside, group, event, answer)
}

/// The same, on a thread of low priority or not.
pub fn ask_of<R: Send + 'static>(
    broker: &Arc<Broker>,
    is_aside: bool,
    group: &str,
    event: Event,
    answer: impl FnOnce(Result<Reply, ErrorCode>) -> R + Send + 'static,
) -> Outcome<R> {
    if is_aside {
        // A thread of low priority must not hold the lock of all groups of a partition. It may be megabytes that are written.
        let (broker, group) = (Arc::clone(broker), group.to_owned());
        return Outcome::Then(Box::new(move || block_in_place(|| ask_now(&broker, &group, event, answer))));
    }
    ask_now(broker, group, event, answer)
}

fn ask_now<R: Send + 'static>(
    broker: &Broker,
    group: &str,
    event: Event,
    answer: impl FnOnce(Result<Reply, ErrorCode>) -> R + Send + 'static,
) -> Outcome<R> {
    let Some(shell) = broker.groups.shell_of(group) else {
        return Outcome::Now(answer(Err(ErrorCode::NOT_COORDINATOR)));
    };
    match shell.call(event) {
        Called::Now(reply) => Outcome::Now(answer(reply.map_err(errors::of_shell))),
        Called::Later(pending) => {
            Outcome::Later(Box::pin(async move { answer(pending.answer().await.map_err(errors::of_shell)) }))
        }
    }
}

/// Asks the coordinators of several groups, or several coordinators; the replies come in that order.
pub fn ask_each<R: Send + 'static>(
    asked: Vec<(Option<Arc<GroupShell>>, Event)>,
    answer: impl FnOnce(Vec<Result<Reply, ErrorCode>>) -> R + Send + 'static,
) -> Outcome<R> {
    let ask = |(shell, event): (Option<Arc<GroupShell>>, Event)| match shell {
        Some(shell) => shell.call(event),
        None => Called::Now(Err(ShellError::NotCoordinator)),
    };
    let called: Vec<_> = asked.into_iter().map(ask).collect();
    if called.iter().all(|called| matches!(called, Called::Now(_))) {
        let now = |called| match called {
            Called::Now(reply) => Some(Result::map_err(reply, errors::of_shell)),
            Called::Later(_) => None,
        };
        return Outcome::Now(answer(called.into_iter().filter_map(now).collect()));
    }
    Outcome::Later(Box::pin(async move {
        let mut replies = Vec::with_capacity(called.len());
        for called in called {
            let reply = match called {
                Called::Now(reply) => reply,
                Called::Later(pending) => pending.answer().await,
            };
            replies.push(reply.map_err(errors::of_shell));
        }
        answer(replies)
    }))
}

/// Who asks, as groups remember it.
pub fn client(call: &Call<'_>) -> Client {
    let host = call.session.peer.ip().to_canonical();
    Client { id: call.client_id.unwrap_or_default().to_owned(), host: format!("/{host}") }
}

/// The code of a refusal.
pub fn code(error: &GroupError) -> ErrorCode {
    errors::of_group(error.refusal)
}

/// The code of an outcome.
pub fn code_of(outcome: &Result<(), GroupError>) -> ErrorCode {
    outcome.as_ref().map_or_else(code, |()| ErrorCode::NONE)
}
