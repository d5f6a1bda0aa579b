//! Idle timeout of a connection.
//!
//! A request only stores the time; the timer is reset when it fires, once per timeout and not once per request.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A connection's idle timeout; without a limit no timer exists.
#[derive(Debug)]
pub(crate) struct IdleTimer {
    limit: Option<Duration>,
    last_active: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    /// Starts the timeout now.
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self { limit, last_active: Instant::now(), timer: None }
    }

    /// Sets another limit. The timeout runs from the last [`restart`](Self::restart).
    pub(crate) fn change_limit(&mut self, limit: Option<Duration>) {
        if limit != self.limit {
            // The timer may be set for a later time than the new limit allows.
            (self.limit, self.timer) = (limit, None);
        }
    }

    /// Starts the timeout again.
    pub(crate) fn restart(&mut self) {
        if self.limit.is_some() {
            self.last_active = Instant::now();
        }
    }

    /// Waits until the limit has passed since the last [`restart`](Self::restart).
    pub(crate) async fn expired(&mut self) {
        let Some(limit) = self.limit else { return pending().await };
        loop {
            let ends_at = self.last_active + limit;
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(ends_at)));
            timer.as_mut().await;
            // The timer may have been set before the last restart.
            if Instant::now() >= ends_at {
                return;
            }
            timer.as_mut().reset(ends_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_a_limit_after_it_was_last_active() {
        let mut timer = IdleTimer::new(Some(LIMIT));
        for _ in 0..5 {
            assert!(timeout(Duration::from_secs(9), timer.expired()).await.is_err());
            timer.restart();
        }
        let start = Instant::now();
        timer.expired().await;
        assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_limit_holds_from_the_next_restart_on() {
        let mut timer = IdleTimer::new(None);
        for (limit, seconds) in [(Some(LIMIT), 10), (Some(LIMIT * 6), 60), (Some(LIMIT / 2), 5)] {
            assert!(timeout(Duration::from_secs(1), timer.expired()).await.is_err());
            timer.change_limit(limit);
            timer.restart();
            let start = Instant::now();
            timer.expired().await;
            assert_eq!(start.elapsed().as_secs(), seconds);
            timer.restart();
        }
        timer.change_limit(None);
        assert!(timeout(Duration::from_secs(1 << 20), timer.expired()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_no_connection_is_idle() {
        let mut timer = IdleTimer::new(None);
        advance(Duration::from_secs(1 << 20)).await;
        assert!(timeout(Duration::from_secs(1 << 20), timer.expired()).await.is_err());
    }
}
