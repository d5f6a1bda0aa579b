//! Hides secrets among the arguments of commands, for everything that shows commands to others than who sent them.

use rustvault_protocol::{Command, SecretArguments};

use crate::commands::is_public_setting;

/// Text in the place of a secret, as in Redis.
pub(crate) const REDACTED: &[u8] = b"(redacted)";

/// Returns an argument of a command as others may see it: [`REDACTED`] if it is a secret, or may be one.
pub(crate) fn shown_argument<A: AsRef<[u8]>>(command: Command, arguments: &[A], position: usize) -> &[u8] {
    let argument = |position: usize| arguments.get(position).map(AsRef::as_ref).unwrap_or_default();
    let is_secret = match command.spec().secrets {
        SecretArguments::None => false,
        SecretArguments::All => true,
        SecretArguments::From(first) => position >= usize::from(first),
        SecretArguments::SettingValues => position % 2 == 1 && !is_public_setting(argument(position - 1)),
    };
    if is_secret { REDACTED } else { argument(position) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(command: Command, line: &str) -> String {
        let arguments: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        let shown: Vec<_> = (0..arguments.len())
            .map(|position| String::from_utf8_lossy(shown_argument(command, &arguments, position)))
            .collect();
        shown.join(" ")
    }

    #[test]
    fn no_password_is_shown_wherever_it_stands() {
        for (command, line) in [
            (Command::Auth, "hunter2"),
            (Command::Auth, "ada hunter2"),
            (Command::Hello, "3 AUTH ada hunter2"),
            (Command::Hello, "hunter2 AUTH"),
            (Command::AclSetUser, "ada on >hunter2"),
            (Command::ConfigSet, "requirepass hunter2"),
            (Command::ConfigSet, "timeout 1 password hunter2"),
            (Command::ConfigSet, "no-such-setting hunter2"),
            (Command::ConfigSet, "tls.cert hunter2"),
            (Command::AclDryRun, "ada AUTH hunter2"),
            (Command::CommandGetKeys, "auth hunter2"),
        ] {
            let shown = shown(command, line);
            assert!(
                shown.contains("(redacted)") && !shown.contains("hunter2"),
                "{command:?} {line}: {shown}"
            );
        }
    }

    #[test]
    fn other_arguments_are_shown_as_they_were_sent() {
        for (command, line) in [
            (Command::Set, "auth hunter2"),
            (Command::ConfigSet, "timeout 1 SLOWLOG-MAX-LEN 2 appendonly yes"),
            (Command::ConfigGet, "requirepass"),
            (Command::AclDryRun, "ada AUTH"),
        ] {
            assert_eq!(shown(command, line), line, "{command:?}");
        }
    }
}
