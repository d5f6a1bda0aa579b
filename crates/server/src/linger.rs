//! Ends a connection so that the client still gets its last answers.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::transport::{Socket, Transport};

/// Longest time that a client gets to read its last answers.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes that are dropped at a time, after which other connections have a turn.
const DISCARD_BYTES: usize = 64 * 1024;

/// Closes a connection so that the client surely gets what was written.
///
/// Closing a socket that holds unread input resets the connection, which can take the last answers from
/// the client; so the input is read and dropped until the client closes, for a second at most.
pub(crate) async fn close(mut transport: Transport) -> io::Result<()> {
    let closing = async {
        transport.shutdown().await?;
        // Nobody wants to know what the bytes mean, so no layer is asked.
        discard_input(transport.socket_mut()).await
    };
    // Running out of time is no failure: the client had its chance.
    timeout(LINGER, closing).await.unwrap_or(Ok(()))
}

async fn discard_input(socket: &mut Socket) -> io::Result<()> {
    while poll_fn(|context| poll_discard(socket, context)).await? > 0 {
        yield_now().await;
    }
    Ok(())
}

/// Reads once; returns the bytes that were dropped, 0 once the client has closed.
fn poll_discard(socket: &mut Socket, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut room = [0; DISCARD_BYTES];
    let mut room = ReadBuf::new(&mut room);
    ready!(Pin::new(socket).poll_read(context, &mut room))?;
    Poll::Ready(Ok(room.filled().len()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Every connection has room for it from its beginning.
    #[test]
    fn ending_a_connection_takes_little_room_in_it() {
        let (stream, _client) = UnixStream::pair().unwrap();
        let closing = close(Transport::Plain(Socket::from(stream)));
        assert!(size_of_val(&closing) <= 512, "{}", size_of_val(&closing));
    }
}
