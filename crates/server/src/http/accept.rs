//! Accepts connections of HTTP from all its listeners, and refuses those for which there is no room.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::connection::{self, HttpConnection};
use super::listeners::{HttpListener, HttpListeners};
use super::open_connections::MAX_HTTP_CONNECTIONS;
use super::{DRAIN_LIMIT, HttpState};
use crate::acceptor::{back_off, is_exhaustion};
use crate::rate_limit::RateLimit;
use crate::{descriptors, tcp_options};

/// Answer to a client for whom there is no room.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n\
    Connection: close\r\nContent-Length: 52\r\n\r\ntoo many connections of HTTP are open: try again soon";

/// Serves all listeners until the stop, and then for a moment the answers that are on their way.
pub(super) async fn run(listeners: HttpListeners, state: Arc<HttpState>) {
    let connections = TaskTracker::new();
    let warnings = Arc::new(RateLimit::default());
    let accepting = TaskTracker::new();
    for listener in listeners.into_vec() {
        let (state, connections) = (Arc::clone(&state), connections.clone());
        let acceptor = HttpAcceptor { state, connections, warnings: Arc::clone(&warnings) };
        accepting.spawn(acceptor.run(listener));
    }
    accepting.close();
    accepting.wait().await;
    connections.close();
    if timeout(DRAIN_LIMIT, connections.wait()).await.is_err() {
        debug!(
            connections = connections.len(),
            "dropping connections of HTTP that do not read their answers"
        );
    }
}

/// Accepts from one listener.
struct HttpAcceptor {
    state: Arc<HttpState>,
    connections: TaskTracker,
    /// Warnings about refused connections, of all listeners together.
    warnings: Arc<RateLimit>,
}

impl HttpAcceptor {
    /// Accepts until the stop.
    async fn run(self, listener: HttpListener) {
        let HttpListener { listener, addr, has_tls } = listener;
        match TcpListener::from_std(listener) {
            Ok(listener) => select! {
                () = self.state.stopping.cancelled() => {}
                () = self.accept_all(&listener, has_tls) => {}
            },
            Err(error) => error!(%addr, %error, "HTTP cannot be served here"),
        }
    }

    async fn accept_all(&self, listener: &TcpListener, has_tls: bool) {
        let (mut backoff, warnings) = (None, RateLimit::default());
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    backoff = None;
                    self.admit(stream, peer, has_tls);
                }
                Err(error) if is_exhaustion(&error) => back_off(&mut backoff, &error, &warnings).await,
                // The client closed the connection before it was accepted.
                Err(error) => debug!(%error, "a connection of HTTP was lost before it was accepted"),
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, has_tls: bool) {
        let config = &self.state.config;
        let is_reserved = descriptors::is_reserved_from_http(&stream, config.reserved_descriptors);
        let place = if is_reserved { None } else { self.state.connections.open(Instant::now()) };
        let Some(place) = place else { return self.refuse(&stream, peer, has_tls) };
        let prepared = tcp_options::set(&stream, config.tcp_keepalive).and_then(|()| stream.local_addr());
        match prepared {
            Ok(local) => {
                let connection = HttpConnection::new(peer, local, has_tls, place);
                let serving = connection::serve(stream, Arc::new(connection), Arc::clone(&self.state));
                self.connections.spawn(serving);
            }
            Err(error) => debug!(%peer, %error, "connection of HTTP lost"),
        }
    }

    fn refuse(&self, stream: &TcpStream, peer: SocketAddr, has_tls: bool) {
        self.state.counters.rejected_connections.add(1);
        if let Some(left_out) = self.warnings.admit() {
            let max_connections = MAX_HTTP_CONNECTIONS;
            warn!(%peer, max_connections, left_out, "connection of HTTP refused: too many are open, or too few descriptors are left");
        }
        // With TLS it could not be read.
        if !has_tls {
            let _: io::Result<usize> = stream.try_write(REFUSAL);
        }
    }
}
