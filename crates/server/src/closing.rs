//! Why a connection ends: the word for its message, its counter in `INFO`, and whether the operator is warned.

use std::fmt::{self, Write as _};
use std::io;

use tracing::{debug, warn};

use crate::addr::Addr;
use crate::engine::Counter;
use crate::rate_limit::RateLimit;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client closed it.
    ByClient,
    /// The client said `QUIT`.
    Quit,
    /// Another client, or it itself, had it disconnected.
    Killed,
    /// The client sent bytes after which nothing can be understood.
    ProtocolError,
    /// The client speaks another protocol, such as HTTP.
    ForeignProtocol,
    /// The client did not read, and more was held for it than it may have.
    OutputLimit,
    /// The client did not read for longer than it may.
    OutputStalled,
    /// Nothing came for longer than the idle timeout.
    Idle,
    /// The client's machine did not answer any more, or took nothing for minutes: keepalive or `TCP_USER_TIMEOUT`.
    Unreachable,
    /// The connection was reset, or failed otherwise.
    Lost,
    /// The server stops.
    Stopping,
}

impl CloseReason {
    /// Every reason, in the order of `INFO`.
    pub(crate) const ALL: [Self; 11] = [
        Self::ByClient,
        Self::Quit,
        Self::Killed,
        Self::ProtocolError,
        Self::ForeignProtocol,
        Self::OutputLimit,
        Self::OutputStalled,
        Self::Idle,
        Self::Unreachable,
        Self::Lost,
        Self::Stopping,
    ];

    /// Returns the name of its counter in `INFO`, and its text in messages.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::ByClient => ("closed_by_client", "closed by the client"),
            Self::Quit => ("closed_quit", "the client asked for it"),
            Self::Killed => ("closed_killed", "CLIENT KILL of another client"),
            Self::ProtocolError => ("closed_protocol_error", "protocol error"),
            Self::ForeignProtocol => ("closed_foreign_protocol", "the client speaks another protocol"),
            Self::OutputLimit => {
                let text =
                    "the client does not read its answers, which need more memory than --max-output-bytes";
                ("closed_output_limit", text)
            }
            Self::OutputStalled => ("closed_output_stalled", "the client does not read its answers"),
            Self::Idle => ("closed_idle", "idle for longer than --idle-timeout"),
            Self::Unreachable => {
                ("closed_unreachable", "the client's machine does not answer, or takes nothing")
            }
            Self::Lost => ("closed_lost", "lost"),
            Self::Stopping => ("closed_stopping", "the server stops"),
        }
    }

    /// Returns whether an operator should hear of it unasked: the client is at fault, and would not tell anybody.
    const fn is_warned_about(self) -> bool {
        matches!(self, Self::ProtocolError | Self::ForeignProtocol | Self::OutputLimit | Self::OutputStalled)
    }
}

/// The end of a connection: why, and what exactly happened.
///
/// It travels as an [`io::Error`] where a read or a write ends the connection, so `?` carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    /// May be empty; it holds what a client sent, so it is only ever shown escaped.
    detail: String,
}

impl Closing {
    pub(crate) fn new(reason: CloseReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Returns the end that a failed read or write means.
    pub(crate) fn of(error: &io::Error) -> Self {
        if let Some(closing) = error.get_ref().and_then(|source| source.downcast_ref::<Self>()) {
            return closing.clone();
        }
        let reason = match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                CloseReason::Unreachable
            }
            _ => CloseReason::Lost,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<CloseReason> for Closing {
    fn from(reason: CloseReason) -> Self {
        Self::new(reason, "")
    }
}

impl From<Closing> for io::Error {
    fn from(closing: Closing) -> Self {
        Self::other(closing)
    }
}

impl std::error::Error for Closing {}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.names().1)?;
        let separator = if self.detail.is_empty() { "" } else { ": " };
        f.write_str(separator)?;
        self.detail.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_debug()),
            false => f.write_char(char),
        })
    }
}

/// The connections that have ended, counted by reason.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    by_reason: [ReasonCounts; CloseReason::ALL.len()],
}

/// The connections that ended for one reason, and the warnings about them.
#[derive(Debug, Default)]
struct ReasonCounts {
    closed: Counter,
    warnings: RateLimit,
}

impl Closings {
    /// Counts a connection that has ended, and reports it: a fault of the client's as a warning, within a limit.
    pub(crate) fn report(&self, peer: &Addr, closing: &Closing) {
        let Some(counts) = self.by_reason.get(closing.reason as usize) else { return };
        counts.closed.add(1);
        match closing.reason.is_warned_about().then(|| counts.warnings.admit()).flatten() {
            Some(left_out) => warn!(%peer, left_out, reason = %closing, "connection closed"),
            None => debug!(%peer, reason = %closing, "connection closed"),
        }
    }

    /// Returns the counters, by their names in `INFO`.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = CloseReason::ALL.iter().zip(&self.by_reason);
        all.map(|(reason, counts)| (reason.names().0, counts.closed.get()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn every_reason_is_counted_under_its_own_name() {
        let closings = Closings::default();
        let peer = Addr::from(SocketAddr::from(([127, 0, 0, 1], 1)));
        for (number, reason) in CloseReason::ALL.into_iter().enumerate() {
            (0..=number).for_each(|_| closings.report(&peer, &reason.into()));
        }
        let counters: Vec<_> = closings.counters().collect();
        for (number, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(counters[number], (reason.names().0, number as u64 + 1));
            assert_eq!(counters.iter().filter(|(name, _)| *name == reason.names().0).count(), 1);
        }
    }

    #[test]
    fn a_reason_survives_its_way_through_an_io_error() {
        let closing = Closing::new(CloseReason::OutputLimit, "33 MiB");
        assert_eq!(Closing::of(&closing.clone().into()), closing);
        let of = |kind: io::ErrorKind| Closing::of(&kind.into()).reason;
        assert_eq!(of(io::ErrorKind::TimedOut), CloseReason::Unreachable);
        assert_eq!(of(io::ErrorKind::ConnectionReset), CloseReason::Lost);
    }

    #[test]
    fn what_a_client_sent_cannot_begin_a_line_of_its_own() {
        let closing = Closing::new(CloseReason::ProtocolError, "a\r\n\u{1b}[31mb");
        assert!(!closing.to_string().contains(char::is_control), "{closing}");
    }
}
