//! Commands and answers on a connection, as the text protocol and RESP write them.

use std::net::SocketAddr;
use std::str::FromStr;

use rustvault_protocol::{ClientCodec, ErrorCode, Limits, Reply};
use rustvault_tests::{Wire, resp_request};

use crate::history::{Answer, Command, Counter, FOREIGN, Key, Value};

/// Every value whose number this divides is a large one.
const LARGE_EVERY: u32 = 50;

const LARGE_VALUE_BYTES: usize = 100 * 1024;
const MAX_SMALL_PADDING_BYTES: usize = 48;

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Commands have one key.
    Text,
    Resp,
}

/// The outcome of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered(Answer),
    /// The server promises that nothing has changed.
    Refused,
    /// Unknown: it may have taken effect.
    Failed,
}

/// A connection on which commands are sent, in pipelines, and answered.
#[derive(Debug)]
pub(crate) struct Connection {
    wire: Wire,
    protocol: Protocol,
    codec: ClientCodec,
}

impl Connection {
    /// Connects; `None` if nobody listens any more.
    pub(crate) fn open(addr: SocketAddr, protocol: Protocol) -> Option<Self> {
        let codec = match protocol {
            Protocol::Text => ClientCodec::text(Limits::default()),
            Protocol::Resp => ClientCodec::resp(Limits::default()),
        };
        Some(Self { wire: Wire::try_connect(addr).ok()?, protocol, codec })
    }

    /// Sends commands in one write; `false`: the connection has gone.
    #[must_use]
    pub(crate) fn send(&mut self, commands: &[Command]) -> bool {
        let requests = commands.iter().map(|command| match self.protocol {
            Protocol::Text => (text_words(command).join(" ") + "\r\n").into_bytes(),
            Protocol::Resp => resp_request(&resp_words(command)),
        });
        self.wire.try_send(requests.collect::<Vec<_>>().concat()).is_ok()
    }

    /// Reads what a command is answered; `None`: the connection has gone.
    #[must_use]
    pub(crate) fn receive(&mut self, command: &Command) -> Option<Outcome> {
        Some(match self.wire.try_decode(&mut self.codec)? {
            Reply::Error(error) => match (command, error.code) {
                (Command::Rename(..), ErrorCode::NoSuchKey) => Outcome::Answered(Answer::NoSuchKey),
                (_, ErrorCode::Storage) => Outcome::Failed,
                (_, ErrorCode::ReadOnly | ErrorCode::ShuttingDown) => Outcome::Refused,
                (_, code) => panic!("no history brings this error about: {code} {error}"),
            },
            reply => Outcome::Answered(answer(command, reply)),
        })
    }

    /// Asks for a compaction; `false`: the connection has gone.
    #[must_use]
    pub(crate) fn compact(&mut self) -> bool {
        // In RESP nothing waits for the end; one that is running already is an error.
        let command = match self.protocol {
            Protocol::Text => "COMPACT\r\n",
            Protocol::Resp => "*1\r\n$12\r\nBGREWRITEAOF\r\n",
        };
        self.wire.try_send(command).is_ok() && self.wire.try_decode(&mut self.codec).is_some()
    }
}

/// Returns whether this value is a large one.
pub(crate) fn is_large(value: Value) -> bool {
    value.get().is_multiple_of(LARGE_EVERY)
}

/// The bytes that a client stores: the value's number, and padding that says no more.
fn text_of(value: Value) -> String {
    let padding_bytes =
        if is_large(value) { LARGE_VALUE_BYTES } else { value.get() as usize % MAX_SMALL_PADDING_BYTES };
    format!("{value}.{}", "x".repeat(padding_bytes))
}

/// Returns the value that a reply is, `None` if there is none.
fn value_of(reply: &Reply) -> Option<Value> {
    let text = match reply {
        Reply::Bulk(text) => String::from_utf8_lossy(text),
        Reply::Null => return None,
        _ => panic!("no value: {reply:?}"),
    };
    let number = text.split('.').next().and_then(|number| number.parse().ok());
    Some(number.filter(|number| text_of(*number) == text).unwrap_or(FOREIGN))
}

fn name_of(key: Key) -> String {
    format!("key:{key}")
}

fn counter_name(counter: Counter) -> String {
    format!("counter:{counter}")
}

/// Returns a command's words.
fn words(name: &str, command: &Command) -> Vec<String> {
    let arguments = match command {
        Command::Set(pairs) => {
            pairs.iter().flat_map(|&(key, value)| [name_of(key), text_of(value)]).collect()
        }
        Command::SetNew(key, value) => vec![name_of(*key), text_of(*value)],
        Command::Increment(counter) | Command::Count(counter) => vec![counter_name(*counter)],
        _ => command.keys().into_iter().map(name_of).collect(),
    };
    [name.to_owned()].into_iter().chain(arguments).collect()
}

fn text_words(command: &Command) -> Vec<String> {
    let name = match command {
        Command::Set(pairs) if pairs.len() > 1 => panic!("{command}: one key at a time in text"),
        Command::Get(keys) | Command::Delete(keys) | Command::Exists(keys) if keys.len() > 1 => {
            panic!("{command}: one key at a time in text")
        }
        Command::SetNew(..) => "SETNX",
        Command::Delete(_) => "DELETE",
        _ => common_name(command),
    };
    words(name, command)
}

/// Returns the answer that a reply is, in either protocol: text says OK for 1, and has numbers as values.
fn answer(command: &Command, reply: Reply) -> Answer {
    match (command, reply) {
        (Command::Set(_) | Command::Rename(..), Reply::Simple(word)) if word == "OK" => Answer::Done,
        (Command::SetNew(..) | Command::Delete(_) | Command::Exists(_), reply) => {
            Answer::Count(match reply {
                Reply::Simple(word) if word == "OK" => 1,
                Reply::Null => 0,
                reply => number(&reply),
            })
        }
        (Command::Count(_), Reply::Null) => Answer::Number(0),
        (Command::Count(_) | Command::Increment(_), reply) => Answer::Number(number(&reply)),
        (Command::Get(_), Reply::Array(items)) => Answer::Values(items.iter().map(value_of).collect()),
        (Command::Get(_) | Command::Take(_), reply) => Answer::Values(vec![value_of(&reply)]),
        (command, reply) => panic!("{command} is answered {reply:?}"),
    }
}

fn resp_words(command: &Command) -> Vec<String> {
    let name = match command {
        Command::Set(pairs) if pairs.len() > 1 => "MSET",
        Command::Get(keys) if keys.len() > 1 => "MGET",
        Command::Delete(_) => "DEL",
        _ => common_name(command),
    };
    let mut words = words(name, command);
    if matches!(command, Command::SetNew(..)) {
        words.push("NX".to_owned());
    }
    words
}

/// The name that a command has in both protocols.
fn common_name(command: &Command) -> &'static str {
    match command {
        Command::Set(_) | Command::SetNew(..) => "SET",
        Command::Get(_) | Command::Count(_) => "GET",
        Command::Exists(_) => "EXISTS",
        Command::Take(_) => "GETDEL",
        Command::Rename(..) => "RENAME",
        Command::Increment(_) => "INCR",
        Command::Delete(_) => panic!("{command} has two names"),
    }
}

fn number<N: FromStr + TryFrom<i64>>(reply: &Reply) -> N {
    let number = match reply {
        Reply::Integer(number) => N::try_from(*number).ok(),
        Reply::Bulk(text) => String::from_utf8_lossy(text).parse().ok(),
        _ => None,
    };
    number.unwrap_or_else(|| panic!("no number: {reply:?}"))
}
