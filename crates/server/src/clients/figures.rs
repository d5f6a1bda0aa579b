//! Figures of a connection that `CLIENT LIST` shows. Its task writes them with plain stores, and other threads read them.

use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

/// Figures of one connection. No other memory access is ordered by them, so relaxed accesses suffice.
#[derive(Debug)]
pub(crate) struct ClientFigures {
    descriptor: AtomicI32,
    input_bytes: AtomicUsize,
    free_input_bytes: AtomicUsize,
    output_bytes: AtomicUsize,
    output_peak_bytes: AtomicUsize,
    output_capacity_bytes: AtomicUsize,
    queued: AtomicUsize,
    queued_bytes: AtomicUsize,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    requests: AtomicU64,
}

/// The figures of a connection at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientFigureValues {
    /// Number of the descriptor of its socket; −1 before the connection is served.
    pub(crate) descriptor: i32,
    /// Bytes that were received and not executed yet.
    pub(crate) input_bytes: usize,
    /// Room that is left in its input buffer.
    pub(crate) free_input_bytes: usize,
    /// Bytes of answers that are being written.
    pub(crate) output_bytes: usize,
    /// The most of them since it connected.
    pub(crate) output_peak_bytes: usize,
    /// Size of its output buffer.
    pub(crate) output_capacity_bytes: usize,
    /// Large values that are being written, or lines that wait for a monitor.
    pub(crate) queued: usize,
    /// Bytes of those.
    pub(crate) queued_bytes: usize,
    /// Bytes that its socket has received, those of TLS included.
    pub(crate) received_bytes: u64,
    /// Bytes that its socket has sent, those of TLS included.
    pub(crate) sent_bytes: u64,
    /// Requests that came, the refused ones included.
    pub(crate) requests: u64,
}

impl ClientFigures {
    pub(super) const fn new() -> Self {
        Self {
            descriptor: AtomicI32::new(-1),
            input_bytes: AtomicUsize::new(0),
            free_input_bytes: AtomicUsize::new(0),
            output_bytes: AtomicUsize::new(0),
            output_peak_bytes: AtomicUsize::new(0),
            output_capacity_bytes: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            queued_bytes: AtomicUsize::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_descriptor(&self, descriptor: i32) {
        self.descriptor.store(descriptor, Ordering::Relaxed);
    }

    /// Records the bytes in the input buffer, and the room behind them.
    #[inline]
    pub(crate) fn set_input(&self, bytes: usize, free_bytes: usize) {
        self.input_bytes.store(bytes, Ordering::Relaxed);
        self.free_input_bytes.store(free_bytes, Ordering::Relaxed);
    }

    /// Records the size of the output buffer.
    #[inline]
    pub(crate) fn set_output_capacity(&self, bytes: usize) {
        self.output_capacity_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Records the bytes of answers that are being written.
    #[inline]
    pub(crate) fn set_output(&self, bytes: usize) {
        self.output_bytes.store(bytes, Ordering::Relaxed);
        if bytes > self.output_peak_bytes.load(Ordering::Relaxed) {
            self.output_peak_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// Records what waits to be written outside the output buffer.
    pub(crate) fn set_queue(&self, number: usize, bytes: usize) {
        self.queued.store(number, Ordering::Relaxed);
        self.queued_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Records the bytes of the socket since it connected.
    #[inline]
    pub(crate) fn set_traffic(&self, received_bytes: u64, sent_bytes: u64) {
        self.received_bytes.store(received_bytes, Ordering::Relaxed);
        self.sent_bytes.store(sent_bytes, Ordering::Relaxed);
    }

    /// Counts requests of a batch. The connection's task alone calls it.
    #[inline]
    pub(super) fn count_requests(&self, requests: usize) {
        let total = self.requests().wrapping_add(requests as u64);
        self.requests.store(total, Ordering::Relaxed);
    }

    /// Returns the number of requests that came, those of the present batch included.
    #[inline]
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns all figures.
    pub(crate) fn values(&self) -> ClientFigureValues {
        let size = |figure: &AtomicUsize| figure.load(Ordering::Relaxed);
        ClientFigureValues {
            descriptor: self.descriptor.load(Ordering::Relaxed),
            input_bytes: size(&self.input_bytes),
            free_input_bytes: size(&self.free_input_bytes),
            output_bytes: size(&self.output_bytes),
            output_peak_bytes: size(&self.output_peak_bytes),
            output_capacity_bytes: size(&self.output_capacity_bytes),
            queued: size(&self.queued),
            queued_bytes: size(&self.queued_bytes),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            requests: self.requests(),
        }
    }
}
