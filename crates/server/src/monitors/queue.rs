//! Queue of one monitor: lines in the form of its protocol, up to a number of bytes; what finds no room is counted.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use parking_lot::Mutex;
use rustvault_protocol::Protocol;
use tokio::sync::Notify;

use super::line;
use crate::clients::ConnectedClient;

/// Most bytes of lines that wait for a monitor. As many may be on their way to its client at the same time.
pub(super) const MAX_QUEUED_BYTES: usize = 1024 * 1024;

/// Room for what stands around a line.
const LINE_OVERHEAD_BYTES: usize = 8;

/// Lines that wait for a monitor.
#[derive(Debug)]
pub(crate) struct LineQueue {
    client: Arc<ConnectedClient>,
    protocol: Protocol,
    waiting: Mutex<WaitingLines>,
    /// Notified when a line comes into an empty queue.
    has_lines: Notify,
}

/// State of a queue.
#[derive(Debug, Default)]
struct WaitingLines {
    bytes: BytesMut,
    lines: usize,
    /// Lines that found no room. All of them came behind those that wait, because a queue is emptied as a whole.
    left_out: u64,
    /// Set once the client no longer monitors. Whoever looked at the list of monitors before may still add a line.
    is_closed: bool,
}

impl LineQueue {
    pub(super) fn new(client: Arc<ConnectedClient>, protocol: Protocol) -> Self {
        Self { client, protocol, waiting: Mutex::default(), has_lines: Notify::new() }
    }

    /// Adds a line, or counts it as left out.
    pub(super) fn push(&self, line: &str) {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return;
        }
        let was_empty = waiting.lines == 0;
        // Once a line was left out the next ones are, too: shorter ones would stand in front of it.
        if waiting.left_out > 0 || waiting.bytes.len() + line.len() + LINE_OVERHEAD_BYTES > MAX_QUEUED_BYTES {
            waiting.left_out += 1;
            return;
        }
        put_line(line, self.protocol, &mut waiting.bytes);
        waiting.lines += 1;
        self.client.figures.set_queue(waiting.lines, waiting.bytes.len());
        drop(waiting);
        if was_empty {
            self.has_lines.notify_one();
        }
    }

    /// Waits until there are lines to [take](Self::take).
    pub(crate) async fn wait(&self) {
        // A permit may be left of lines that were taken meanwhile: whoever waits may find none.
        self.has_lines.notified().await;
    }

    /// Moves all lines to `out`, which must be empty, and behind them one that says how many were left out, if any were.
    pub(crate) fn take(&self, out: &mut BytesMut) {
        let left_out = {
            let mut waiting = self.waiting.lock();
            std::mem::swap(&mut waiting.bytes, out);
            waiting.lines = 0;
            self.client.figures.set_queue(0, 0);
            std::mem::take(&mut waiting.left_out)
        };
        if left_out > 0 {
            put_line(&line::left_out(left_out), self.protocol, out);
        }
    }

    /// Forgets all lines, and takes no more.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock();
        *waiting = WaitingLines { is_closed: true, ..WaitingLines::default() };
        self.client.figures.set_queue(0, 0);
        self.client.set_monitor(false);
    }
}

/// Appends a line as its protocol has a simple string: it is text without control characters.
fn put_line(line: &str, protocol: Protocol, out: &mut BytesMut) {
    let mark: &[u8] = match protocol {
        Protocol::Text => b"VALUE ",
        Protocol::Resp2 | Protocol::Resp3 => b"+",
    };
    out.put_slice(mark);
    out.put_slice(line.as_bytes());
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use rustvault_protocol::Reply;

    use super::*;
    use crate::session::Session;

    #[test]
    fn what_finds_no_room_is_left_out_counted_and_reported_behind_what_waits() {
        let queue = LineQueue::new(Session::for_tests().client.share(), Protocol::Resp2);
        let long = "x".repeat(MAX_QUEUED_BYTES / 2 - 100);
        ["first", &long, &long, "second", &long, "third", "fourth"].iter().for_each(|line| queue.push(line));
        let figures = queue.client.figures.values();
        assert_eq!((figures.queued, figures.queued_bytes), (4, 2 * long.len() + 23));
        assert!(figures.queued_bytes <= MAX_QUEUED_BYTES);
        let mut lines = BytesMut::new();
        queue.take(&mut lines);
        let lines = String::from_utf8(lines.to_vec()).unwrap();
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(lines[..4], ["+first", &format!("+{long}"), &format!("+{long}"), "+second"]);
        assert!(lines[4].ends_with("[0 monitor:0] \"(3 commands left out: this monitor reads too slowly)\""));
        let mut later = BytesMut::new();
        queue.push("fifth");
        queue.take(&mut later);
        assert_eq!(later, "+fifth\r\n");
        assert_eq!(queue.client.figures.values().queued, 0);
    }

    #[test]
    fn a_line_that_comes_after_the_monitoring_leaves_nothing_behind() {
        let queue = LineQueue::new(Session::for_tests().client.share(), Protocol::Resp2);
        queue.push("before");
        queue.close();
        queue.push("after");
        let figures = queue.client.figures.values();
        assert_eq!((figures.queued, figures.queued_bytes), (0, 0));
        let mut lines = BytesMut::new();
        queue.take(&mut lines);
        assert_eq!(lines, "");
    }

    #[test]
    fn a_line_stands_on_the_wire_as_a_simple_string_does() {
        for protocol in [Protocol::Text, Protocol::Resp2, Protocol::Resp3] {
            let line = "1.000001 [0 [::1]:1] \"SET\" \"a\\x00\" \"\\\"\"";
            let (mut expected, mut put) = (BytesMut::new(), BytesMut::new());
            protocol.encode(&Reply::<&[u8]>::simple(line), &mut expected);
            put_line(line, protocol, &mut put);
            assert_eq!(put, expected);
        }
    }
}
