//! A server that answers and does nothing else: what the load generator, the kernel's TCP and the reading of
//! requests leave to any server.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use rustvault_protocol::{Command, Limits, RespCommand, RespParser, RespStep};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

const READ_BYTES: usize = 64 * 1024;

/// Serves on this port until the process is killed.
pub(crate) fn serve(port: u16) -> io::Result<Infallible> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let answers = Rc::new(Answers::default());
        loop {
            let (stream, _) = listener.accept().await?;
            let answers = Rc::clone(&answers);
            tokio::task::spawn_local(async move {
                // A client that goes is nothing to anybody.
                let _ = answer(stream, &answers).await;
            });
        }
    })
}

async fn answer(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut parser = RespParser::new(Limits::default());
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        input.reserve(READ_BYTES);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        loop {
            let consumed_bytes = match parser.next(&input) {
                RespStep::Command { command, consumed_bytes } => {
                    answers.put(&command, &mut output);
                    consumed_bytes
                }
                RespStep::Ignored { consumed_bytes } => consumed_bytes,
                RespStep::Incomplete => break,
                _ => return Ok(()),
            };
            input.advance(consumed_bytes);
        }
        stream.write_all(&output).await?;
        output.clear();
    }
}

/// What everybody is answered.
#[derive(Default)]
struct Answers {
    /// `SET`s so far; while a server is filled, each is of another key.
    sets: Cell<u64>,
    /// The first value that was set, as it stands in an answer: a load's values are equally long.
    value: RefCell<Vec<u8>>,
}

impl Answers {
    fn put(&self, command: &RespCommand<'_>, output: &mut BytesMut) {
        match command {
            RespCommand::One { request: Command::Get { .. }, .. } => {
                output.extend_from_slice(&self.value.borrow());
            }
            RespCommand::One { request: Command::Set { value, .. }, .. } => {
                self.sets.set(self.sets.get() + 1);
                let mut first = self.value.borrow_mut();
                if first.is_empty() {
                    first.extend(format!("${}\r\n", value.len()).bytes());
                    first.extend_from_slice(value);
                    first.extend(b"\r\n");
                }
                output.extend_from_slice(b"+OK\r\n");
            }
            RespCommand::One { request: Command::Count, .. } => {
                output.extend_from_slice(format!(":{}\r\n", self.sets.get()).as_bytes());
            }
            RespCommand::One { request: Command::Ping, .. } => output.extend_from_slice(b"+PONG\r\n"),
            _ => output.extend_from_slice(b"-ERR this server only answers\r\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_what_it_was_set_and_how_often() {
        let (answers, mut parser) = (Answers::default(), RespParser::new(Limits::default()));
        let mut ask = |words: &[&str]| {
            let arguments: String =
                words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
            let request = format!("*{}\r\n{arguments}", words.len());
            let mut output = BytesMut::new();
            match parser.next(request.as_bytes()) {
                RespStep::Command { command, .. } => answers.put(&command, &mut output),
                other => panic!("{other:?}"),
            }
            String::from_utf8(output.to_vec()).unwrap()
        };
        assert_eq!(ask(&["PING"]), "+PONG\r\n");
        assert_eq!(ask(&["DBSIZE"]), ":0\r\n");
        assert_eq!(ask(&["SET", "key", "value"]), "+OK\r\n");
        assert_eq!(ask(&["GET", "another"]), "$5\r\nvalue\r\n");
        assert_eq!(ask(&["DBSIZE"]), ":1\r\n");
        assert!(ask(&["ECHO", "x"]).starts_with("-ERR"));
    }
}
