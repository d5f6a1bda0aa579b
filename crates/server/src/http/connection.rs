//! One connection of HTTP: its handshake if it has TLS, its requests, and an end at which its client still gets the last answer.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;

use super::HttpState;
use super::open_connections::ConnectionPlace;
use super::routes::router;
use crate::clients::ConnectedClient;
use crate::metrics::ListenerKind;
use crate::tls::{EstablishedTls, accept_tls};

/// Most bytes of a request's line and headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// Most bytes that a connection buffers, beside the text of the metrics, which all share.
const MAX_BUFFER_BYTES: usize = 32 * 1024;

/// Longest wait at the end for the client to have received the last answer.
const LINGER: Duration = Duration::from_secs(1);

/// Most bytes that are discarded meanwhile.
const MAX_DISCARDED_BYTES: u64 = 1 << 20;

/// Facts of a connection that its requests need.
#[derive(Debug)]
pub(super) struct HttpConnection {
    pub(super) client: ConnectedClient,
    /// Set if its listener can be reached from this machine alone.
    pub(super) is_loopback: bool,
    pub(super) place: ConnectionPlace,
    has_tls: bool,
    /// The user that the client's certificate names.
    certified_user: OnceLock<String>,
}

impl HttpConnection {
    pub(super) fn new(peer: SocketAddr, local: SocketAddr, has_tls: bool, place: ConnectionPlace) -> Self {
        let kind = if has_tls { ListenerKind::Tls } else { ListenerKind::Tcp };
        Self {
            client: ConnectedClient::unlisted(peer.into(), local.into(), kind),
            is_loopback: local.ip().to_canonical().is_loopback(),
            place,
            has_tls,
            certified_user: OnceLock::new(),
        }
    }

    /// Returns the name of the user that the client's certificate names.
    pub(super) fn certified_user(&self) -> Option<&str> {
        self.certified_user.get().map(String::as_str)
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve(stream: TcpStream, connection: Arc<HttpConnection>, state: Arc<HttpState>) {
    state.counters.connections.add(1);
    let peer = &connection.client.peer;
    let ended = select! {
        ended = serve_transport(stream, &connection, &state) => ended,
        () = connection.place.has_to_give_way() => {
            state.counters.timed_out_connections.add(1);
            Err("it waited while others had no room".to_owned())
        }
    };
    if let Err(reason) = ended {
        debug!(%peer, %reason, "connection of HTTP closed");
    }
    state.counters.connections.decrement();
}

async fn serve_transport(
    stream: TcpStream,
    connection: &Arc<HttpConnection>,
    state: &Arc<HttpState>,
) -> Result<(), String> {
    if !connection.has_tls {
        return serve_requests(stream, connection, state).await;
    }
    let tls = &state.identification.tls;
    let handshake = accept_tls(stream, tls, state.config.tls.handshake_timeout);
    let accepted = select! {
        accepted = handshake => accepted?,
        () = state.stopping.cancelled() => return Ok(()),
    };
    if let Some(user) = accepted.user {
        // The first and only time.
        let _ = connection.certified_user.set(user);
    }
    let _established = EstablishedTls::new(&tls.counters);
    serve_requests(accepted.stream, connection, state).await
}

/// Answers requests until the client closes the connection, the time for its next request is over, or the server stops.
pub(super) async fn serve_requests<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    transport: T,
    connection: &Arc<HttpConnection>,
    state: &Arc<HttpState>,
) -> Result<(), String> {
    let routes = TowerToHyperService::new(router(Arc::clone(state)));
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(connection));
        Box::pin(Service::call(&routes, request))
    });
    let mut http = http1::Builder::new()
        .max_header_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_BUFFER_BYTES)
        // A deadline of ours bounds the head of a request, the wait for it, and the time in which its answer is read.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(transport), service);
    let mut is_stopping = false;
    let ended = loop {
        let deadline = connection.place.deadline();
        select! {
            biased;
            ended = poll_fn(|context| http.poll_without_shutdown(context)) => break ended,
            () = state.stopping.cancelled(), if !is_stopping => {
                is_stopping = true;
                std::pin::Pin::new(&mut http).graceful_shutdown();
            }
            () = sleep_until(deadline) => {
                // Unless it was put off meanwhile.
                if connection.place.deadline() <= Instant::now() {
                    state.counters.timed_out_connections.add(1);
                    return Err("the client sent no whole request, or read no answer, in time".to_owned());
                }
            }
        }
    };
    linger(http.into_parts().io.into_inner()).await;
    ended.map_err(|error| {
        let too_large = error.is_parse_too_large();
        if error.is_parse() {
            // What is no request is answered before it reaches a route.
            let status =
                if too_large { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            state.counters.count("", status);
        }
        error.to_string()
    })
}

/// Closes a connection so that the client receives the last answer: what it still sends is read and discarded for a moment, for
/// otherwise the system resets the connection.
async fn linger(mut transport: impl AsyncRead + AsyncWrite + Unpin) {
    let closing = async {
        transport.shutdown().await?;
        let mut rest = transport.take(MAX_DISCARDED_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // A client that does not close its end is no error of this server.
    let _: Result<io::Result<u64>, _> = timeout(LINGER, closing).await;
}
