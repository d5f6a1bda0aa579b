//! Clients of each protocol over each kind of listener.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustvault_protocol::{ClientCodec, Limits, Protocol, Reply, encode_resp_words};
use rustvault_testkit::PATIENCE;
use tokio_util::codec::Decoder;

pub(crate) const PROTOCOLS: [Protocol; 3] = [Protocol::Text, Protocol::Resp2, Protocol::Resp3];

/// A listener of the server, as a client needs it.
pub(crate) enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
    Tls(SocketAddr, Arc<ClientConfig>),
}

impl Door {
    /// Returns its name in metrics.
    pub(crate) fn listener(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Unix(_) => "unix",
            Self::Tls(..) => "tls",
        }
    }

    fn connect(&self) -> Box<dyn Stream> {
        let tcp = |addr| {
            let socket = TcpStream::connect(addr).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        match self {
            Self::Tcp(addr) => Box::new(tcp(*addr)),
            Self::Unix(path) => {
                let socket = UnixStream::connect(path).unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                Box::new(socket)
            }
            Self::Tls(addr, config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let session = ClientConnection::new(Arc::clone(config), name).unwrap();
                Box::new(StreamOwned::new(session, tcp(*addr)))
            }
        }
    }
}

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A connection in one protocol, which counts its bytes.
pub(crate) struct Talk {
    stream: Box<dyn Stream>,
    codec: ClientCodec,
    protocol: Protocol,
    received: BytesMut,
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
}

impl Talk {
    pub(crate) fn begin(door: &Door, protocol: Protocol) -> Self {
        let codec = match protocol {
            Protocol::Text => ClientCodec::text(Limits::default()),
            _ => ClientCodec::resp(Limits::default()),
        };
        let (stream, received) = (door.connect(), BytesMut::new());
        Self { stream, codec, protocol, received, sent_bytes: 0, received_bytes: 0 }
    }

    /// Sends a command, and returns the answer.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Reply {
        self.ask_all(1, words).remove(0)
    }

    /// Sends a command so many times in one piece, and returns the answers.
    pub(crate) fn ask_all(&mut self, count: usize, words: &[&str]) -> Vec<Reply> {
        let mut bytes = BytesMut::new();
        for _ in 0..count {
            match self.protocol {
                Protocol::Text => bytes.extend_from_slice(format!("{}\r\n", words.join(" ")).as_bytes()),
                _ => encode_resp_words(words, &mut bytes),
            }
        }
        self.stream.write_all(&bytes).unwrap();
        self.stream.flush().unwrap();
        self.sent_bytes += bytes.len() as u64;
        (0..count).map(|_| self.reply()).collect()
    }

    fn reply(&mut self) -> Reply {
        loop {
            if let Some(reply) = self.codec.decode(&mut self.received).unwrap() {
                return reply;
            }
            let mut chunk = [0; 4096];
            let read_bytes = self.stream.read(&mut chunk).unwrap();
            assert!(read_bytes > 0, "the server has closed");
            self.received_bytes += read_bytes as u64;
            self.received.extend_from_slice(&chunk[..read_bytes]);
        }
    }
}
