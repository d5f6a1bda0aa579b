//! Reasons for which a connection ends: their texts in messages, their counters in `INFO`, and which are warnings.

use std::fmt::{self, Write as _};
use std::io;

use tracing::{debug, warn};

use crate::clients::ConnectedClient;
use crate::engine::Counter;
use crate::rate_limit::RateLimit;

/// Reason for which a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client closed it.
    ByClient,
    /// The client sent `QUIT`.
    Quit,
    /// A `CLIENT KILL`, of another client or of its own.
    Killed,
    /// The client sent bytes after which no request can be recognised.
    ProtocolError,
    /// The client speaks another protocol, such as HTTP.
    ForeignProtocol,
    /// The handshake of TLS failed, or took too long.
    Handshake,
    /// The client did not read, and its answers needed more memory than `max_output_bytes`.
    OutputLimit,
    /// The client did not read for a minute.
    OutputStalled,
    /// All buffers together hold as much as `max_buffer_bytes`, and this client needed more.
    BufferLimit,
    /// A request began to arrive and did not go on.
    RequestTimeout,
    /// The client sent nothing for longer than the idle timeout.
    Idle,
    /// The client did not log in within the deadline.
    NotLoggedIn,
    /// The client's machine did not answer probes, or acknowledged nothing for minutes: keepalive or `TCP_USER_TIMEOUT`.
    Unreachable,
    /// The connection was reset, or failed otherwise.
    Lost,
    /// The server stops.
    Stopping,
}

impl CloseReason {
    /// Every reason, in the order of `INFO`.
    pub(crate) const ALL: [Self; 15] = [
        Self::ByClient,
        Self::Quit,
        Self::Killed,
        Self::ProtocolError,
        Self::ForeignProtocol,
        Self::Handshake,
        Self::OutputLimit,
        Self::OutputStalled,
        Self::BufferLimit,
        Self::RequestTimeout,
        Self::Idle,
        Self::NotLoggedIn,
        Self::Unreachable,
        Self::Lost,
        Self::Stopping,
    ];

    /// Returns the name of its counter in `INFO`, and its text in messages.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::ByClient => ("closed_by_client", "closed by the client"),
            Self::Quit => ("closed_quit", "the client asked for it"),
            Self::Killed => ("closed_killed", "a client disconnected it"),
            Self::ProtocolError => ("closed_protocol_error", "protocol error"),
            Self::ForeignProtocol => ("closed_foreign_protocol", "the client speaks another protocol"),
            Self::Handshake => ("closed_handshake", "the TLS handshake failed"),
            Self::OutputLimit => {
                let text =
                    "the client does not read its answers, which need more memory than --max-output-bytes";
                ("closed_output_limit", text)
            }
            Self::OutputStalled => ("closed_output_stalled", "the client does not read its answers"),
            Self::BufferLimit => {
                ("closed_buffer_limit", "the buffers of all connections hold as much as --max-buffer-bytes")
            }
            Self::RequestTimeout => {
                ("closed_request_timeout", "a request did not go on arriving within --request-timeout")
            }
            Self::Idle => ("closed_idle", "idle for longer than --idle-timeout"),
            Self::NotLoggedIn => ("closed_not_logged_in", "the client did not log in within 5 seconds"),
            Self::Unreachable => {
                ("closed_unreachable", "the client's machine does not answer, or takes nothing")
            }
            Self::Lost => ("closed_lost", "lost"),
            Self::Stopping => ("closed_stopping", "the server stops"),
        }
    }

    /// Returns its name in metrics: the one in `INFO` without what all of those begin with.
    fn metric_label(self) -> &'static str {
        let name = self.names().0;
        name.strip_prefix("closed_").unwrap_or(name)
    }

    /// Returns whether the end is reported as a warning: the client is at fault, and nobody else would report it.
    const fn is_warned_about(self) -> bool {
        matches!(
            self,
            Self::ProtocolError
                | Self::ForeignProtocol
                | Self::Handshake
                | Self::OutputLimit
                | Self::OutputStalled
                | Self::BufferLimit
                | Self::RequestTimeout
        )
    }
}

/// End of a connection: the reason, and details.
///
/// It converts to an [`io::Error`], so `?` returns it from reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    /// May be empty. It may contain bytes that the client sent, so it is only shown escaped.
    detail: String,
}

impl Closing {
    pub(crate) fn new(reason: CloseReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Returns the end that this error of a read or write stands for.
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
        // Beyond ASCII also what a terminal obeys and does not print, such as a change of the direction of writing.
        self.detail.chars().try_for_each(|char| match char.is_ascii_graphic() || char == ' ' {
            true => f.write_char(char),
            false => write!(f, "{}", char.escape_debug()),
        })
    }
}

/// Counters of ended connections, by reason.
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
    /// Counts and reports the end of a connection. A fault of the client is a warning, at a limited rate.
    pub(crate) fn report(&self, client: &ConnectedClient, closing: &Closing) {
        let Some(counts) = self.by_reason.get(closing.reason as usize) else { return };
        counts.closed.add(1);
        let (id, peer, user) = (client.id, &client.peer, client.user());
        let user = user.as_ref().map(|user| user.name.as_str());
        match closing.reason.is_warned_about().then(|| counts.warnings.admit()).flatten() {
            Some(left_out) => {
                warn!(%peer, client = id, user, left_out, reason = %closing, "connection closed")
            }
            None => debug!(%peer, client = id, user, reason = %closing, "connection closed"),
        }
    }

    /// Sets the counters to 0.
    pub(crate) fn reset(&self) {
        self.by_reason.iter().for_each(|counts| counts.closed.reset());
    }

    /// Returns the counts since the start, by their names in metrics.
    pub(crate) fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = CloseReason::ALL.iter().zip(&self.by_reason);
        all.map(|(reason, counts)| (reason.metric_label(), counts.closed.total()))
    }

    /// Returns the number of connections that ended for this reason.
    pub(crate) fn count(&self, reason: CloseReason) -> u64 {
        self.by_reason.get(reason as usize).map_or(0, |counts| counts.closed.get())
    }

    /// Returns the counters, by their names in `INFO`.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = CloseReason::ALL.iter().zip(&self.by_reason);
        all.map(|(reason, counts)| (reason.names().0, counts.closed.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Session;

    #[test]
    fn every_reason_is_counted_under_its_own_name() {
        let closings = Closings::default();
        let session = Session::for_tests();
        for (number, reason) in CloseReason::ALL.into_iter().enumerate() {
            (0..=number).for_each(|_| closings.report(&session.client, &reason.into()));
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
        let closing = Closing::new(CloseReason::ProtocolError, "a\r\n\u{1b}[31m \u{85}\u{2028}\u{202e}é'\"");
        assert_eq!(closing.to_string(), "protocol error: a\\r\\n\\u{1b}[31m \\u{85}\\u{2028}\\u{202e}é'\"");
    }
}
