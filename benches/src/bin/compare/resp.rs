//! As much of a RESP client as it takes to prepare a server and to see that it serves.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Commands are sent in pipelines of this size, unless one command alone is larger.
const PIPELINE_BYTES: usize = 256 * 1024;

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
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        // Small: thousands of these are open at a time.
        Ok(Self { stream: BufReader::with_capacity(512, stream) })
    }

    /// Sends a command without arguments and returns the line that answers it, without its end.
    pub(crate) async fn ask(&mut self, command: &str) -> io::Result<String> {
        let request = format!("*1\r\n${}\r\n{command}\r\n", command.len());
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        self.reply().await
    }

    /// Sends a command without arguments that is answered with a text of lines, and returns the text.
    pub(crate) async fn ask_text(&mut self, command: &str) -> io::Result<String> {
        let header = self.ask(command).await?;
        let len = header.strip_prefix('$').and_then(|len| len.parse::<usize>().ok());
        let len = len.ok_or_else(|| io::Error::other(format!("{command} was answered with {header:?}")))?;
        let mut text = vec![0; len + "\r\n".len()];
        self.stream.read_exact(&mut text).await?;
        text.truncate(len);
        String::from_utf8(text).map_err(io::Error::other)
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
                self.stream.get_mut().write_all(pipeline.as_bytes()).await?;
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
            if reply != "+OK" {
                return Err(io::Error::other(format!("SET was answered with {reply:?}")));
            }
        }
        Ok(())
    }

    async fn reply(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
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
