//! Deadlines of a connection that waits for its client: the idle timeout, and the time in which a request must go on arriving.
//!
//! A request only stores the time; the timer is set anew when it fires, once per timeout and not once per request. A request
//! that arrives whole does not even do that, unless there is an idle timeout.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::ServerConfig;
use crate::closing::CloseReason;

/// Bytes that an unfinished request must bring in each period of the request timeout.
///
/// A large value may take its time over a slow line, at a kilobyte a second by default. Whoever sends a byte now and then only
/// to keep a connection and its memory is given up after a period.
pub(crate) const MIN_PERIOD_BYTES: usize = 64 * 1024;

/// The deadlines of one connection; without limits no timer exists.
#[derive(Debug)]
pub(crate) struct Deadlines {
    idle_limit: Option<Duration>,
    request_limit: Option<Duration>,
    last_active: Instant,
    /// The request that has arrived in part, if there is one.
    unfinished: Option<UnfinishedRequest>,
    /// Since when a record of TLS has been arriving, of which nothing can be read before its end.
    partial_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct UnfinishedRequest {
    period_began: Instant,
    /// Bytes that have arrived in this period.
    period_bytes: usize,
}

impl Deadlines {
    /// Starts the idle timeout now.
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Self {
            idle_limit: config.idle_timeout,
            request_limit: config.request_timeout,
            last_active: Instant::now(),
            unfinished: None,
            partial_since: None,
            timer: None,
        }
    }

    /// Takes over the limits of a new configuration. An idle timeout that was not there before starts now.
    pub(crate) fn adopt(&mut self, config: &ServerConfig) {
        if self.idle_limit.is_none() {
            self.last_active = Instant::now();
        }
        (self.idle_limit, self.request_limit) = (config.idle_timeout, config.request_timeout);
    }

    /// Records that `bytes` have come and were answered, `requests` being whether a request among them was whole, and
    /// `is_unfinished` whether another one has begun.
    #[inline]
    pub(crate) fn received(&mut self, bytes: usize, requests: bool, is_unfinished: bool) {
        self.partial_since = None;
        if self.idle_limit.is_some() {
            self.last_active = Instant::now();
        }
        if !is_unfinished {
            self.unfinished = None;
            return;
        }
        match &mut self.unfinished {
            Some(request) if !requests => {
                request.period_bytes += bytes;
                if request.period_bytes >= MIN_PERIOD_BYTES {
                    *request = UnfinishedRequest::begin();
                }
            }
            unfinished => *unfinished = Some(UnfinishedRequest::begin()),
        }
    }

    /// Records whether a record has arrived in part. It holds memory as a request does, and has the same time.
    #[inline]
    pub(crate) fn arriving(&mut self, has_partial: bool) {
        if !has_partial {
            self.partial_since = None;
        } else if self.partial_since.is_none() {
            self.partial_since = Some(Instant::now());
        }
    }

    /// Starts the deadlines again, because bytes are there that could not be read yet.
    pub(crate) fn restart(&mut self) {
        self.last_active = Instant::now();
        if let Some(request) = &mut self.unfinished {
            request.period_began = self.last_active;
        }
        self.partial_since = None;
    }

    /// Waits until a limit has passed; returns which.
    pub(crate) fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            let Some((ends_at, reason)) = self.next() else { return Poll::Pending };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(ends_at)));
            if timer.deadline() > ends_at {
                timer.as_mut().reset(ends_at);
            }
            ready!(timer.as_mut().poll(context));
            // The timer may have been set for an earlier end.
            if Instant::now() >= ends_at {
                return Poll::Ready(reason);
            }
            timer.as_mut().reset(ends_at);
        }
    }

    /// Returns the deadline that passes first.
    fn next(&self) -> Option<(Instant, CloseReason)> {
        let idle = self.idle_limit.map(|limit| (self.last_active + limit, CloseReason::Idle));
        let unfinished = self.unfinished.as_ref().map(|request| request.period_began);
        let began = unfinished.into_iter().chain(self.partial_since).min().zip(self.request_limit);
        let request = began.map(|(began, limit)| (began + limit, CloseReason::RequestTimeout));
        match (idle, request) {
            (Some(idle), Some(request)) => Some(if idle.0 < request.0 { idle } else { request }),
            (idle, request) => idle.or(request),
        }
    }
}

impl UnfinishedRequest {
    fn begin() -> Self {
        Self { period_began: Instant::now(), period_bytes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{advance, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn deadlines(idle_timeout: Option<Duration>, request_timeout: Option<Duration>) -> Deadlines {
        Deadlines::new(&config(idle_timeout, request_timeout))
    }

    fn config(idle_timeout: Option<Duration>, request_timeout: Option<Duration>) -> ServerConfig {
        ServerConfig { idle_timeout, request_timeout, ..ServerConfig::default() }
    }

    /// Waits for `secs` seconds, or until a limit has passed.
    async fn wait(deadlines: &mut Deadlines, secs: u64) -> Option<CloseReason> {
        timeout(Duration::from_secs(secs), poll_fn(|context| deadlines.poll_expired(context))).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_a_limit_after_it_was_last_active() {
        let mut deadlines = deadlines(Some(LIMIT), None);
        for _ in 0..5 {
            assert_eq!(wait(&mut deadlines, 9).await, None);
            deadlines.received(1, true, false);
        }
        let start = Instant::now();
        assert_eq!(wait(&mut deadlines, 100).await, Some(CloseReason::Idle));
        assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_ends_a_connection() {
        let mut deadlines = deadlines(None, None);
        deadlines.received(1, false, true);
        advance(Duration::from_secs(1 << 20)).await;
        assert_eq!(wait(&mut deadlines, 1 << 20).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_timeout_that_is_new_starts_when_it_comes_and_one_that_is_gone_ends_nothing() {
        let mut deadlines = deadlines(None, None);
        assert_eq!(wait(&mut deadlines, 100).await, None);
        deadlines.adopt(&config(Some(LIMIT), None));
        assert_eq!(wait(&mut deadlines, 9).await, None);
        deadlines.adopt(&config(None, None));
        assert_eq!(wait(&mut deadlines, 100).await, None);
        deadlines.adopt(&config(Some(LIMIT), None));
        assert_eq!(wait(&mut deadlines, 11).await, Some(CloseReason::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_brings_little_is_given_up_after_a_period() {
        let mut deadlines = deadlines(None, Some(LIMIT));
        assert_eq!(wait(&mut deadlines, 100).await, None);
        let start = Instant::now();
        deadlines.received(1, false, true);
        for _ in 0..9 {
            assert_eq!(wait(&mut deadlines, 1).await, None);
            deadlines.received(MIN_PERIOD_BYTES / 10, false, true);
        }
        assert_eq!(wait(&mut deadlines, 100).await, Some(CloseReason::RequestTimeout));
        assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_goes_on_arriving_has_all_the_time_that_it_needs() {
        let mut deadlines = deadlines(None, Some(LIMIT));
        for _ in 0..1000 {
            deadlines.received(MIN_PERIOD_BYTES, false, true);
            assert_eq!(wait(&mut deadlines, 9).await, None);
        }
        deadlines.received(1, true, false);
        assert_eq!(wait(&mut deadlines, 100).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_that_does_not_end_is_given_up_and_one_that_ends_is_not() {
        let mut deadlines = deadlines(None, Some(LIMIT));
        for _ in 0..10 {
            deadlines.arriving(true);
            assert_eq!(wait(&mut deadlines, 9).await, None);
            deadlines.received(1, true, false);
        }
        deadlines.arriving(true);
        deadlines.arriving(false);
        assert_eq!(wait(&mut deadlines, 100).await, None);
        deadlines.arriving(true);
        assert_eq!(wait(&mut deadlines, 11).await, Some(CloseReason::RequestTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_that_begins_has_a_period_of_its_own() {
        let mut deadlines = deadlines(Some(LIMIT * 2), Some(LIMIT));
        for _ in 0..100 {
            deadlines.received(10, true, true);
            assert_eq!(wait(&mut deadlines, 9).await, None);
        }
        assert_eq!(wait(&mut deadlines, 2).await, Some(CloseReason::RequestTimeout));
    }
}
