//! The handshake of a connection: it ends in time, answers who speaks no TLS, and finds the user that a certificate names.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use rustvault_protocol::{ErrorCode, Protocol, Reply};
use rustvault_storage::batch::BatchStore;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::select;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::certificate::CertificateFacts;
use super::load::LoadedTls;
use super::state::{TlsCounters, TlsState};
use crate::closing::{CloseReason, Closing};
use crate::engine::Engine;
use crate::preview::preview;
use crate::session::Session;
use crate::transport::{Socket, TlsLayer};

/// First byte of every record that begins a connection of TLS.
pub(super) const HANDSHAKE_RECORD: u8 = 0x16;

/// Bytes of another protocol that are looked at to answer in it.
pub(super) const FOREIGN_BYTES: usize = 1024;

/// Age of a handshake from which on it ends if as many run as may: clients that only connect must not keep others out until the
/// deadline.
const PRESSED_AGE: Duration = Duration::from_secs(1);

/// Time between two looks at whether others wait for a handshake to end.
const PRESSURE_CHECK: Duration = Duration::from_millis(250);

/// Counts a connection whose handshake has ended, until it is dropped.
#[derive(Debug)]
pub(crate) struct EstablishedTls(Arc<TlsCounters>);

impl EstablishedTls {
    pub(crate) fn new(counters: &Arc<TlsCounters>) -> Self {
        counters.handshakes.add(1);
        counters.connections.add(1);
        Self(Arc::clone(counters))
    }
}

impl Drop for EstablishedTls {
    fn drop(&mut self) {
        self.0.connections.decrement();
    }
}

/// Does the handshake, if it is still to be done.
///
/// # Errors
/// The reason for which the connection ends.
pub(crate) async fn shake_hands<S: BatchStore>(
    layer: &mut TlsLayer,
    session: &mut Session,
    engine: &Engine<S>,
    stopping: &CancellationToken,
) -> Result<(), Closing> {
    if !layer.needs_handshake() {
        return Ok(());
    }
    let (tls, limit) = (&engine.tls, engine.config().tls.handshake_timeout);
    let client = session.client.share();
    let ended = select! {
        ended = in_time(layer, tls, limit) => ended,
        () = stopping.cancelled() => Err(CloseReason::Stopping.into()),
        () = client.killed() => Err(CloseReason::Killed.into()),
    };
    layer.release_permit();
    match ended {
        Ok(()) => {
            check_client(layer, session, engine).inspect_err(|_| tls.counters.handshake_errors.add(1))?;
            layer.establish(EstablishedTls::new(&tls.counters));
            Ok(())
        }
        Err(closing) => Err(closing),
    }
}

async fn in_time(layer: &mut TlsLayer, tls: &TlsState, limit: Duration) -> Result<(), Closing> {
    let began = Instant::now();
    let mut handshake = Box::pin(handshake(layer, limit));
    loop {
        let check = (Instant::now() + PRESSURE_CHECK).min(began + limit);
        if let Ok(ended) = timeout_at(check, &mut handshake).await {
            return ended.inspect_err(|_| tls.counters.handshake_errors.add(1));
        }
        let is_pressed = began.elapsed() >= PRESSED_AGE && tls.handshake_permits.available_permits() == 0;
        if is_pressed || began.elapsed() >= limit {
            tls.counters.handshake_timeouts.add(1);
            let age_ms = began.elapsed().as_millis();
            return Err(Closing::new(CloseReason::Handshake, format!("it has not ended after {age_ms} ms")));
        }
    }
}

async fn handshake(layer: &mut TlsLayer, limit: Duration) -> Result<(), Closing> {
    let lost = |error: io::Error| Closing::of(&error);
    match layer.socket().peek().await.map_err(lost)? {
        None => Err(CloseReason::ByClient.into()),
        Some(HANDSHAKE_RECORD) => {
            poll_fn(|context| layer.poll_handshake(context)).await.map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => Closing::new(CloseReason::Handshake, error.to_string()),
                io::ErrorKind::UnexpectedEof => {
                    Closing::new(CloseReason::Handshake, "the client closed the connection in it")
                }
                _ => Closing::of(&error),
            })
        }
        Some(_) => {
            // Its end is reported whether or not the answer arrives.
            let _ = timeout(limit, answer_foreign(layer.socket_mut())).await;
            Err(Closing::new(CloseReason::ForeignProtocol, "it does not speak TLS"))
        }
    }
}

/// Tells a client that does not speak TLS that it should, in its own protocol.
async fn answer_foreign(socket: &mut Socket) -> io::Result<()> {
    let mut room = [0; FOREIGN_BYTES];
    let mut room = ReadBuf::new(&mut room);
    poll_fn(|context| Pin::new(&mut *socket).poll_read(context, &mut room)).await?;
    socket.write_all(&foreign_answer(room.filled())).await
}

pub(super) fn foreign_answer(beginning: &[u8]) -> BytesMut {
    const MESSAGE: &str = "this port speaks TLS alone: connect with TLS, or to a port without it";
    let mut answer = BytesMut::new();
    if beginning.windows(8).any(|window| window == b" HTTP/1.") {
        let head =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ";
        answer.extend_from_slice(format!("{head}{}\r\n\r\n{MESSAGE}\n", MESSAGE.len() + 1).as_bytes());
        return answer;
    }
    let protocol = if beginning.first() == Some(&b'*') { Protocol::Resp2 } else { Protocol::Text };
    protocol.encode(&Reply::<&[u8]>::error(ErrorCode::Syntax, MESSAGE.to_owned()), &mut answer);
    answer
}

/// Returns the name of the user that a client's certificate names, if certificates do.
///
/// # Errors
/// It is damaged, or has expired. A session that is resumed would otherwise outlive it.
pub(super) fn certified_name(certificate: &[u8], loaded: &LoadedTls) -> Result<Option<String>, String> {
    let facts =
        CertificateFacts::of(certificate).map_err(|error| format!("the client's certificate: {error}"))?;
    if facts.not_after < SystemTime::now() {
        return Err("the client's certificate has expired".to_owned());
    }
    Ok(facts.common_name.filter(|_| loaded.names_users))
}

/// Logs the client in as the user that its certificate names.
///
/// # Errors
/// The certificate is damaged, or has expired.
fn check_client<S>(layer: &TlsLayer, session: &mut Session, engine: &Engine<S>) -> Result<(), Closing> {
    let Some(certificate) = layer.client_certificate() else { return Ok(()) };
    let named = certified_name(certificate, layer.loaded());
    let named = named.map_err(|reason| Closing::new(CloseReason::Handshake, reason))?;
    let Some(name) = named else { return Ok(()) };
    let users = engine.access.load();
    match users.as_ref().and_then(|users| users.get(&name)) {
        Some(user) => session.log_in(Arc::clone(user)),
        None => {
            debug!(peer = %session.client.peer, client = session.client.id, name = preview(name.as_bytes()), "the client's certificate names no user")
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_speaks_no_tls_is_told_in_its_own_protocol() {
        let answer = |beginning: &[u8]| String::from_utf8(foreign_answer(beginning).to_vec()).unwrap();
        assert!(answer(b"*1\r\n$4\r\nPING\r\n").starts_with("-ERR this port speaks TLS"));
        assert!(answer(b"PING\r\n").starts_with("ERROR SYNTAX this port speaks TLS"));
        let http = answer(b"GET / HTTP/1.1\r\nHost: x\r\n");
        let (head, body) = http.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
    }
}
