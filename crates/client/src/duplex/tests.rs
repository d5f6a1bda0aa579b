//! Sockets that are always readable.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustvault_protocol::{Command, Limits};
use tokio::io::ReadBuf;
use tokio::sync::oneshot;

use super::*;
use crate::pending::{Answered, Answers, Expectation, Expected, Prepared};

const LONG: Duration = Duration::from_secs(20);

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

fn link(request_timeout: Duration) -> Link {
    let now = Instant::now();
    Link {
        codec: ClientCodec::resp(Limits::default()),
        received: BytesMut::new(),
        buffer_bytes: 0,
        earlier_buffer_bytes: 0,
        unsent: BytesMut::new(),
        was_cut: false,
        in_flight: VecDeque::new(),
        quiet_since: now,
        read_at: now,
        request_timeout,
        silence_timeout: request_timeout,
        has_login: false,
        is_logged_out: false,
        is_tls: false,
        is_unflushed: false,
    }
}

fn ping(request_timeout: Duration) -> (PendingRequest, oneshot::Receiver<Answered>) {
    let expected = Expected::One(Expectation { command: Some(Command::Ping), matches: |_| true });
    let frame = BytesMut::from("*1\r\n$4\r\nPING\r\n");
    let prepared = Prepared { frame, expected, is_write: false, is_long: false };
    let now = Instant::now();
    PendingRequest::new(prepared, now, now + request_timeout)
}

#[tokio::test]
async fn a_request_to_a_server_that_never_stops_talking_times_out() {
    let request_timeout = Duration::from_millis(50);
    let mut link = link(request_timeout);
    let (requests, mut queue) = Queue::new();
    let (request, answer) = ping(request_timeout);
    requests.send(request).await.unwrap();
    let socket = (Talking(tokio::io::repeat(0)), tokio::io::sink());
    let answered = async {
        tokio::select! {
            _ = link.exchange(socket, &mut queue) => panic!("nothing broke"),
            answered = answer => answered.unwrap(),
        }
    };
    let answered = timeout(LONG, answered).await.expect("it has a deadline");
    assert!(answered.unwrap_err().is_timeout());
}

/// Returns the byte strings that a server answers with, one to each request, as they are kept by callers.
async fn kept(wire: &[u8], answers: usize) -> Vec<Bytes> {
    let (mut link, (_requests, mut queue)) = (link(LONG), Queue::new());
    let (requests, callers): (VecDeque<_>, Vec<_>) = (0..answers).map(|_| ping(LONG)).unzip();
    link.in_flight = requests;
    let Err(BreakReason::Lost(_)) = link.exchange((wire, tokio::io::sink()), &mut queue).await else {
        panic!("it ends with what it has to read")
    };
    let mut kept = Vec::new();
    for caller in callers {
        match caller.await.unwrap().unwrap() {
            Answers::One(Reply::Bulk(value)) => kept.push(value),
            Answers::One(Reply::Array(values)) => kept.extend(values.into_iter().map(|value| match value {
                Reply::Bulk(value) => value,
                other => panic!("{other:?}"),
            })),
            other => panic!("{other:?}"),
        }
    }
    kept
}

#[tokio::test]
async fn a_value_does_not_keep_a_buffer_that_is_much_larger() {
    let bulk = |bytes: usize| [format!("${bytes}\r\n").as_bytes(), &vec![b'v'; bytes], b"\r\n"].concat();
    let values = [bulk(4_000_000), bulk(5_000), bulk(100_000), bulk(5_000), bulk(5_000)].concat();
    for (wire, answers) in [([b"*5\r\n", &values[..]].concat(), 1), (values, 5)] {
        let kept = kept(&wire, answers).await;
        assert_eq!(kept.len(), 5);
        // Nothing but the first is in its buffer.
        assert!(kept.iter().all(Bytes::is_unique), "{answers} answers");
    }
}
