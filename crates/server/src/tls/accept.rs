//! Handshakes of streams whose protocol is not one of the server's own commands: HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::handshake::{FOREIGN_BYTES, HANDSHAKE_RECORD, certified_name, foreign_answer};
use super::state::TlsState;

/// A stream whose handshake has ended.
pub(crate) struct AcceptedTls {
    pub(crate) stream: TlsStream<TcpStream>,
    /// The name of the user that the client's certificate names.
    pub(crate) user: Option<String>,
}

/// Does the handshake, within a time; whoever speaks no TLS gets an answer that says so.
///
/// # Errors
/// The reason for which the connection ends.
pub(crate) async fn accept_tls(
    stream: TcpStream,
    tls: &TlsState,
    limit: Duration,
) -> Result<AcceptedTls, String> {
    match timeout(limit, accept(stream, tls)).await {
        Ok(accepted) => accepted.inspect_err(|_| tls.counters.handshake_errors.add(1)),
        Err(_) => {
            tls.counters.handshake_timeouts.add(1);
            Err(format!("its handshake has not ended after {} ms", limit.as_millis()))
        }
    }
}

async fn accept(stream: TcpStream, tls: &TlsState) -> Result<AcceptedTls, String> {
    let lost = |error: io::Error| error.to_string();
    let mut first = [0];
    match stream.peek(&mut first).await.map_err(lost)? {
        0 => return Err("the client closed the connection before its handshake".to_owned()),
        _ if first[0] != HANDSHAKE_RECORD => {
            answer_foreign(stream).await.map_err(lost)?;
            return Err("it does not speak TLS".to_owned());
        }
        _ => {}
    }
    let loaded = tls.load().clone().ok_or("there is no certificate")?;
    let stream = TlsAcceptor::from(Arc::clone(&loaded.handshakes)).accept(stream).await.map_err(lost)?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let user = match certificate {
        Some(certificate) => certified_name(certificate, &loaded)?,
        None => None,
    };
    Ok(AcceptedTls { stream, user })
}

async fn answer_foreign(mut stream: TcpStream) -> io::Result<()> {
    let mut beginning = [0; FOREIGN_BYTES];
    let len_bytes = stream.read(&mut beginning).await?;
    stream.write_all(&foreign_answer(&beginning[..len_bytes])).await?;
    stream.shutdown().await
}
