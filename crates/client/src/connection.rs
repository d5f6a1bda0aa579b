//! The task that owns one connection: it sends what is queued, and connects anew when that breaks.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::address::Target;
use crate::dial::{Dialed, dial};
use crate::duplex::Duplex;
use crate::error::{Error, ErrorKind};
use crate::pending::PendingRequest;
use crate::queue::Queue;

/// First delay between two tries to connect; the random jitter comes on top.
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(20);

/// Longest delay between two tries to connect, before jitter.
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// Pause after a login that was refused, or a certificate that was, before the next try; it doubles.
const MIN_REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Longest such pause, before jitter.
const MAX_REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// A client's end of one of its connections.
#[derive(Debug)]
pub(crate) struct ConnectionHandle {
    pub(crate) requests: mpsc::Sender<PendingRequest>,
    outage: watch::Receiver<Option<Error>>,
}

impl ConnectionHandle {
    /// Waits until requests wait for a connection, and returns why they do.
    pub(crate) async fn outage(&self) -> Error {
        let mut outage = self.outage.clone();
        let error = outage.wait_for(Option::is_some).await.ok().and_then(|error| error.clone());
        error.unwrap_or_else(|| ErrorKind::RuntimeGone.into())
    }
}

/// Starts the task that owns one connection; it ends when `stop` is cancelled.
///
/// If none is `dialed` yet, it connects when the first request comes.
pub(crate) fn spawn(
    target: Arc<Target>,
    dialed: Option<Dialed>,
    stop: CancellationToken,
) -> ConnectionHandle {
    let (requests, queue) = Queue::new();
    let (outage, watched) = watch::channel(None);
    let connection = ConnectionTask { target, queue, broken: None, outage };
    tokio::spawn(stop.run_until_cancelled_owned(connection.run(dialed)));
    ConnectionHandle { requests, outage: watched }
}

/// Sends what is queued over one socket after another.
#[derive(Debug)]
struct ConnectionTask {
    target: Arc<Target>,
    queue: Queue,
    /// When the last socket broke, and why.
    broken: Option<(Instant, Arc<io::Error>)>,
    /// While requests wait for a connection: why there is none.
    outage: watch::Sender<Option<Error>>,
}

impl ConnectionTask {
    async fn run(mut self, mut dialed: Option<Dialed>) {
        loop {
            let dialed = match dialed.take() {
                Some(dialed) => dialed,
                None => self.reconnect().await,
            };
            let reason = Duplex::new(&self.target.options, dialed).run(&mut self.queue).await;
            debug!(addr = self.target.addr, %reason, "connection broke");
            self.broken = Some((Instant::now(), reason));
        }
    }

    /// Connects as soon as there is something to send, again and again until it works.
    async fn reconnect(&mut self) -> Dialed {
        let mut delays = backoff(self.target.options.connect_timeout);
        let mut pauses = refused_pauses();
        loop {
            if !self.queue.is_wanted() {
                self.outage.send_replace(None);
            }
            self.queue.ready().await;
            if let Some(error) = self.given_up() {
                self.queue.fail_all(&error);
                continue;
            }
            let target = Arc::clone(&self.target);
            self.outage.send_if_modified(|outage| {
                let is_first = outage.is_none();
                outage.get_or_insert_with(|| no_answer_yet(&target));
                is_first
            });
            let error = match self.meanwhile(dial(&target), None).await {
                Ok(dialed) => {
                    self.outage.send_replace(None);
                    return dialed;
                }
                Err(error) => error,
            };
            debug!(addr = target.addr, %error, "cannot connect");
            self.outage.send_replace(Some(error.clone()));
            if error.needs_somebody() {
                self.refuse_for(pauses.next().unwrap_or(MAX_REFUSED_PAUSE), &error).await;
                continue;
            }
            // A server that answered, but would not have us, will not change its mind soon.
            let may_change = error.is_not_connected() || error.is_login_put_off();
            if !may_change || !target.options.reconnect {
                self.queue.fail_all(&error);
            }
            let delay = delays.next().unwrap_or(MAX_RECONNECT_DELAY);
            self.meanwhile(sleep(delay), Some(&error)).await;
        }
    }

    /// Fails what waits, and what comes, for a while: a server must not be asked again and again what it refuses.
    async fn refuse_for(&mut self, pause: Duration, error: &Error) {
        let mut pause = pin!(sleep(pause));
        loop {
            self.queue.fail_all(error);
            tokio::select! {
                biased;
                () = &mut pause => return,
                () = self.queue.pull() => {}
            }
        }
    }

    fn given_up(&self) -> Option<Error> {
        let (_, reason) = self.broken.as_ref().filter(|_| !self.target.options.reconnect)?;
        let addr = self.target.addr.clone();
        Some(ErrorKind::Disconnected { addr, source: Arc::clone(reason) }.into())
    }

    /// Does `work` while requests are taken in, and fail when they have waited for a connection long enough.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>, last_error: Option<&Error>) -> T {
        let target = Arc::clone(&self.target);
        let broke_at = self.broken.as_ref().map(|(at, _)| *at);
        let ends_at = |request: &PendingRequest| patience_ends_at(request, broke_at, &target);
        let mut work = pin!(work);
        loop {
            let wake_at = self.queue.oldest().map(&ends_at);
            tokio::select! {
                biased;
                output = &mut work => return output,
                () = self.queue.pull(), if self.queue.has_room() => {}
                () = sleep_until(wake_at.unwrap_or_else(Instant::now)), if wake_at.is_some() => {
                    let error = || last_error.cloned().unwrap_or_else(|| no_connection_yet(&target));
                    self.queue.fail_overdue(ends_at, error);
                }
            }
        }
    }
}

/// Until when a request waits for a connection: the connect timeout from when it began to need one.
fn patience_ends_at(request: &PendingRequest, broke_at: Option<Instant>, target: &Target) -> Instant {
    let began = broke_at.map_or(request.queued_at, |at| at.max(request.queued_at));
    request.deadline.min(began + target.options.connect_timeout)
}

fn no_answer_yet(target: &Target) -> Error {
    target.connect_error(io::Error::new(io::ErrorKind::TimedOut, "no answer yet"))
}

fn no_connection_yet(target: &Target) -> Error {
    target.connect_error(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))
}

/// Delays short enough that a request has several tries within the connect timeout.
fn backoff(connect_timeout: Duration) -> ExponentialBackoff {
    let max_delay = MAX_RECONNECT_DELAY.min(connect_timeout / 4);
    ExponentialBuilder::new()
        .with_jitter()
        .with_min_delay(MIN_RECONNECT_DELAY.min(max_delay))
        .with_max_delay(max_delay)
        .without_max_times()
        .build()
}

fn refused_pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_jitter()
        .with_min_delay(MIN_REFUSED_PAUSE)
        .with_max_delay(MAX_REFUSED_PAUSE)
        .without_max_times()
        .build()
}
