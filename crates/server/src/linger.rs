//! Ends a connection so that the client still gets its last answers.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

/// How long a client gets to read its last answers.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes that are dropped at a time, after which other connections have a turn.
const DISCARD_BYTES: usize = 64 * 1024;

/// Closes a connection so that the client surely gets what was written.
///
/// Closing a socket that holds unread input resets the connection, which can take the last answers from
/// the client; so the input is read and dropped until the client closes, for a second at most.
pub(crate) async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    // Running out of time is no failure: the client had its chance.
    timeout(LINGER, discard_input(stream)).await.unwrap_or(Ok(()))
}

async fn discard_input(stream: TcpStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        // A statement of its own: as part of the match the buffer would live across the yield, in every connection.
        let read = stream.try_read(&mut [0; DISCARD_BYTES]);
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every connection has room for it from its beginning.
    #[tokio::test]
    async fn ending_a_connection_takes_little_room_in_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let closing = close(stream);
        assert!(size_of_val(&closing) <= 512, "{}", size_of_val(&closing));
    }
}
