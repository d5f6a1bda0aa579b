//! Commands and answers on a connection, as the text protocol and RESP write them.

use std::net::SocketAddr;
use std::str::FromStr;

use rustvault_tests::{Wire, resp_request};

use crate::history::{Answer, Command, Counter, FOREIGN, Key, Value};

/// Every value whose number this divides is a large one.
const LARGE_EVERY: u32 = 50;

const LARGE_VALUE_BYTES: usize = 100 * 1024;
const MAX_SMALL_PADDING_BYTES: usize = 48;

/// The answer to who renames a key that is not there, in either protocol.
const NO_SUCH_KEY: [&str; 2] = ["ERROR NO_SUCH_KEY no such key", "-ERR no such key"];

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
}

impl Connection {
    /// Connects; `None` if nobody listens any more.
    pub(crate) fn open(addr: SocketAddr, protocol: Protocol) -> Option<Self> {
        Some(Self { wire: Wire::try_connect(addr).ok()?, protocol })
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
        let line = self.line()?;
        if matches!(command, Command::Rename(..)) && NO_SUCH_KEY.contains(&line.as_str()) {
            return Some(Outcome::Answered(Answer::NoSuchKey));
        }
        if let Some(code) = error_code(&line) {
            return Some(outcome_of_error(code, &line));
        }
        let answer = match self.protocol {
            Protocol::Text => text_answer(command, &line),
            Protocol::Resp => self.resp_answer(command, &line)?,
        };
        Some(Outcome::Answered(answer))
    }

    /// Asks for a compaction; `false`: the connection has gone.
    #[must_use]
    pub(crate) fn compact(&mut self) -> bool {
        // In RESP nothing waits for the end; one that is running already is an error.
        let command = match self.protocol {
            Protocol::Text => "COMPACT\r\n",
            Protocol::Resp => "*1\r\n$12\r\nBGREWRITEAOF\r\n",
        };
        self.wire.try_send(command).is_ok() && self.line().is_some()
    }

    fn line(&mut self) -> Option<String> {
        self.wire.try_line().map(|line| String::from_utf8_lossy(&line).into_owned())
    }

    fn resp_answer(&mut self, command: &Command, line: &str) -> Option<Answer> {
        let (kind, rest) = line.split_at(1);
        let answer = match (command, kind) {
            (Command::Set(_) | Command::Rename(..), "+") if rest == "OK" => Answer::Done,
            (Command::SetNew(..), "+") if rest == "OK" => Answer::Count(1),
            (Command::SetNew(..), "$") if rest == "-1" => Answer::Count(0),
            (Command::Delete(_) | Command::Exists(_), ":") => Answer::Count(number(rest)),
            (Command::Increment(_), ":") => Answer::Number(number(rest)),
            (Command::Count(_), "$") if rest == "-1" => Answer::Number(0),
            (Command::Count(_), "$") => Answer::Number(number(&self.line()?)),
            (Command::Get(_) | Command::Take(_), "$") => Answer::Values(vec![self.bulk(line)?]),
            (Command::Get(_), "*") => {
                let mut values = Vec::new();
                for _ in 0..number::<usize>(rest) {
                    let line = self.line()?;
                    values.push(self.bulk(&line)?);
                }
                Answer::Values(values)
            }
            _ => panic!("{command} is answered {line}"),
        };
        Some(answer)
    }

    /// Reads the rest of a bulk string; the outer `None`: the connection has gone.
    fn bulk(&mut self, line: &str) -> Option<Option<Value>> {
        match line {
            "$-1" => Some(None),
            _ if line.starts_with('$') => self.line().map(|text| Some(value_of(&text))),
            _ => panic!("no bulk string: {line}"),
        }
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

fn value_of(text: &str) -> Value {
    let number = text.split('.').next().and_then(|number| number.parse().ok());
    number.filter(|number| text_of(*number) == text).unwrap_or(FOREIGN)
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

fn text_answer(command: &Command, line: &str) -> Answer {
    let value = line.strip_prefix("VALUE ");
    match (command, line) {
        (Command::Set(_) | Command::Rename(..), "OK") => Answer::Done,
        (Command::Delete(_) | Command::Exists(_), "OK") => Answer::Count(1),
        (Command::Delete(_) | Command::Exists(_), "NOT_FOUND") => Answer::Count(0),
        (Command::Get(_) | Command::Take(_), "NOT_FOUND") => Answer::Values(vec![None]),
        (Command::Count(_), "NOT_FOUND") => Answer::Number(0),
        _ => match (command, value) {
            (Command::Get(_) | Command::Take(_), Some(value)) => Answer::Values(vec![Some(value_of(value))]),
            (Command::Increment(_) | Command::Count(_), Some(value)) => Answer::Number(number(value)),
            (Command::SetNew(..), Some(value)) => Answer::Count(number(value)),
            _ => panic!("{command} is answered {line}"),
        },
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

/// The first word of an error, in either protocol.
fn error_code(line: &str) -> Option<&str> {
    let message = line.strip_prefix("ERROR ").or_else(|| line.strip_prefix('-'))?;
    message.split(' ').next()
}

fn outcome_of_error(code: &str, line: &str) -> Outcome {
    match code {
        "STORAGE" => Outcome::Failed,
        "READ_ONLY" | "MISCONF" | "SHUTTING_DOWN" => Outcome::Refused,
        _ => panic!("no history brings this error about: {line}"),
    }
}

fn number<N: FromStr>(text: &str) -> N {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}
