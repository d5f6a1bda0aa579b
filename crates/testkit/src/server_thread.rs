//! A server on a thread of this process: only there can its store be one of the test's own making.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::wire::Wire;

/// A server that listens on a free port of 127.0.0.1; dropping this stops it, without waiting for its end.
#[derive(Debug)]
pub struct ServerThread<E> {
    addr: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), E>>>,
}

impl<E: Send + 'static> ServerThread<E> {
    /// Starts it: `serve` gets the listener, and the token whose cancellation stops it.
    ///
    /// # Panics
    /// There is no free port, or no thread to be had.
    pub fn start<F>(serve: impl FnOnce(TcpListener, CancellationToken) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), E>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || runtime.block_on(serve(listener, stopped)));
        Self { addr, stop, thread: Some(thread) }
    }

    /// Returns the address that it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connects to it.
    ///
    /// # Panics
    /// It has stopped listening.
    #[track_caller]
    pub fn wire(&self) -> Wire {
        Wire::connect(self.addr)
    }

    /// Stops it, without waiting for its end.
    pub fn begin_stop(&self) {
        self.stop.cancel();
    }

    /// Stops it, and waits for its end.
    ///
    /// # Errors
    /// As `serve`.
    ///
    /// # Panics
    /// It has panicked.
    pub fn join(mut self) -> Result<(), E> {
        self.stop.cancel();
        self.thread.take().expect("it is joined once").join().expect("the server does not panic")
    }
}

impl<E> Drop for ServerThread<E> {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
