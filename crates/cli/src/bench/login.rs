//! What each connection of the load does before the clock starts: the handshake of TLS, and the login.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustvault_client::{TlsDialer, TlsOptions};
use rustvault_protocol::Reply;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::Decoder;

use super::dialect::Dialect;
use crate::args::{CliArgs, host_and_port};
use crate::commands::runtime;
use crate::error::CliError;

/// TLS and login, as the options say.
#[derive(Debug, Clone)]
pub(super) struct Preparation {
    tls: Option<Arc<TlsDialer>>,
    /// User and password.
    login: Option<(Bytes, Bytes)>,
    timeout: Duration,
}

impl Preparation {
    /// Takes both from the options. At a terminal it may ask for the password.
    pub(super) fn new(args: &CliArgs) -> Result<Self, CliError> {
        let (addr, is_tls) = host_and_port(&args.addr);
        let tls = args.network.tls().or_else(|| is_tls.then(TlsOptions::new));
        let tls = tls.map(|tls| TlsDialer::new(tls, addr).map(Arc::new)).transpose()?;
        let login = match args.network.login()? {
            Some(login) => {
                let password = runtime()?.block_on(login.password.get()).map_err(CliError::Password)?;
                Some((login.user.into(), password))
            }
            None => None,
        };
        Ok(Self { tls, login, timeout: args.timeout })
    }

    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Does the handshake, if there is TLS: see [`has_tls`](Self::has_tls).
    ///
    /// # Errors
    /// It fails or takes too long, or there is no TLS.
    pub(super) async fn handshake(
        &self,
        tcp: TcpStream,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<>, CliError> {
        let Some(tls) = &self.tls else { return Err(CliError::Runtime(io::Error::other("TLS is not set"))) };
        match timeout(self.timeout, tls.handshake(tcp)).await {
            Ok(stream) => Ok(stream?),
            Err(_) => Err(CliError::BenchLogin("the TLS handshake did not end in time".to_owned())),
        }
    }

    /// Logs in, if there is a login.
    pub(super) async fn log_in(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        dialect: &impl Dialect,
    ) -> Result<(), CliError> {
        let Some((user, password)) = &self.login else { return Ok(()) };
        let answer = timeout(self.timeout, ask(stream, dialect, user, password)).await;
        match answer.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))) {
            Ok(Reply::Simple(word)) if word == "OK" => Ok(()),
            Ok(Reply::Error(error)) => Err(CliError::BenchLogin(dialect.shown(&error))),
            Ok(_) => Err(CliError::BenchLogin("the answer is neither OK nor an error".to_owned())),
            Err(error) => Err(CliError::BenchLogin(error.to_string())),
        }
    }
}

async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    dialect: &impl Dialect,
    user: &[u8],
    password: &[u8],
) -> io::Result<Reply> {
    let (mut out, mut input, mut decoder) = (BytesMut::new(), BytesMut::new(), dialect.answers());
    dialect.log_in(user, password, &mut out);
    stream.write_all(&out).await?;
    stream.flush().await?;
    loop {
        if let Some(answer) = decoder.decode(&mut input)? {
            return Ok(answer);
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by the server"));
        }
    }
}
