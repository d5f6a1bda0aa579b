use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a client gets to read its last answers.
const LINGER: Duration = Duration::from_secs(1);

const DISCARD_BYTES: usize = 1024;

/// Closes a connection so that the client surely gets what was written.
///
/// Closing a socket that holds unread input resets the connection, which can take the last answers from
/// the client; so the input is read and dropped until the client closes, for a second at most.
pub(crate) async fn close(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    // Running out of time is no failure: the client had its chance.
    timeout(LINGER, discard_input(stream)).await.unwrap_or(Ok(()))
}

async fn discard_input(mut stream: TcpStream) -> io::Result<()> {
    let mut discarded = Vec::with_capacity(DISCARD_BYTES);
    while stream.read_buf(&mut discarded).await? > 0 {
        discarded.clear();
    }
    Ok(())
}
