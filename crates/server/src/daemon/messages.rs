//! Queue of messages to standard error, which is bounded, and the thread that writes them.
//!
//! A thread that reports a message may hold a lock of the log, and standard error may be a pipe that nobody reads or a file on a
//! full disk. So only the writing thread waits for standard error, and messages that it cannot write are counted as lost.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tracing::warn;

/// Most bytes of messages that wait to be written; further ones are lost.
const MAX_QUEUED_BYTES: usize = 1024 * 1024;

/// Longest wait for the last messages to be written when the process ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// A writer of messages, one per call, that never waits and never fails.
///
/// tracing-appender does not fit: it prints, and so may panic, if it ends with a full queue, and it bounds its queue in lines
/// and not in bytes.
#[derive(Debug, Clone)]
pub(super) struct Messages {
    queue: Sender<Item>,
    backlog: Arc<Backlog>,
}

#[derive(Debug, Default)]
struct Backlog {
    queued_bytes: AtomicUsize,
    /// Messages that did not fit into the queue, or could not be written.
    lost: AtomicU64,
}

#[derive(Debug)]
enum Item {
    Message(Vec<u8>),
    /// Dropped once everything before it has been written.
    Flush(SyncSender<()>),
}

impl Messages {
    /// Starts the thread that writes to standard error.
    pub(super) fn to_stderr() -> Self {
        Self::to(io::stderr(), wait_for_stderr)
    }

    fn to<W: Write + Send + 'static>(output: W, wait_for_room: fn() -> io::Result<()>) -> Self {
        let (queue, items) = mpsc::channel();
        let backlog = Arc::<Backlog>::default();
        let writing = Writing {
            output,
            wait_for_room,
            items,
            backlog: Arc::clone(&backlog),
            reported: 0,
            is_cut: false,
        };
        // If the system refuses this thread, it refuses the serving threads as well. `enqueue` reports that without a thread.
        let _ = thread::Builder::new().name("messages".to_owned()).spawn(move || writing.run());
        Self { queue, backlog }
    }

    /// Waits until all messages reported so far are written, for [`FLUSH_LIMIT`] at most.
    pub(super) fn flush(&self) {
        let (done, flushed) = mpsc::sync_channel(0);
        if self.queue.send(Item::Flush(done)).is_ok() {
            // Both results are errors: the thread drops its end, or the time is up.
            let _ = flushed.recv_timeout(FLUSH_LIMIT);
        }
    }

    fn enqueue(&self, message: &[u8]) {
        let queued_bytes = self.backlog.queued_bytes.fetch_add(message.len(), Ordering::Relaxed);
        if queued_bytes.saturating_add(message.len()) > MAX_QUEUED_BYTES {
            self.backlog.queued_bytes.fetch_sub(message.len(), Ordering::Relaxed);
            self.backlog.lost.fetch_add(1, Ordering::Relaxed);
        } else if let Err(unsent) = self.queue.send(Item::Message(message.to_vec())) {
            self.backlog.queued_bytes.fetch_sub(message.len(), Ordering::Relaxed);
            if let Item::Message(message) = unsent.0 {
                // Without the thread the daemon does not serve, so nobody holds a lock.
                let _ = io::stderr().write_all(&message);
            }
        }
    }
}

impl Write for Messages {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.enqueue(message);
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Reporting a message does not wait for it to be written.
        Ok(())
    }
}

/// State of the writing thread.
struct Writing<W> {
    output: W,
    wait_for_room: fn() -> io::Result<()>,
    items: Receiver<Item>,
    backlog: Arc<Backlog>,
    /// Number of lost messages that have been reported.
    reported: u64,
    /// Set if the last message was cut off, so that the next one has to begin a line.
    is_cut: bool,
}

impl<W: Write> Writing<W> {
    fn run(mut self) {
        while let Ok(item) = self.items.recv() {
            match item {
                Item::Message(message) => self.write_message(&message),
                Item::Flush(done) => {
                    // A report of lost messages may have been queued behind the flush.
                    while let Ok(Item::Message(message)) = self.items.try_recv() {
                        self.write_message(&message);
                    }
                    drop(done);
                }
            }
        }
    }

    fn write_message(&mut self, message: &[u8]) {
        let written = self.write_all(message);
        self.backlog.queued_bytes.fetch_sub(message.len(), Ordering::Relaxed);
        match written {
            Ok(()) => self.report_lost(),
            Err(_) => {
                self.backlog.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn write_all(&mut self, message: &[u8]) -> io::Result<()> {
        let line_end: &[u8] = if self.is_cut { b"\n" } else { b"" };
        for part in [line_end, message] {
            let mut rest = part;
            while !rest.is_empty() {
                match self.output.write(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written_bytes) => rest = rest.get(written_bytes..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // The parent process may have made the pipe non-blocking.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        (self.wait_for_room)().inspect_err(|_| self.is_cut |= rest.len() < part.len())?;
                    }
                    Err(error) => {
                        self.is_cut |= rest.len() < part.len();
                        return Err(error);
                    }
                }
            }
        }
        self.is_cut = false;
        Ok(())
    }

    /// Reports lost messages by a message, as soon as messages can be written again and the queue has room.
    fn report_lost(&mut self) {
        let lost = self.backlog.lost.load(Ordering::Relaxed);
        if lost > self.reported && self.backlog.queued_bytes.load(Ordering::Relaxed) < MAX_QUEUED_BYTES / 2 {
            warn!(lost = lost - self.reported, "messages were lost: standard error did not take them");
            self.reported = lost;
        }
    }
}

fn wait_for_stderr() -> io::Result<()> {
    let stderr = io::stderr();
    match poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None) {
        // A signal that this process handles ends the wait; the next write finds out what there is room for.
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::sync_channel;

    use super::*;

    /// An output that takes what it is allowed to take, byte for byte, and fails where it is told to.
    struct Output {
        taken: Arc<Mutex<Vec<u8>>>,
        allowed: Receiver<io::Result<usize>>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let max_bytes = self.allowed.recv().unwrap_or(Ok(usize::MAX))?;
            let taken = &bytes[..bytes.len().min(max_bytes)];
            self.taken.lock().unwrap().extend_from_slice(taken);
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Taken = Arc<Mutex<Vec<u8>>>;

    fn output() -> (Output, Taken, SyncSender<io::Result<usize>>) {
        let ((allow, allowed), taken) = (sync_channel(64), Taken::default());
        (Output { taken: Arc::clone(&taken), allowed }, taken, allow)
    }

    #[test]
    fn nobody_waits_for_an_output_that_takes_nothing_and_what_does_not_fit_is_counted() {
        let (output, taken, allow) = output();
        let mut messages = Messages::to(output, || Ok(()));
        let line = [b'x'; 1024];
        for _ in 0..10_000 {
            messages.write_all(&line).unwrap();
        }
        assert_eq!(messages.backlog.lost.load(Ordering::Relaxed), 10_000 - 1024);
        messages.flush();
        assert_eq!(taken.lock().unwrap().len(), 0, "the flush gave up");
        drop(allow);
        messages.flush();
        assert_eq!(taken.lock().unwrap().len(), MAX_QUEUED_BYTES);
        assert_eq!(messages.backlog.queued_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_message_that_was_cut_off_does_not_run_into_the_next() {
        let (output, taken, allow) = output();
        let mut messages = Messages::to(output, || Ok(()));
        for step in [Ok(3), Err(io::ErrorKind::StorageFull.into())] {
            allow.send(step).unwrap();
        }
        drop(allow);
        messages.write_all(b"first\n").unwrap();
        messages.write_all(b"second\n").unwrap();
        messages.flush();
        assert_eq!(taken.lock().unwrap().escape_ascii().to_string(), r"fir\nsecond\n");
        assert_eq!(messages.backlog.lost.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_output_that_would_block_is_waited_for() {
        let (output, taken, allow) = output();
        let mut messages = Messages::to(output, || Ok(()));
        for step in [Ok(2), Err(io::ErrorKind::WouldBlock.into()), Err(io::ErrorKind::Interrupted.into())] {
            allow.send(step).unwrap();
        }
        drop(allow);
        messages.write_all(b"whole\n").unwrap();
        messages.flush();
        assert_eq!(taken.lock().unwrap().as_slice(), b"whole\n");
    }
}
