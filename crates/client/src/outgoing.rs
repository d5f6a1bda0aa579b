//! A command as it is to be sent: checked against the limits, and encoded.

use bytes::BytesMut;
use rustvault_protocol::{
    Command, ErrorReply, Flags, Group, Limits, Protocol, Reply, Request, encode_resp_request,
    encode_resp_words,
};

use crate::error::{Error, ErrorKind};
use crate::pending::{Expectation, Expected, Prepared};

/// Commands that have no answer, or push messages instead of one, or answers without end: later answers could not be
/// matched with their requests.
const WITHOUT_ONE_ANSWER: [&str; 10] = [
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
    "MONITOR",
    "SYNC",
    "PSYNC",
    "REPLCONF",
];

/// Room in a frame for a word beside its bytes, as much as the encoder asks for: so a frame is allocated once.
const WORD_OVERHEAD_BYTES: usize = 32;

/// Room in a frame for the number of words and the name.
const FRAME_OVERHEAD_BYTES: usize = 96;

/// A command with its arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    /// `None` if the table has no command of this name: a newer server may.
    command: Option<Command>,
    arguments: &'a [&'a [u8]],
    /// The whole command as the caller wrote it; empty if a typed method made it.
    words: &'a [&'a [u8]],
}

impl<'a> From<Request<'a>> for Outgoing<'a> {
    fn from(request: Request<'a>) -> Self {
        Self { command: Some(request.command), arguments: request.arguments, words: &[] }
    }
}

impl<'a> Outgoing<'a> {
    /// Finds the command that these words name; the table may lack it.
    pub(crate) fn of_words(words: &'a [&'a [u8]]) -> Result<Self, Error> {
        let [name, arguments @ ..] = words else { return Err(not_sent("no command was given")) };
        let command = Command::find(name, Protocol::Resp3);
        match (command, arguments) {
            (Some(container), [own, arguments @ ..]) if container.spec().is_container => {
                let command = container.find_subcommand(own, Protocol::Resp3);
                Ok(Self { command, arguments, words })
            }
            _ => Ok(Self { command, arguments, words }),
        }
    }

    /// Returns whether it may change data, and so must not be sent twice. A command that the table lacks may, and so may the
    /// end of a transaction; the group's other commands use the same connection.
    pub(crate) fn is_write(&self) -> bool {
        self.command
            .map(Command::spec)
            .is_none_or(|spec| spec.flags.contains(Flags::WRITE) || spec.group == Group::Transactions)
    }

    /// Returns whether it takes minutes, so that it needs a connection of its own and has no timeout.
    pub(crate) fn is_long(&self) -> bool {
        self.command == Some(Command::Compact)
    }

    pub(crate) fn expectation(&self, matches: fn(&Reply) -> bool) -> Expectation {
        Expectation { command: self.command, matches }
    }

    /// Refuses what the server would refuse, and what would leave the connection out of step.
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), Error> {
        if self.command == Some(Command::ClientReply) {
            return Err(not_sent(
                "CLIENT REPLY switches answers off, and each caller here waits for its own",
            ));
        }
        if let Some(name) = self.words.first()
            && WITHOUT_ONE_ANSWER.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        {
            let remedy = if name.eq_ignore_ascii_case(b"MONITOR") {
                "; use redis-cli, or type it with nc"
            } else {
                ""
            };
            let name = name.escape_ascii();
            return Err(not_sent(format!(
                "{name} is not answered with one reply, by which this client tells its requests apart{remedy}"
            )));
        }
        if self.command == Some(Command::Scan)
            && let Some(prefix_bytes) = self.arguments.get(2).map(|pattern| shortest_match_bytes(pattern))
        {
            check_length("prefix", prefix_bytes, limits.max_key_bytes)?;
        }
        let mut keys = self.command.and_then(|command| command.spec().keys.as_ref()).map(|keys| {
            // Ascending, as the arguments are gone through.
            keys.positions(self.arguments.len()).peekable()
        });
        for (position, argument) in self.arguments.iter().enumerate() {
            let is_key = keys.as_mut().is_some_and(|keys| keys.next_if_eq(&position).is_some());
            let (what, max_bytes) =
                if is_key { ("key", limits.max_key_bytes) } else { ("value", limits.max_value_bytes) };
            check_length(what, argument.len(), max_bytes)?;
        }
        Ok(())
    }

    /// Appends it as it goes on the wire.
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        match self.command {
            Some(command) if self.words.is_empty() => encode_resp_request(command, self.arguments, out),
            _ => encode_resp_words(self.words, out),
        }
    }

    /// Returns it as it goes on the wire.
    pub(crate) fn frame(&self) -> BytesMut {
        let argument_bytes = self.arguments.iter().map(|argument| argument.len() + WORD_OVERHEAD_BYTES);
        let mut frame = BytesMut::with_capacity(FRAME_OVERHEAD_BYTES + argument_bytes.sum::<usize>());
        self.encode(&mut frame);
        frame
    }

    /// Checks and encodes it, to be sent alone.
    pub(crate) fn prepare(&self, limits: &Limits, matches: fn(&Reply) -> bool) -> Result<Prepared, Error> {
        self.check(limits)?;
        let expected = Expected::One(self.expectation(matches));
        Ok(Prepared { frame: self.frame(), expected, is_write: self.is_write(), is_long: self.is_long() })
    }
}

/// Returns the length of the shortest text that a pattern can match: its bytes without stars and escapes.
fn shortest_match_bytes(pattern: &[u8]) -> usize {
    let (mut bytes, mut rest) = (0, pattern);
    while let [byte, after @ ..] = rest {
        rest = if *byte == b'\\' && !after.is_empty() { &after[1..] } else { after };
        bytes += usize::from(*byte != b'*');
    }
    bytes
}

pub(crate) fn check_length(what: &str, len_bytes: usize, max_bytes: usize) -> Result<(), Error> {
    if len_bytes <= max_bytes {
        return Ok(());
    }
    Err(ErrorKind::Invalid(ErrorReply::over_limit(what, len_bytes, max_bytes)).into())
}

pub(crate) fn not_sent(reason: impl Into<String>) -> Error {
    ErrorKind::Refused { reason: reason.into() }.into()
}
