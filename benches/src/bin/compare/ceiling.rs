//! A server that answers and does nothing else: what the load generator, the kernel's TCP and the reading of
//! requests leave to any server.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustvault_protocol::{Command, ErrorCode, ErrorReply, Limits, Protocol, Reply, RequestParser, Step};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

const READ_BYTES: usize = 64 * 1024;

/// Serves on this port until the process is killed, and over TLS, if `tls` names another port, a certificate and its key.
pub(crate) fn serve(port: u16, tls: Option<&[PathBuf]>) -> io::Result<Infallible> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let answers = Rc::new(Answers::default());
        let Some([tls_port, certificate, key]) = tls else { return listen(port, None, answers).await };
        let tls_port = tls_port.to_string_lossy().parse().map_err(io::Error::other)?;
        let acceptor = acceptor(certificate, key).map_err(io::Error::other)?;
        let (never, _) = tokio::try_join!(
            listen(port, None, Rc::clone(&answers)),
            listen(tls_port, Some(acceptor), answers)
        )?;
        Ok(never)
    })
}

async fn listen(port: u16, tls: Option<TlsAcceptor>, answers: Rc<Answers>) -> io::Result<Infallible> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (tls, answers) = (tls.clone(), Rc::clone(&answers));
        tokio::task::spawn_local(async move {
            // A client that goes is nothing to anybody.
            let _ = match tls {
                None => answer(stream, &answers).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => answer(stream, &answers).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Box<dyn Error + Send + Sync>> {
    let certificates = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(certificates, key)?;
    Ok(Arc::new(config).into())
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answers: &Answers) -> io::Result<()> {
    let mut parser = RequestParser::new(Limits::default());
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        input.reserve(READ_BYTES);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let Some(answered_bytes) = answers.put_all(&mut parser, &input, &mut output) else { return Ok(()) };
        input.advance(answered_bytes);
        stream.write_all(&output).await?;
        stream.flush().await?;
        output.clear();
    }
}

/// What everybody is answered.
#[derive(Default)]
struct Answers {
    /// `SET`s so far; while a server is filled, each is of another key.
    sets: Cell<u64>,
    /// The first value that was set, as it stands in an answer: a load's values are equally long.
    value: RefCell<BytesMut>,
}

impl Answers {
    /// Answers the requests at the front of `input`, and returns how long they are; `None` if the connection has to end.
    fn put_all(&self, parser: &mut RequestParser, input: &[u8], output: &mut BytesMut) -> Option<usize> {
        let (mut arguments, mut rest) = (Vec::new(), input);
        loop {
            arguments.clear();
            let consumed_bytes = match parser.next(rest, &mut arguments) {
                Step::Request { command, consumed_bytes } => {
                    self.put(command.ok(), &arguments, output);
                    consumed_bytes
                }
                Step::Skip { consumed_bytes } => consumed_bytes,
                Step::Incomplete => return Some(input.len() - rest.len()),
                Step::Fatal(_) => return None,
            };
            rest = rest.get(consumed_bytes..)?;
        }
    }

    fn put(&self, command: Option<Command>, arguments: &[Cow<'_, [u8]>], output: &mut BytesMut) {
        const NO_ANSWER: ErrorReply =
            ErrorReply::fixed(ErrorCode::UnknownCommand, "ERR this server only answers");
        let reply: Reply = match (command, arguments) {
            (Some(Command::Get), _) => return output.extend_from_slice(&self.value.borrow()),
            (Some(Command::Set), [_, value]) => {
                self.sets.set(self.sets.get() + 1);
                let mut first = self.value.borrow_mut();
                if first.is_empty() {
                    Protocol::Resp2.encode(&Reply::Bulk(value), &mut first);
                }
                Reply::OK
            }
            (Some(Command::DbSize), _) => Reply::Integer(self.sets.get().cast_signed()),
            (Some(Command::Ping), _) => Reply::simple("PONG"),
            _ => NO_ANSWER.into(),
        };
        Protocol::Resp2.encode(&reply, output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_what_it_was_set_and_how_often() {
        let (answers, mut parser) = (Answers::default(), RequestParser::new(Limits::default()));
        let mut ask = |words: &[&str]| {
            let arguments: String =
                words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
            let request = format!("*{}\r\n{arguments}", words.len());
            let mut output = BytesMut::new();
            let answered_bytes = answers.put_all(&mut parser, request.as_bytes(), &mut output);
            assert_eq!(answered_bytes, Some(request.len()));
            String::from_utf8(output.to_vec()).unwrap()
        };
        assert_eq!(ask(&["PING"]), "+PONG\r\n");
        assert_eq!(ask(&["DBSIZE"]), ":0\r\n");
        assert_eq!(ask(&["SET", "key", "value"]), "+OK\r\n");
        assert_eq!(ask(&["GET", "another"]), "$5\r\nvalue\r\n");
        assert_eq!(ask(&["DBSIZE"]), ":1\r\n");
        assert!(ask(&["ECHO", "x"]).starts_with("-ERR"));
        assert!(ask(&["NONSENSE"]).starts_with("-ERR"));
    }
}
