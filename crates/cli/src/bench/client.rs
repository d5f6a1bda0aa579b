//! The connections of one thread: each writes a pipeline, reads and judges its answers, and again.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use bytes::BytesMut;
use rustvault_protocol::{ClientCodec, Reply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_util::codec::Decoder;
use tokio_util::either::Either;

use super::dialect::Dialect;
use super::login::Preparation;
use super::tally::{RequestKind, Tally};
use crate::args::BenchArgs;
use crate::error::CliError;

const KEY_PREFIX: &[u8] = b"bench:";

/// The prefix and ten digits.
const KEY_BYTES: usize = 16;

/// Limit on the part of a wrong answer that is shown, in characters.
const MAX_SHOWN_CHARS: usize = 200;

/// Room made in the read buffer before each read.
const READ_BYTES: usize = 16 * 1024;

/// Holds a thread up until all connections of all threads are ready.
pub(super) struct StartGate {
    pub(super) preparation: Preparation,
    pub(super) is_ready: mpsc::Sender<()>,
    pub(super) may_start: mpsc::Receiver<bool>,
}

impl StartGate {
    /// Says that this thread is ready; returns whether the load begins, once the others are.
    fn pass(&self) -> bool {
        self.is_ready.send(()).is_ok() && self.may_start.recv().unwrap_or(false)
    }
}

/// Runs the connections of one thread to their end.
///
/// # Errors
/// A connection could not log in, or a task fails by itself; failed requests are counted, not returned.
pub(super) async fn run_all<D: Dialect>(
    dialect: D,
    share: Vec<(u64, super::BenchStream)>,
    bench: Arc<BenchArgs>,
    answered: Arc<AtomicU64>,
    gate: StartGate,
) -> Result<Tally, CliError> {
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let mut clients = Vec::new();
    for (index, stream) in share {
        let load = Load::new(Arc::clone(&bench), index);
        let results = Results { tally: Rc::clone(&tally), answered: Arc::clone(&answered) };
        clients.push(ready_client(dialect.clone(), stream, load, results, &gate.preparation).await?);
    }
    let mut tasks = JoinSet::new();
    if gate.pass() {
        for client in clients.drain(..) {
            tasks.spawn_local(client);
        }
    }
    drop(clients);
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| CliError::Runtime(error.into()))?;
    }
    tally.borrow_mut().ended = Some(Instant::now());
    let tally = Rc::into_inner(tally).map(RefCell::into_inner);
    tally.ok_or_else(|| CliError::Runtime(io::Error::other("a connection of the bench did not end")))
}

/// Makes one connection ready, and returns what it has to do.
async fn ready_client<D: Dialect>(
    dialect: D,
    stream: super::BenchStream,
    load: Load,
    results: Results,
    preparation: &Preparation,
) -> Result<LocalBoxFuture, CliError> {
    let tcp = match stream {
        Either::Left(tcp) => TcpStream::from_std(tcp).map_err(CliError::Runtime)?,
        Either::Right(unix) => {
            let mut unix = UnixStream::from_std(unix).map_err(CliError::Runtime)?;
            preparation.log_in(&mut unix, &dialect).await?;
            return Ok(Box::pin(run_client(dialect, unix.into_split(), load, results)));
        }
    };
    if preparation.has_tls() {
        let mut tls = preparation.handshake(tcp).await?;
        preparation.log_in(&mut tls, &dialect).await?;
        return Ok(Box::pin(run_client(dialect, tokio::io::split(tls), load, results)));
    }
    let mut tcp = tcp;
    preparation.log_in(&mut tcp, &dialect).await?;
    Ok(Box::pin(run_client(dialect, tcp.into_split(), load, results)))
}

/// The work of one connection.
type LocalBoxFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Counts to which a connection adds the answers that it gets; shared within its thread.
struct Results {
    tally: Rc<RefCell<Tally>>,
    answered: Arc<AtomicU64>,
}

/// Runs one connection: writes a pipeline, reads its answers, and again, until it has no requests left or fails.
async fn run_client<D: Dialect>(
    dialect: D,
    (mut reader, mut writer): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    mut load: Load,
    results: Results,
) {
    let mut answers =
        AnswerReader { dialect: dialect.clone(), decoder: dialect.answers(), input: BytesMut::new() };
    let mut out = BytesMut::new();
    while load.left > 0 {
        out.clear();
        load.next_pipeline(&dialect, &mut out);
        let started = Instant::now();
        // At once, or a server that waits for its answers to be read would never read a long pipeline's end.
        let write = async {
            writer.write_all(&out).await?;
            // TLS keeps back what the socket has no room for.
            writer.flush().await
        };
        let (read, written) = tokio::join!(answers.read(&mut reader, &mut load, started, &results), write);
        if let Err(error) = read.and(written) {
            let mut tally = results.tally.borrow_mut();
            tally.fail(load.unanswered(), format!("the connection failed: {error}"));
            tally.not_sent += load.left - load.unanswered();
            return;
        }
    }
}

/// The reading side of a connection.
struct AnswerReader<D> {
    dialect: D,
    decoder: ClientCodec,
    input: BytesMut,
}

impl<D: Dialect> AnswerReader<D> {
    /// Reads and judges the answers to what `load` has sent, in order.
    async fn read(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        load: &mut Load,
        started: Instant,
        results: &Results,
    ) -> io::Result<()> {
        let mut latency = started.elapsed();
        while let Some(sent) = load.oldest_unanswered() {
            let answer = loop {
                if let Some(answer) = self.decoder.decode(&mut self.input)? {
                    break answer;
                }
                self.input.reserve(READ_BYTES);
                if reader.read_buf(&mut self.input).await? == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the server"));
                }
                latency = started.elapsed();
            };
            let mut tally = results.tally.borrow_mut();
            match judge(&self.dialect, sent, &answer) {
                Ok(found) => {
                    tally.record(sent.kind, latency);
                    tally.misses += u64::from(!found);
                }
                Err(reason) => tally.fail(1, reason),
            }
            load.answered();
            results.answered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A request of a pipeline.
#[derive(Debug, Clone, Copy)]
struct Sent {
    kind: RequestKind,
    key: [u8; KEY_BYTES],
}

/// Returns whether a good answer found its key; for any other answer, returns what is wrong with it.
fn judge(dialect: &impl Dialect, sent: Sent, answer: &Reply) -> Result<bool, String> {
    match (sent.kind, answer) {
        (RequestKind::Set, Reply::Simple(word)) if word == "OK" => Ok(true),
        (RequestKind::Get, Reply::Null) => Ok(false),
        // Values begin with their key, as far as their size allows; earlier runs may have had another size.
        (RequestKind::Get, Reply::Bulk(value)) if value.iter().zip(&sent.key).all(|(a, b)| a == b) => {
            Ok(true)
        }
        (_, Reply::Error(error)) => Err(dialect.shown(error)),
        (kind, answer) => {
            let key = String::from_utf8_lossy(&sent.key);
            let answer: String = format!("{answer:?}").chars().take(MAX_SHOWN_CHARS).collect();
            Err(format!("wrong answer to {kind:?} {key}: {answer}"))
        }
    }
}

/// The requests of one connection, random but the same in every run.
struct Load {
    bench: Arc<BenchArgs>,
    random: fastrand::Rng,
    /// Requests not answered yet, sent or not.
    left: u64,
    /// The current pipeline, the first `next_answer` of which are answered.
    sent: Vec<Sent>,
    next_answer: usize,
    value: Vec<u8>,
}

impl Load {
    fn new(bench: Arc<BenchArgs>, index: u64) -> Self {
        let clients = u64::from(bench.clients);
        let left = bench.requests / clients + u64::from(index < bench.requests % clients);
        let value = vec![b'x'; bench.value_bytes];
        Self { bench, random: fastrand::Rng::with_seed(index), left, sent: Vec::new(), next_answer: 0, value }
    }

    fn next_pipeline(&mut self, dialect: &impl Dialect, out: &mut BytesMut) {
        self.sent.clear();
        self.next_answer = 0;
        for _ in 0..self.left.min(u64::from(self.bench.pipeline)) {
            let key = key(self.random.u64(..self.bench.keys));
            let kind =
                if self.random.u8(..100) < self.bench.reads { RequestKind::Get } else { RequestKind::Set };
            match kind {
                RequestKind::Get => dialect.get(&key, out),
                RequestKind::Set => {
                    self.value.iter_mut().zip(&key).for_each(|(byte, of_key)| *byte = *of_key);
                    dialect.set(&key, &self.value, out);
                }
            }
            self.sent.push(Sent { kind, key });
        }
    }

    fn oldest_unanswered(&self) -> Option<Sent> {
        self.sent.get(self.next_answer).copied()
    }

    /// Requests of the current pipeline that have no answer yet.
    fn unanswered(&self) -> u64 {
        (self.sent.len() - self.next_answer) as u64
    }

    fn answered(&mut self) {
        self.next_answer += 1;
        self.left -= 1;
    }
}

/// `bench:` and the number, zero-padded to ten digits.
fn key(mut number: u64) -> [u8; KEY_BYTES] {
    let mut key = [b'0'; KEY_BYTES];
    for (byte, of_prefix) in key.iter_mut().zip(KEY_PREFIX) {
        *byte = *of_prefix;
    }
    for byte in key.iter_mut().skip(KEY_PREFIX.len()).rev() {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::dialect::Text;
    use bytes::Bytes;

    fn sent(kind: RequestKind) -> Sent {
        Sent { kind, key: key(7) }
    }

    #[test]
    fn keys_have_ten_digits() {
        assert_eq!(&key(0), b"bench:0000000000");
        assert_eq!(&key(9_876_543_210), b"bench:9876543210");
    }

    #[test]
    fn a_value_of_another_key_is_a_wrong_answer() {
        let value = |text: &'static str| Reply::Bulk(Bytes::from(text));
        assert_eq!(judge(&Text, sent(RequestKind::Get), &value("bench:0000000007xxx")), Ok(true));
        assert_eq!(judge(&Text, sent(RequestKind::Get), &value("ben")), Ok(true));
        assert!(judge(&Text, sent(RequestKind::Get), &value("bench:0000000008xxx")).is_err());
        assert!(judge(&Text, sent(RequestKind::Set), &value("OK")).is_err());
        assert!(judge(&Text, sent(RequestKind::Get), &Reply::OK).is_err());
    }

    #[test]
    fn requests_are_split_over_all_clients() {
        let protocol = crate::args::BenchProtocol::Text;
        let (clients, pipeline, requests, value_bytes, keys, reads) = (3, 2, 8, 0, 1, 0);
        let bench = Arc::new(BenchArgs { protocol, clients, pipeline, requests, value_bytes, keys, reads });
        let shares: Vec<_> = (0..3).map(|index| Load::new(Arc::clone(&bench), index).left).collect();
        assert_eq!(shares, [3, 3, 2]);
    }
}
