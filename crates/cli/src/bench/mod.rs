//! The load generator: connections with simple loops of their own, on a runtime for each core.

mod client;
mod dialect;
mod login;
mod report;
mod tally;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::LocalSet;
use tokio_util::either::Either;

use crate::args::{BenchArgs, BenchProtocol, CliArgs, host_and_port, unix_path};
use crate::error::CliError;
use crate::escape::visible_json;
use dialect::{Resp, Text};
use login::Preparation;
use report::Report;
pub(crate) use report::never_sent;
use tally::Tally;

/// Open files that the process needs besides its connections.
const OTHER_OPEN_FILES: u64 = 64;

/// Most bytes of unanswered requests that all connections together may hold.
const MAX_IN_FLIGHT_BYTES: u128 = 2 * 1024 * 1024 * 1024;

/// Interval at which the progress bar moves and a stalled server is looked for.
const TICK: Duration = Duration::from_millis(100);

/// A connection of either family.
type BenchStream = Either<TcpStream, UnixStream>;

/// Runs the load and prints the report.
///
/// # Errors
/// No connection, a server that stops answering, or any answer that was an error or wrong.
pub(crate) fn run(args: &CliArgs, bench: &BenchArgs) -> Result<(), CliError> {
    let in_flight = u128::from(bench.clients) * u128::from(bench.pipeline) * bench.value_bytes as u128;
    if in_flight > MAX_IN_FLIGHT_BYTES {
        let text = format!(
            "--clients × --pipeline × --value-bytes is over {MAX_IN_FLIGHT_BYTES} bytes; lower one of them"
        );
        return Err(CliError::Usage(text));
    }
    let preparation = Preparation::new(args)?;
    raise_open_files(bench.clients)?;
    let streams = connect(args, bench)?;
    let threads = start_threads(streams, bench, &preparation)?;
    let started = start_together(&threads);
    watch(&threads, bench, args)?;
    let tally = threads.into_iter().try_fold(Tally::new()?, |sum, thread| sum.merged(thread.join()?))?;
    let elapsed = tally.ended.map_or(Duration::ZERO, |ended| ended - started);

    print_report(&Report::new(bench, elapsed, &tally), args.json)?;
    match tally.first_error {
        Some(first) => {
            let Tally { errors, not_sent, .. } = tally;
            Err(CliError::BenchErrors { errors, not_sent, requests: bench.requests, first })
        }
        None => Ok(()),
    }
}

/// Raises the soft limit of open files to what the connections need, as far as the hard limit lets it.
fn raise_open_files(clients: u32) -> Result<(), CliError> {
    let needed = u64::from(clients) + OTHER_OPEN_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).map_err(|_| CliError::OpenFiles {
        clients,
        needed,
        limit: maximum.unwrap_or(u64::MAX),
    })
}

/// Opens all connections before the clock starts.
fn connect(args: &CliArgs, bench: &BenchArgs) -> Result<Vec<BenchStream>, CliError> {
    let failed = |client, source| {
        let (clients, addr) = (bench.clients, args.addr.clone());
        CliError::BenchConnect { client, clients, addr, source }
    };
    let path = unix_path(&args.addr);
    let addrs: Vec<_> = match path {
        Some(_) => Vec::new(),
        None => host_and_port(&args.addr).0.to_socket_addrs().map_err(|error| failed(1, error))?.collect(),
    };
    let connect_one = || match path {
        Some(path) => connect_unix(path).map(Either::Right),
        None => connect_any(&addrs, args.timeout).map(Either::Left),
    };
    (1..=bench.clients).map(|client| connect_one().map_err(|error| failed(client, error))).collect()
}

fn connect_unix(path: &str) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn connect_any(addrs: &[SocketAddr], timeout: Duration) -> io::Result<TcpStream> {
    let mut result = Err(io::Error::new(io::ErrorKind::NotFound, "the host name has no address"));
    for addr in addrs {
        result = TcpStream::connect_timeout(addr, timeout);
        if result.is_ok() {
            break;
        }
    }
    let stream = result?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// A thread that runs its share of the connections.
struct BenchThread {
    handle: JoinHandle<Result<Tally, CliError>>,
    /// Its answers so far; a counter for each thread, so that they do not contend.
    answered: Arc<AtomicU64>,
    /// Told once its connections are ready for the load.
    ready: mpsc::Receiver<()>,
    /// Tells it to begin, or to end.
    start: mpsc::Sender<bool>,
}

impl BenchThread {
    fn spawn(
        share: Vec<(u64, BenchStream)>,
        bench: Arc<BenchArgs>,
        preparation: Preparation,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answered = Arc::new(AtomicU64::new(0));
        let ((is_ready, ready), (start, may_start)) = (mpsc::channel(), mpsc::channel());
        let counter = Arc::clone(&answered);
        let gate = client::StartGate { preparation, is_ready, may_start };
        let run = move || match bench.protocol {
            BenchProtocol::Text => {
                LocalSet::new().block_on(&runtime, client::run_all(Text, share, bench, counter, gate))
            }
            BenchProtocol::Resp => {
                LocalSet::new().block_on(&runtime, client::run_all(Resp, share, bench, counter, gate))
            }
        };
        let handle = thread::Builder::new().name("bench".to_owned()).spawn(run)?;
        Ok(Self { handle, answered, ready, start })
    }

    fn join(self) -> Result<Tally, CliError> {
        self.handle
            .join()
            .unwrap_or_else(|_| Err(CliError::Runtime(io::Error::other("a bench thread panicked"))))
    }
}

/// Deals the connections out among one thread for each core.
fn start_threads(
    streams: Vec<BenchStream>,
    bench: &BenchArgs,
    preparation: &Preparation,
) -> Result<Vec<BenchThread>, CliError> {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(streams.len());
    let mut shares: Vec<Vec<_>> = (0..cores).map(|_| Vec::new()).collect();
    for (index, stream) in streams.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(index % cores) {
            share.push((index as u64, stream));
        }
    }
    let bench = Arc::new(bench.clone());
    let start =
        |share| BenchThread::spawn(share, Arc::clone(&bench), preparation.clone()).map_err(CliError::Runtime);
    shares.into_iter().map(start).collect()
}

/// Lets all threads begin once all of their connections are ready, and returns when that was. If some cannot be made
/// ready, all threads end, and one of them has the reason.
fn start_together(threads: &[BenchThread]) -> Instant {
    let is_ready = threads.iter().all(|thread| thread.ready.recv().is_ok());
    let started = Instant::now();
    for thread in threads {
        // A thread that has ended tells why when it is joined.
        let _ = thread.start.send(is_ready);
    }
    started
}

/// Shows progress until the threads end; gives up when no answer has come for the time-out.
fn watch(threads: &[BenchThread], bench: &BenchArgs, args: &CliArgs) -> Result<(), CliError> {
    let bar = progress_bar(bench.requests, args.json);
    let (mut last_count, mut last_change) = (0, Instant::now());
    while !threads.iter().all(|thread| thread.handle.is_finished()) {
        thread::sleep(TICK);
        let count = threads.iter().map(|thread| thread.answered.load(Ordering::Relaxed)).sum();
        bar.set_position(count);
        if count != last_count {
            (last_count, last_change) = (count, Instant::now());
        } else if last_change.elapsed() > args.timeout {
            bar.finish_and_clear();
            let (timeout, requests) = (args.timeout, bench.requests);
            return Err(CliError::BenchStalled { timeout, answered: count, requests });
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// A bar on standard error; indicatif hides it where that is not a terminal.
fn progress_bar(requests: u64, json: bool) -> ProgressBar {
    let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(requests), target);
    match ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {rate} {eta}") {
        Ok(style) => bar.with_style(style.with_key("rate", put_rate)),
        Err(_) => bar,
    }
}

/// indicatif's own has four decimals, which nobody can read in passing.
fn put_rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // A template takes everything.
    let _ = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
}

fn print_report(report: &Report, json: bool) -> Result<(), CliError> {
    let text = if json { report.json() } else { Ok(report.table()) };
    let text = text.map_err(|error| CliError::Output(error.into()))?;
    let mut out = io::stdout().lock();
    // The first error is the server's text.
    let text = if json && out.is_terminal() { visible_json(&text) } else { text.into() };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::Output)
}
