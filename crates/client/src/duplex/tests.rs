//! A socket that is always readable.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustvault_protocol::Limits;
use tokio::io::ReadBuf;

use super::*;
use crate::pending::{Expectation, Expected, Prepared};

/// A socket from which push messages come faster than they are read.
struct Talking(tokio::io::Repeat);

impl AsyncRead for Talking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        const PUSH: &[u8] = b">0\r\n";
        // It yields now and then, as sockets do.
        let mut turn = [0];
        ready!(Pin::new(&mut self.0).poll_read(context, &mut ReadBuf::new(&mut turn)))?;
        into.put_slice(&PUSH.repeat(into.remaining() / PUSH.len()));
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_request_to_a_server_that_never_stops_talking_times_out() {
    let after = Duration::from_millis(50);
    let now = Instant::now();
    let mut link = Link {
        codec: ClientCodec::resp(Limits::default()),
        received: BytesMut::new(),
        unsent: BytesMut::new(),
        was_cut: false,
        in_flight: VecDeque::new(),
        quiet_since: now,
        read_at: now,
        request_timeout: after,
        silence_timeout: after,
    };
    let (requests, mut queue) = Queue::new();
    let expected = Expected::One(Expectation { command: None, matches: |_| true });
    let frame = BytesMut::from("*1\r\n$4\r\nPING\r\n");
    let prepared = Prepared { frame, expected, is_write: false, is_long: false };
    let (request, answer) = PendingRequest::new(prepared, now, now + after);
    requests.send(request).await.unwrap();
    let socket = (Talking(tokio::io::repeat(0)), tokio::io::sink());
    let answered = async {
        tokio::select! {
            _ = link.exchange(socket, &mut queue) => panic!("nothing broke"),
            answered = answer => answered.unwrap(),
        }
    };
    let answered = timeout(Duration::from_secs(20), answered).await.expect("it has a deadline");
    assert!(answered.unwrap_err().is_timeout());
}
