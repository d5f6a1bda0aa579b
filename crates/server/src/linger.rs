//! Lingering close: ends a connection so that the client still receives its last answers.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::transport::{Socket, Transport};

/// Longest wait for the client to close its end.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes that one read discards, after which other connections have a turn.
const DISCARD_BYTES: usize = 64 * 1024;

/// Closes a connection after the client has received what was written.
///
/// Closing a socket that holds unread input resets the connection, and the client may lose its last answers. So the input is
/// read and discarded until the client closes its end, for [`LINGER`] at most.
pub(crate) async fn close(mut transport: Transport) -> io::Result<()> {
    let closing = async {
        transport.shutdown().await?;
        // The bytes are discarded undecoded, so the layers above the socket are bypassed.
        discard_input(transport.socket_mut()).await
    };
    // A client that does not close its end in time is no error of this server.
    timeout(LINGER, closing).await.unwrap_or(Ok(()))
}

async fn discard_input(socket: &mut Socket) -> io::Result<()> {
    while poll_fn(|context| poll_discard(socket, context)).await? > 0 {
        yield_now().await;
    }
    Ok(())
}

/// Reads once; returns the number of discarded bytes, 0 after the client has closed its end.
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
