//! The future of one command, which sends it when it is first polled.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustvault_protocol::Reply;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::client::ClientInner;
use crate::error::{Error, ErrorKind};
use crate::from_reply::{FromReply, unexpected};
use crate::pending::{Answered, Answers, PendingRequest, Prepared};

/// A command of a [`Client`](crate::Client) that is sent once this is awaited; the output is its typed reply.
///
/// Dropping it before it is polled sends nothing. Dropped later, it takes the command back if that was not sent yet;
/// otherwise the answer is discarded when it comes, and a write takes effect.
#[must_use = "a command is not sent until it is awaited"]
pub struct Call<T> {
    sending: Sending,
    is_write: bool,
    reply: PhantomData<fn() -> T>,
}

impl<T: FromReply> Call<T> {
    pub(crate) fn new(shared: &Arc<ClientInner>, prepared: Result<Prepared, Error>) -> Self {
        let is_write = prepared.as_ref().is_ok_and(|prepared| prepared.is_write);
        Self { sending: Sending::new(Arc::clone(shared), prepared), is_write, reply: PhantomData }
    }
}

impl<T: FromReply> Future for Call<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let is_write = self.is_write;
        let answers = ready!(Pin::new(&mut self.sending).poll(context))?;
        Poll::Ready(match answers {
            Answers::One(reply) => typed(reply, is_write),
            Answers::Many(_) => Err(protocol_error("several answers to one command".into())),
        })
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("is_write", &self.is_write).finish_non_exhaustive()
    }
}

/// Returns the reply as the type that was asked for, or the server's error.
pub(crate) fn typed<T: FromReply>(reply: Reply, is_write: bool) -> Result<T, Error> {
    if let Reply::Error(error) = reply {
        return Err(ErrorKind::Server { error, is_write }.into());
    }
    // Always matches: the connection's task has checked it.
    T::from_reply(reply).ok_or_else(|| protocol_error("a reply of another type than it matched".into()))
}

fn protocol_error(problem: String) -> Error {
    ErrorKind::Protocol { source: Arc::new(unexpected(problem)) }.into()
}

/// A request on its way: the future of its answers.
pub(crate) struct Sending(State);

enum State {
    /// Not sent, or not to be sent at all.
    Unsent(Arc<ClientInner>, Result<Prepared, Error>),
    /// In the hands of the connection's task, which watches the deadline: it alone knows whether the request was sent.
    /// Keeps the connections, whose tasks end with the last client.
    Queued {
        answer: oneshot::Receiver<Answered>,
        _shared: Arc<ClientInner>,
    },
    /// It waits for room in the queue, or has a connection of its own.
    Rare(Pin<Box<dyn Future<Output = Answered> + Send>>),
    Ended,
}

impl Sending {
    pub(crate) fn new(shared: Arc<ClientInner>, prepared: Result<Prepared, Error>) -> Self {
        Self(State::Unsent(shared, prepared))
    }
}

impl Future for Sending {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answered> {
        if matches!(self.0, State::Unsent(..))
            && let State::Unsent(shared, prepared) = std::mem::replace(&mut self.0, State::Ended)
        {
            self.0 = begin(shared, prepared?)?;
        }
        let answered = match &mut self.0 {
            State::Queued { answer, .. } => {
                ready!(Pin::new(answer).poll(context)).unwrap_or_else(|_| Err(runtime_gone()))
            }
            State::Rare(future) => ready!(future.as_mut().poll(context)),
            State::Unsent(..) | State::Ended => panic!("a command was polled after its answer"),
        };
        self.0 = State::Ended;
        Poll::Ready(answered)
    }
}

/// Hands a request to its connection. Time counts from here.
fn begin(shared: Arc<ClientInner>, prepared: Prepared) -> Result<State, Error> {
    if prepared.is_long {
        return Ok(State::Rare(Box::pin(async move { shared.ask_alone(&prepared).await })));
    }
    let after = shared.target.options.request_timeout;
    let now = Instant::now();
    let deadline = now + after;
    let (request, answer) = PendingRequest::new(prepared, now, deadline);
    let queued = shared.connection(request.is_write()).requests.try_send(request);
    match queued {
        Ok(()) => Ok(State::Queued { answer, _shared: shared }),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(runtime_gone()),
        Err(mpsc::error::TrySendError::Full(request)) => Ok(State::Rare(Box::pin(async move {
            let sent = shared.connection(request.is_write()).requests.send(request);
            timeout_at(deadline, sent)
                .await
                .map_err(|_| ErrorKind::NotSent { after })?
                .map_err(|_| runtime_gone())?;
            answer.await.unwrap_or_else(|_| Err(runtime_gone()))
        }))),
    }
}

fn runtime_gone() -> Error {
    ErrorKind::RuntimeGone.into()
}
