//! One slow command, shortened and without secrets.

use std::time::Duration;

use rustvault_protocol::Command;

use crate::clients::ConnectedClient;
use crate::redact::shown_argument;

/// Most words of a command that are kept, as in Redis. Of a longer command the last one says how many more there were.
const MAX_WORDS: usize = 32;

/// Most bytes of a word that are kept, as in Redis. Behind those of a longer word stands how many more there were.
const MAX_WORD_BYTES: usize = 128;

/// A command that took long.
#[derive(Debug)]
pub(crate) struct SlowCommand {
    /// Its number in the slow log, which no other one has until the server restarts.
    pub(crate) id: u64,
    pub(crate) unix_seconds: u64,
    pub(crate) duration: Duration,
    /// The command's name and its arguments, shortened; secrets are redacted.
    pub(crate) words: Vec<Box<[u8]>>,
    pub(crate) peer: String,
    pub(crate) client_name: Box<[u8]>,
}

impl SlowCommand {
    /// Makes the entry of a command that was answered at this time. Its id is that of no entry yet.
    pub(crate) fn new<A: AsRef<[u8]>>(
        command: Command,
        arguments: &[A],
        unix_seconds: u64,
        duration: Duration,
        client: &ConnectedClient,
    ) -> Self {
        Self {
            id: 0,
            unix_seconds,
            duration,
            words: words(command, arguments),
            peer: client.peer.to_string(),
            client_name: client.names().name.into_boxed_slice(),
        }
    }

    /// Returns the memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        let words = self.words.iter().map(|word| size_of_val(word) + word.len()).sum::<usize>();
        size_of_val(self) + words + self.peer.len() + self.client_name.len()
    }
}

/// Returns the words of a command, shortened.
fn words<A: AsRef<[u8]>>(command: Command, arguments: &[A]) -> Vec<Box<[u8]>> {
    let mut words: Vec<Box<[u8]>> = command.name().split('|').map(|word| word.as_bytes().into()).collect();
    let all = words.len() + arguments.len();
    let shown = if all > MAX_WORDS { MAX_WORDS - 1 - words.len() } else { arguments.len() };
    words.extend((0..shown).map(|position| shorten(shown_argument(command, arguments, position))));
    if all > MAX_WORDS {
        words.push(format!("... ({} more arguments)", all - words.len()).into_bytes().into());
    }
    words
}

fn shorten(word: &[u8]) -> Box<[u8]> {
    match word.split_at_checked(MAX_WORD_BYTES) {
        Some((beginning, rest)) if !rest.is_empty() => {
            [beginning, format!("... ({} more bytes)", rest.len()).as_bytes()].concat().into()
        }
        _ => word.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(command: Command, arguments: &[&str]) -> String {
        let words = words(command, arguments);
        let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        words.join(" ")
    }

    #[test]
    fn a_long_command_is_cut_as_in_redis() {
        let arguments = |count: usize| vec!["a"; count];
        assert_eq!(joined(Command::MGet, &arguments(31)), format!("MGET{}", " a".repeat(31)));
        let cut = joined(Command::MGet, &arguments(32));
        assert_eq!(cut, format!("MGET{} ... (2 more arguments)", " a".repeat(30)));
        let cut = joined(Command::ClientKill, &arguments(100));
        assert_eq!(cut, format!("CLIENT KILL{} ... (71 more arguments)", " a".repeat(29)));
    }

    #[test]
    fn a_long_argument_is_cut_as_in_redis() {
        assert_eq!(joined(Command::Get, &[&"k".repeat(128)]), format!("GET {}", "k".repeat(128)));
        let cut = joined(Command::Get, &[&"k".repeat(129)]);
        assert_eq!(cut, format!("GET {}... (1 more bytes)", "k".repeat(128)));
    }

    #[test]
    fn a_password_is_not_kept() {
        assert_eq!(joined(Command::Auth, &["ada", "hunter2"]), "AUTH (redacted) (redacted)");
    }
}
