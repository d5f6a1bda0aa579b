//! As much of a RESP client as it takes to prepare a server and to see that it serves.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use bytes::BytesMut;
use rustvault_protocol::{ClientCodec, Limits, Reply, encode_resp_words};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::Decoder;

/// Commands are sent in pipelines of this size, unless one command alone is larger.
const PIPELINE_BYTES: usize = 256 * 1024;

/// Room made in the read buffer before each read; small, because thousands of connections are open at a time.
const READ_BYTES: usize = 512;

/// Length of every key.
const KEY_BYTES: usize = 16;

/// The keys that a load generator uses: a prefix, and as many digits as make 16 bytes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// `key:000000000000` onwards, of redis-benchmark.
    RedisBenchmark,
    /// `bench:0000000000` onwards, of `rustvault-cli bench`.
    RustVaultBench,
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    codec: ClientCodec,
    received: BytesMut,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, codec: ClientCodec::resp(Limits::default()), received: BytesMut::new() })
    }

    /// Sends a command without arguments and returns its reply.
    pub(crate) async fn ask(&mut self, command: &str) -> io::Result<Reply> {
        self.ask_words(&[command]).await
    }

    /// Sends a command and returns its reply.
    pub(crate) async fn ask_words(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut request = BytesMut::new();
        encode_resp_words(words, &mut request);
        self.stream.write_all(&request).await?;
        self.reply().await
    }

    /// Sends a command without arguments that is answered with a text of lines, and returns the text.
    pub(crate) async fn ask_text(&mut self, command: &str) -> io::Result<String> {
        match self.ask(command).await? {
            Reply::Bulk(text) | Reply::Verbatim(text) => {
                String::from_utf8(text.into()).map_err(io::Error::other)
            }
            reply => Err(io::Error::other(format!("{command} was answered with {reply:?}"))),
        }
    }

    /// Sets the keys of these numbers to values of this size, which begin with their key: `rustvault-cli bench`
    /// counts any other value as a wrong answer.
    ///
    /// # Errors
    /// Also when the answer to one of them is not `OK`.
    pub(crate) async fn fill(
        &mut self,
        keys: Keys,
        numbers: Range<u64>,
        value_bytes: usize,
    ) -> io::Result<()> {
        let filling = "x".repeat(value_bytes.saturating_sub(KEY_BYTES));
        let mut pipeline = String::with_capacity(PIPELINE_BYTES + value_bytes);
        let mut waiting = 0;
        let end = numbers.end;
        for number in numbers {
            push_set(&mut pipeline, &keys.key(number), &filling);
            waiting += 1;
            if pipeline.len() >= PIPELINE_BYTES || number + 1 == end {
                self.stream.write_all(pipeline.as_bytes()).await?;
                self.expect_ok(waiting).await?;
                pipeline.clear();
                waiting = 0;
            }
        }
        Ok(())
    }

    async fn expect_ok(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let reply = self.reply().await?;
            if reply != Reply::OK {
                return Err(io::Error::other(format!("SET was answered with {reply:?}")));
            }
        }
        Ok(())
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.codec.decode(&mut self.received)? {
                return Ok(reply);
            }
            self.received.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl Keys {
    /// The key of this number.
    fn key(self, number: u64) -> String {
        match self {
            Self::RedisBenchmark => format!("key:{number:012}"),
            Self::RustVaultBench => format!("bench:{number:010}"),
        }
    }
}

/// Appends a `SET` of the key to itself and the filling.
fn push_set(pipeline: &mut String, key: &str, filling: &str) {
    let (key_bytes, value_bytes) = (key.len().to_string(), (key.len() + filling.len()).to_string());
    let parts = [
        "*3\r\n$3\r\nSET\r\n$",
        &key_bytes,
        "\r\n",
        key,
        "\r\n$",
        &value_bytes,
        "\r\n",
        key,
        filling,
        "\r\n",
    ];
    pipeline.extend(parts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_16_bytes() {
        assert_eq!(Keys::RedisBenchmark.key(1_999_999), "key:000001999999");
        assert_eq!(Keys::RustVaultBench.key(99_999), "bench:0000099999");
    }

    #[test]
    fn a_set_is_an_array_of_three_bulk_strings() {
        let mut pipeline = String::new();
        push_set(&mut pipeline, "k", "xxxx");
        assert_eq!(pipeline, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nkxxxx\r\n");
    }
}
