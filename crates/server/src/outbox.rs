//! Writes answers to a client, and gives up on one that does not read.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use tokio::io::AsyncWrite;
use tokio::select;
use tokio::time::timeout;

use crate::clients::ConnectedClient;
use crate::closing::{CloseReason, Closing};

/// Longest time in which a client may take no byte of its answers.
const MAX_STALL: Duration = Duration::from_secs(60);

/// Most slices that one system call writes.
const MAX_SLICES: usize = 4;

/// A writer to a client, which counts the bytes that the kernel has accepted.
pub(crate) trait Outlet: AsyncWrite + Unpin {
    /// Returns the number of bytes that the kernel has accepted.
    fn written_bytes(&self) -> u64;

    /// Makes the next write call the kernel although the runtime has not reported room.
    fn write_at_once(&mut self);
}

/// Writes and flushes all `bytes`.
///
/// # Errors
/// A [`Closing`] if the client takes no byte for [`MAX_STALL`] or is killed; the error of the write if that fails.
pub(crate) async fn write_all(
    outlet: &mut impl Outlet,
    bytes: &mut impl Buf,
    client: &ConnectedClient,
) -> io::Result<()> {
    write_all_unless(client.killed(), outlet, bytes).await
}

async fn write_all_unless(
    killed: impl Future<Output = ()>,
    outlet: &mut impl Outlet,
    bytes: &mut impl Buf,
) -> io::Result<()> {
    let mut killed = pin!(killed);
    loop {
        // The first try sets no timer: most writes succeed at once.
        let step = match step_now(outlet, bytes).await {
            Poll::Ready(step) => step?,
            Poll::Pending => {
                let written_bytes = outlet.written_bytes();
                let step = poll_fn(|context| poll_step(outlet, context, bytes));
                // Boxed, so that only connections whose client does not read have memory for a timer.
                let waited = Box::pin(timeout(MAX_STALL, step));
                let waited = select! {
                    waited = waited => waited,
                    () = &mut killed => return Err(Closing::from(CloseReason::Killed).into()),
                };
                match waited {
                    Ok(step) => step?,
                    Err(_) => step_after_stall(outlet, bytes, written_bytes).await?,
                }
            }
        };
        match step {
            WriteStep::Wrote(written_bytes) => bytes.advance(written_bytes),
            WriteStep::Flushed => return Ok(()),
        }
    }
}

/// Result of one call of an outlet.
enum WriteStep {
    /// The outlet accepted this many bytes; a layer may still hold them.
    Wrote(usize),
    /// The kernel has accepted all bytes.
    Flushed,
}

async fn step_now(outlet: &mut impl Outlet, bytes: &impl Buf) -> Poll<io::Result<WriteStep>> {
    poll_fn(|context| Poll::Ready(poll_step(outlet, context, bytes))).await
}

/// Tries once more after [`MAX_STALL`] without a report of room; the kernel had accepted `written_bytes` before that.
///
/// Linux reports room once a third of the socket's buffer is free, so a slow reader may have read up to a megabyte without
/// such a report.
async fn step_after_stall(
    outlet: &mut impl Outlet,
    bytes: &impl Buf,
    written_bytes: u64,
) -> io::Result<WriteStep> {
    outlet.write_at_once();
    match step_now(outlet, bytes).await {
        Poll::Ready(step) => step,
        // A layer first passes on the bytes that it holds, so it may accept none although the client reads.
        Poll::Pending if outlet.written_bytes() > written_bytes => Ok(WriteStep::Wrote(0)),
        Poll::Pending => Err(stalled()),
    }
}

fn stalled() -> io::Error {
    let detail = format!("it took no byte for {} seconds", MAX_STALL.as_secs());
    Closing::new(CloseReason::OutputStalled, detail).into()
}

fn poll_step(
    outlet: &mut impl Outlet,
    context: &mut Context<'_>,
    bytes: &impl Buf,
) -> Poll<io::Result<WriteStep>> {
    if bytes.has_remaining() {
        poll_write(outlet, context, bytes).map_ok(WriteStep::Wrote)
    } else {
        Pin::new(outlet).poll_flush(context).map_ok(|()| WriteStep::Flushed)
    }
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
    use std::future::{pending, ready};

    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;

    /// An outlet with a pipe of ten bytes, of which it keeps as many back as it is told.
    struct Pipe {
        stream: DuplexStream,
        written_bytes: u64,
        /// Number of bytes for which there is room that is not reported.
        unreported: usize,
        writes_at_once: bool,
        /// Bytes that it has taken and not passed on.
        held: Vec<u8>,
        is_layered: bool,
    }

    fn pipe() -> (Pipe, DuplexStream) {
        let (stream, client) = duplex(10);
        let (held, is_layered) = (Vec::new(), false);
        (Pipe { stream, written_bytes: 0, unreported: 0, writes_at_once: false, held, is_layered }, client)
    }

    impl Pipe {
        fn poll_pass_on(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            if std::mem::take(&mut self.writes_at_once) && self.unreported > 0 {
                self.unreported -= 1;
                self.written_bytes += 1;
                return Poll::Ready(Ok(1));
            }
            let written_bytes = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
            self.written_bytes += written_bytes as u64;
            Poll::Ready(Ok(written_bytes))
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let this = self.get_mut();
            if !this.is_layered {
                return this.poll_pass_on(context, bytes);
            }
            this.held.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            let this = self.get_mut();
            while !this.held.is_empty() {
                let held = std::mem::take(&mut this.held);
                let written = this.poll_pass_on(context, &held);
                let written_bytes =
                    if let Poll::Ready(Ok(written_bytes)) = written { written_bytes } else { 0 };
                this.held = held[written_bytes..].to_vec();
                ready!(written)?;
            }
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Outlet for Pipe {
        fn written_bytes(&self) -> u64 {
            self.written_bytes
        }

        fn write_at_once(&mut self) {
            self.writes_at_once = true;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_too_little_for_the_system_to_report_it_is_not_given_up() {
        for is_layered in [false, true] {
            let (mut server, _client) = pipe();
            (server.unreported, server.is_layered) = (2, is_layered);
            let began = Instant::now();
            let mut bytes = &[b'x'; 100][..];
            let error = write_all_unless(pending(), &mut server, &mut bytes).await.unwrap_err();
            assert_eq!(Closing::of(&error).reason, CloseReason::OutputStalled);
            assert_eq!((began.elapsed().as_secs(), server.written_bytes), (3 * 60, 10 + 2), "{is_layered}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_for_a_minute_is_given_up() {
        for is_layered in [false, true] {
            let (mut server, _client) = pipe();
            server.is_layered = is_layered;
            let began = Instant::now();
            let written = write_all_unless(pending(), &mut server, &mut &[b'x'; 100][..]).await;
            assert_eq!(Closing::of(&written.unwrap_err()).reason, CloseReason::OutputStalled);
            assert_eq!(began.elapsed().as_secs(), 60);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_a_little_each_minute_is_not() {
        for is_layered in [false, true] {
            let (mut server, mut client) = pipe();
            server.is_layered = is_layered;
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
            write_all_unless(pending(), &mut server, &mut parts).await.unwrap();
            assert_eq!(reading.await.unwrap(), sent);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_killed_while_it_takes_nothing_is_given_up_at_once() {
        let (mut server, _client) = pipe();
        let began = Instant::now();
        let written = write_all_unless(ready(()), &mut server, &mut &[b'x'; 100][..]).await;
        assert_eq!(Closing::of(&written.unwrap_err()).reason, CloseReason::Killed);
        assert_eq!(began.elapsed().as_secs(), 0);
    }
}
