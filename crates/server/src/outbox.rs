//! Writes to a client that may not read: whoever takes nothing for too long is given up.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use rustix::net::{SendFlags, send};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::select;
use tokio::time::timeout;

use crate::clients::Client;
use crate::closing::{CloseReason, Closing};

/// Longest time in which a client may take nothing of its answers.
const MAX_STALL: Duration = Duration::from_secs(60);

/// Pieces that are written by one system call.
const MAX_SLICES: usize = 4;

/// Writes all `bytes`.
///
/// # Errors
/// A [`Closing`] for a client that takes nothing for [`MAX_STALL`] or is killed meanwhile; what writing fails with.
pub(crate) async fn write_all(
    stream: &mut TcpStream,
    bytes: &mut impl Buf,
    client: &Client,
) -> io::Result<()> {
    let send_now = |stream: &TcpStream, bytes: &[u8]| {
        Ok(send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    };
    write_all_to(stream, bytes, send_now, client.killed()).await
}

/// Does what [`write_all`] does; `send_now` writes what there is room for without asking whether there is.
async fn write_all_to<W: AsyncWrite + Unpin>(
    stream: &mut W,
    bytes: &mut impl Buf,
    send_now: impl Fn(&W, &[u8]) -> io::Result<usize>,
    killed: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut killed = pin!(killed);
    while bytes.has_remaining() {
        // A client that reads costs no timer.
        let written = match poll_fn(|context| Poll::Ready(poll_write(stream, context, bytes))).await {
            Poll::Ready(written) => written?,
            Poll::Pending => {
                let write = poll_fn(|context| poll_write(stream, context, bytes));
                // Boxed: a timer in every connection would be memory for those alone that do not read.
                let waited = Box::pin(timeout(MAX_STALL, write));
                let waited = select! {
                    waited = waited => waited,
                    () = &mut killed => return Err(Closing::from(CloseReason::Killed).into()),
                };
                match waited {
                    Ok(written) => written?,
                    // Linux tells of room once a third of the socket's buffer is free, so a slow reader may have taken
                    // up to a megabyte without a word of it.
                    Err(_) => match send_now(stream, bytes.chunk()) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(stalled()),
                        sent => sent?,
                    },
                }
            }
        };
        bytes.advance(written);
    }
    Ok(())
}

fn stalled() -> io::Error {
    let detail = format!("nothing was taken for {} seconds", MAX_STALL.as_secs());
    Closing::new(CloseReason::OutputStalled, detail).into()
}

fn poll_write<W: AsyncWrite + Unpin>(
    stream: &mut W,
    context: &mut Context<'_>,
    bytes: &impl Buf,
) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let written = match bytes.chunks_vectored(&mut slices) {
        0 | 1 => ready!(Pin::new(stream).poll_write(context, bytes.chunk()))?,
        count => {
            let slices = slices.get(..count).unwrap_or_default();
            ready!(Pin::new(stream).poll_write_vectored(context, slices))?
        }
    };
    Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    fn no_room(_: &DuplexStream, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_too_little_for_the_system_to_tell_is_not_given_up() {
        let (mut server, _client) = duplex(10);
        let began = Instant::now();
        let sends = Cell::new(0);
        let room_twice = |_: &DuplexStream, _: &[u8]| {
            sends.set(sends.get() + 1);
            if sends.get() > 2 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(1) }
        };
        let mut bytes = &[b'x'; 100][..];
        let error = write_all_to(&mut server, &mut bytes, room_twice, pending()).await.unwrap_err();
        assert_eq!(Closing::of(&error).reason, CloseReason::OutputStalled);
        assert_eq!((began.elapsed().as_secs(), bytes.len()), (3 * 60, 100 - 10 - 2));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_for_a_minute_is_given_up() {
        let (mut server, _client) = duplex(10);
        let began = Instant::now();
        let error = write_all_to(&mut server, &mut &[b'x'; 100][..], no_room, pending()).await.unwrap_err();
        assert_eq!(Closing::of(&error).reason, CloseReason::OutputStalled);
        assert_eq!(began.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_a_little_each_minute_is_not() {
        let (mut server, mut client) = duplex(10);
        let sent: Vec<u8> = (0..100).collect();
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            while read.len() < 100 {
                sleep(Duration::from_secs(59)).await;
                read.push(client.read_u8().await.unwrap());
            }
            read
        });
        let mut parts = Buf::chain(&sent[..33], &sent[33..34]).chain(&sent[34..]);
        write_all_to(&mut server, &mut parts, no_room, pending()).await.unwrap();
        assert_eq!(reading.await.unwrap(), sent);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_killed_while_it_takes_nothing_is_given_up_at_once() {
        let (mut server, _client) = duplex(10);
        let began = Instant::now();
        let written = write_all_to(&mut server, &mut &[b'x'; 100][..], no_room, ready(())).await;
        assert_eq!(Closing::of(&written.unwrap_err()).reason, CloseReason::Killed);
        assert_eq!(began.elapsed().as_secs(), 0);
    }
}
