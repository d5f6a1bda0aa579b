//! Options of a client.

use std::time::Duration;

use rustvault_protocol::Limits;
use rustvault_protocol::limits::{DEFAULT_MAX_KEY_BYTES, DEFAULT_MAX_VALUE_BYTES};

use crate::{LoginSecret, TlsOptions};

/// Longest time that [`Client::connect`](crate::Client::connect) may take, unless the options say otherwise.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest time that a request may take, unless the options say otherwise.
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Shortest timeout; shorter ones count as this, so that nobody looks for what is overdue again and again without a pause.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// Longest timeout; longer ones count as this, so that a deadline is always a point in time.
const MAX_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Options of a [`Client`](crate::Client): how it connects and how long it waits.
///
/// ```
/// use std::time::Duration;
/// use rustvault_client::Options;
///
/// let options = Options::new().request_timeout(Duration::from_secs(2)).reconnect(false);
/// ```
///
/// They may stand in the address as well: `rustvault://db.example:8080?request_timeout=2s&reconnect=false`.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) reconnect: bool,
    pub(crate) one_connection: bool,
    pub(crate) client_name: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<LoginSecret>,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) limits: Limits,
}

impl Options {
    /// The defaults: 5 s to connect, 30 s for a request, reconnecting, two connections without a name, neither a
    /// login nor TLS, keys up to 64 KiB,
    /// values up to 16 MiB.
    pub fn new() -> Self {
        Self {
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            reconnect: true,
            one_connection: false,
            client_name: None,
            user: None,
            password: None,
            tls: None,
            limits: Limits { max_key_bytes: DEFAULT_MAX_KEY_BYTES, max_value_bytes: DEFAULT_MAX_VALUE_BYTES },
        }
    }

    /// Sets the longest time that connecting may take, name lookup and greeting included; also the longest time that
    /// requests wait for a new connection after one broke. Default: 5 s; 1 ms to
    /// a year.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout.clamp(MIN_TIMEOUT, MAX_TIMEOUT);
        self
    }

    /// Sets the longest time that a request may take from when it is first polled to the answer, its upload included. Default: 30 s; 1 ms
    /// to a year.
    ///
    /// A request that is overdue fails by itself: the connection stays, and the answer is discarded when it
    /// comes. If the request was being sent, the rest of it is sent first, and those behind it wait; once
    /// overdue they fail as never sent, which is [retryable](crate::Error::is_retryable). Set a longer
    /// timeout for values that take longer to upload.
    ///
    /// A connection is given up, with all that was sent on it, when answers are due and nothing moves on it
    /// for this long (or for the connect timeout, if that is longer): no byte comes, and the system takes
    /// none of those to be sent. So a server that reads slowly, but steadily, is not given up.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout.clamp(MIN_TIMEOUT, MAX_TIMEOUT);
        self
    }

    /// Sets whether a connection that broke is opened again when there is something to send. Default: true.
    pub fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Sets whether reads and writes share one connection. Default: false, so that no read waits for a write.
    ///
    /// All commands of the client are then carried out in the order in which they were sent, and those on the connection
    /// itself, such as `CLIENT SETNAME`, hold for all that follow, until the connection breaks.
    pub fn one_connection(mut self, one_connection: bool) -> Self {
        self.one_connection = one_connection;
        self
    }

    /// Sets the name that the connections have in `CLIENT LIST`: up to 1,024 bytes of printable ASCII without spaces.
    /// Default: none.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// Sets the user to log in as, who needs a [password](Self::password). Default: none; with a password `default`.
    ///
    /// Each connection logs in when it begins. A login that the server refuses fails the requests that wait for it, and
    /// is tried again after 1 s, later after 10 s, if something is asked then.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Sets the password, or the token, of the user: 2 KiB at most. Default: none.
    pub fn password(mut self, secret: impl Into<LoginSecret>) -> Self {
        self.password = Some(secret.into());
        self
    }

    /// Speaks TLS, as an address `rustvaults://` does. Default: no TLS.
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets the longest key that is sent or accepted, in bytes; set it as the server has it. Default: 64 KiB.
    pub fn max_key_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_key_bytes = bytes;
        self
    }

    /// Sets the longest value that is sent or accepted, in bytes; set it as the server has it. Default: 16 MiB.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_value_bytes = bytes;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_never_zero_nor_endless() {
        let timeouts = |of: Duration| {
            let options = Options::new().request_timeout(of).connect_timeout(of);
            (options.request_timeout, options.connect_timeout)
        };
        assert_eq!(timeouts(Duration::ZERO), (MIN_TIMEOUT, MIN_TIMEOUT));
        assert_eq!(timeouts(Duration::MAX), (MAX_TIMEOUT, MAX_TIMEOUT));
    }
}
