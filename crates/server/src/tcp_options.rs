//! Options of an accepted TCP socket: no delay, and time limits for a peer that has vanished or does not read.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// Unanswered probes after which the kernel ends the connection, if no other limit ends it earlier.
const KEEPALIVE_PROBES: u32 = 3;

/// Shortest time that written bytes may stay unacknowledged, or a peer's window shut, before the kernel ends the
/// connection. It also ends live peers that do not read, for example a process in a debugger, so it must not be short.
const MIN_USER_TIMEOUT: Duration = Duration::from_secs(120);

/// Prepares a TCP socket for serving; `keepalive` is the silence after which its peer is probed.
pub(crate) fn set(socket: impl AsFd, keepalive: Option<Duration>) -> io::Result<()> {
    let socket = socket.as_fd();
    // Answers are written whole, so Nagle's algorithm would only delay them.
    sockopt::set_tcp_nodelay(socket, true)?;
    if let Some(silence) = keepalive {
        sockopt::set_tcp_keepidle(socket, silence)?;
        sockopt::set_tcp_keepintvl(socket, probe_interval(silence))?;
        sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES)?;
        sockopt::set_socket_keepalive(socket, true)?;
    }
    let user_timeout_ms = user_timeout(keepalive).as_millis();
    sockopt::set_tcp_user_timeout(socket, u32::try_from(user_timeout_ms).unwrap_or(u32::MAX))?;
    Ok(())
}

/// Returns a third of the silence, as in Redis, so that the probes take as long as the silence before them.
fn probe_interval(silence: Duration) -> Duration {
    // The kernel accepts whole seconds only.
    Duration::from_secs((silence.as_secs() / u64::from(KEEPALIVE_PROBES)).max(1))
}

/// Returns the time after which unacknowledged bytes end the connection.
///
/// This limit overrides the number of probes (`TCP_USER_TIMEOUT` in tcp(7)), so it must be as long as all probes take.
fn user_timeout(keepalive: Option<Duration>) -> Duration {
    keepalive.map_or(MIN_USER_TIMEOUT, |silence| {
        MIN_USER_TIMEOUT.max(silence + probe_interval(silence) * KEEPALIVE_PROBES)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_on_unacknowledged_bytes_leaves_time_for_the_probes() {
        let secs = |keepalive: Option<u64>| user_timeout(keepalive.map(Duration::from_secs)).as_secs();
        assert_eq!(
            [None, Some(1), Some(60), Some(300), Some(32_767)].map(secs),
            [120, 120, 120, 600, 65_533]
        );
    }
}
