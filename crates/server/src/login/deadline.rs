//! Deadline for the login of a connection, where there are users.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use rustvault_protocol::{ErrorCode, ErrorReply};
use tokio::time::{Instant, Sleep, sleep};

use crate::clients::ConnectedClient;

/// Longest time from the beginning of a connection, or from a logout, to the login.
pub(crate) const LOGIN_DEADLINE: Duration = Duration::from_secs(5);

/// The deadline of a connection; without a timer while it is logged in.
#[derive(Debug, Default)]
pub(crate) struct LoginDeadline {
    timer: Option<Pin<Box<Sleep>>>,
}

impl LoginDeadline {
    /// Starts the time if the client has to log in and did not have to before, and ends it if the client has.
    #[inline]
    pub(crate) fn follow(&mut self, must_log_in: bool) {
        if must_log_in != self.timer.is_some() {
            self.timer = must_log_in.then(|| Box::pin(sleep(LOGIN_DEADLINE)));
        }
    }

    /// Returns whether the time is over. A client that sends without a pause is always ready to be read, and never waited for.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.timer.as_ref().is_some_and(|timer| timer.deadline() <= Instant::now())
    }

    /// Waits until the time is over, for ever if it is not running.
    pub(crate) async fn expired(&mut self) {
        match &mut self.timer {
            Some(timer) => timer.await,
            None => pending().await,
        }
    }

    /// Waits until the time is over, for ever if the client has logged in by then.
    pub(crate) async fn expired_before_login(&mut self, client: &ConnectedClient) {
        self.expired().await;
        if client.user().is_some() {
            pending::<()>().await;
        }
    }
}

/// Returns the error for a client that did not log in in time.
#[cold]
pub(crate) fn late_login() -> Box<ErrorReply> {
    let message =
        format_args!("no login within {} seconds; the connection is closed", LOGIN_DEADLINE.as_secs());
    Box::new(ErrorReply::new(ErrorCode::AuthRequired, message))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_runs_from_the_beginning_or_a_logout_and_never_after_a_login() {
        let (mut deadline, start) = (LoginDeadline::default(), Instant::now());
        let long = LOGIN_DEADLINE * 1000;
        assert!(timeout(long, deadline.expired()).await.is_err());
        for _ in 0..2 {
            deadline.follow(true);
            assert!(timeout(LOGIN_DEADLINE - Duration::from_millis(1), deadline.expired()).await.is_err());
            // Requests that do not log in give no more time.
            deadline.follow(true);
            assert!(timeout(Duration::from_millis(2), deadline.expired()).await.is_ok());
            deadline.follow(false);
            assert!(timeout(long, deadline.expired()).await.is_err());
        }
        assert!(start.elapsed() > long * 3);
    }
}
