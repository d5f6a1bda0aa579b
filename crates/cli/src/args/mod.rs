//! The command line.

mod bench;
mod commands;
mod network;
mod other;
mod values;

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser};

pub(crate) use bench::{BenchArgs, BenchProtocol};
pub(crate) use commands::CliCommand;
pub(crate) use network::NetworkArgs;
pub(crate) use values::{bytes_parser, host_and_port, unix_path};
use values::{parse_addr, parse_timeout};

use crate::help;

/// Shown under `--help`, so that a script's author needs no other page.
const AFTER_HELP: &str = "\
Without a COMMAND: an interactive session; when standard input is not a terminal, its lines are run
without a prompt, up to the first one that fails. Type 'help' in a session for its commands.

Exit codes:
  0  done
  1  the server answered with an error, input or output failed, or a file of users is not as it must be
  2  usage: bad option, argument or line
  3  the key was not found (get, delete, exists; not in a session); wal: the log is damaged, or no log
  4  no connection, or no answer within --timeout

With --json, results are one JSON object per line on standard output:
  set, delete, exists, ping,
  compact                    {\"status\":\"ok\"}
  get                        {\"status\":\"ok\",\"value\":\"john\"}
  count                      {\"status\":\"ok\",\"count\":3}
  scan                       {\"key\":\"user:1\"}, a line for each key
  info                       {\"status\":\"ok\",\"info\":{\"version\":\"0.1.0\", ...}}, all values strings
  get --prefix, export       {\"key\":\"user:1\",\"value\":\"john\"}, a line for each key
  delete --prefix            {\"status\":\"ok\",\"deleted\":12}
  import                     {\"status\":\"ok\",\"stored\":12,\"kept\":0}
  user                       {\"status\":\"ok\",\"user\":\"alice\", ...}; of list a line for each user
  any other command          {\"status\":\"ok\",\"value\":...}, with numbers, lists, objects and null
  a missing key              {\"status\":\"not_found\"}
  an error, on stderr        {\"error\":{\"kind\":\"server\",\"code\":\"READ_ONLY\",\"message\":\"...\"}}
Bytes that are not UTF-8 come as \"value_base64\" or \"key_base64\" (RFC 4648, padded) instead.
Within lists they are {\"base64\":\"...\"}.

Every other COMMAND goes to the server as it is. Its answer is printed as by redis-cli: named and
numbered at a terminal, bare in a pipe. An error goes to standard error with exit code 1, and the
exit code of a null is 3. Options of this program stand before COMMAND, or behind it up to '--':
  rustvault-cli incrby hits -5
  rustvault-cli mset a 1 b 2 --json
  rustvault-cli echo -- --json
Other names: rm, remove (delete), put (set), ls (scan); del --prefix is delete --prefix.
'rustvault-cli help incrby' tells about one of the server's commands, which are:
";

/// The heading of the options that every command takes.
const COMMON: &str = "Common options";

/// Talk to a RustVault server: one command, an interactive session, or a load test.
#[derive(Debug, Parser)]
#[command(name = "rustvault-cli", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct CliArgs {
    /// The server's address; unix:PATH for a Unix socket, rustvaults://HOST:PORT for TLS
    #[arg(long, global = true, help_heading = COMMON, env = "RUSTVAULT_ADDR", default_value = "127.0.0.1:8080")]
    #[arg(value_name = "HOST:PORT", value_parser = parse_addr)]
    pub(crate) addr: String,

    /// How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m
    #[arg(long, global = true, help_heading = COMMON, default_value = "10s", value_name = "DURATION", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,

    /// Print results and errors as JSON, for scripts
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) network: NetworkArgs,

    #[command(subcommand)]
    pub(crate) command: Option<CliCommand>,
}

/// Options of the network, which the tools for files do not use.
const OF_NETWORK: [&str; 9] =
    ["addr", "timeout", "user", "password_file", "tls", "ca", "cert", "key_file", "server_name"];

/// The option that may come from the environment, as clap shows it, and its variable.
const ADDR_OPTION: &str = "--addr <HOST:PORT>";
const ADDR_VARIABLE: &str = "RUSTVAULT_ADDR";

/// Said of an address with a login in it.
const NO_LOGIN: &str = "a login does not belong into an address, where others may see it: name the user by --user or \
    RUSTVAULT_USER, and give the password by --password-file, RUSTVAULT_PASSWORD or at the prompt";

impl CliArgs {
    /// Parses the process's arguments.
    ///
    /// # Errors
    /// A usage error, or a request for help or the version.
    pub(crate) fn from_process() -> Result<Self, clap::Error> {
        Self::from_words(&env::args_os().collect::<Vec<_>>(), env::var_os(ADDR_VARIABLE))
    }

    /// Parses arguments, checking what clap's declarations cannot express. A variable that is set to nothing counts as
    /// not set.
    fn from_words(words: &[OsString], addr: Option<OsString>) -> Result<Self, clap::Error> {
        let addr = addr.filter(|addr| !addr.is_empty());
        let mut args = match Self::parse(words, addr.as_ref()) {
            Ok(args) => args,
            Err(error) => return other::help_on(words, error),
        };
        if let Some(CliCommand::Other(command)) = &args.command {
            let split = other::split(words, command);
            if let Some(text) = split.help {
                args.command = Some(CliCommand::Text(text));
                return Ok(args);
            }
            args = Self::parse(&split.options, addr.as_ref())?;
            args.command = Some(CliCommand::Other(split.command));
        }
        // A global option given before the command escapes `conflicts_with` of the command's own.
        if args.json && matches!(args.command, Some(CliCommand::Get { raw: true, .. })) {
            let text = "the argument '--raw' cannot be used with '--json'";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(args)
    }

    fn parse(words: &[OsString], addr: Option<&OsString>) -> Result<Self, clap::Error> {
        let declared = declared(words);
        // What clap takes from a variable it shows in the usage of every error, as if it had been typed.
        let without_variable = declared.clone().mut_arg("addr", |arg| arg.env(Resettable::Reset));
        let matches = match without_variable.clone().try_get_matches_from(words) {
            Ok(matches) => matches,
            // Help shows what the variable is set to, if it is not set to nothing.
            Err(error) if error.kind() == ErrorKind::DisplayHelp && shows_variable(addr) => {
                return Err(declared.try_get_matches_from(words).err().unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        let mut command = without_variable;
        let mut args = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        if is_typed(&matches, "addr") && has_login(&args.addr) {
            return Err(command.error(ErrorKind::ValueValidation, format!("{ADDR_OPTION}: {NO_LOGIN}")));
        }
        // The tools for files talk to no server, so no address can be wrong for them.
        let is_offline = matches!(args.command, Some(CliCommand::Wal { .. } | CliCommand::User(_)));
        let is_used = !is_offline && !is_typed(&matches, "addr");
        if let Some(addr) = addr.filter(|_| is_used) {
            args.addr =
                parse_variable(addr).map_err(|text| command.error(ErrorKind::ValueValidation, text))?;
        }
        Ok(args)
    }
}

/// Returns whether an address has a login in it, which is not to be shown.
fn has_login(addr: &str) -> bool {
    addr.contains('@') && !addr.starts_with("unix:")
}

fn shows_variable(addr: Option<&OsString>) -> bool {
    addr.is_some() || env::var_os(ADDR_VARIABLE).is_none()
}

fn is_typed(matches: &ArgMatches, option: &str) -> bool {
    matches.value_source(option) == Some(ValueSource::CommandLine)
}

fn parse_variable(addr: &OsString) -> Result<String, String> {
    let parsed = addr.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(parse_addr);
    if addr.to_str().is_some_and(has_login) {
        return Err(format!("{ADDR_VARIABLE} ({ADDR_OPTION}): {NO_LOGIN}"));
    }
    parsed.map_err(|reason| {
        // Whoever typed no address looks for the mistake in what he typed.
        let shown = addr.to_string_lossy();
        format!("invalid value '{shown}' for {ADDR_VARIABLE} ({ADDR_OPTION}): {reason}")
    })
}

/// Returns the declarations. The tools for files show no options of the network, but accept them, since scripts may
/// pass them.
fn declared(words: &[OsString]) -> Command {
    let command = CliArgs::command().after_help(format!("{AFTER_HELP}{}", help::groups()));
    if other::subcommand(words).is_none_or(|name| name != "wal" && name != "user") {
        return command;
    }
    OF_NETWORK.into_iter().fold(command, |command, option| command.mut_arg(option, |arg| arg.hide(true)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rustvault_testkit::command_line::{
        ManFacts, check_bash_completion, check_completions, check_man_pages,
    };

    use super::*;

    fn set_args(words: &[&str]) -> (Bytes, Option<Bytes>, bool, bool) {
        let words = ["rustvault-cli", "set"].iter().chain(words);
        let args = CliArgs::try_parse_from(words).expect("valid arguments");
        match args.command {
            Some(CliCommand::Set { key, value, stdin, .. }) => (key, value, stdin, args.json),
            other => panic!("not a set: {other:?}"),
        }
    }

    #[test]
    fn declarations_are_consistent() {
        declared(&[]).debug_assert();
    }

    const MAN_FACTS: ManFacts<'_> = ManFacts {
        environment: &[
            ("RUSTVAULT_USER", "The user to log in as, unless --user is given."),
            ("RUSTVAULT_PASSWORD", "The password, or token, unless --password-file is given."),
            ("RUSTVAULT_PASSWORD_FILE", "The file of the password, unless RUSTVAULT_PASSWORD is set."),
            ("RUSTVAULT_USERS", "The file of users that 'user' changes, unless --file is given."),
            ("RUSTVAULT_NEW_PASSWORD", "The password that 'user add' and 'user passwd' set."),
            ("RUSTVAULT_HISTORY", "The file of a session's history; if it is empty, none is kept."),
        ],
        files: &[(
            "~/.local/state/rustvault/history",
            "The lines of earlier sessions, without those that have passwords. XDG_STATE_HOME may name another folder \
            than ~/.local/state.",
        )],
        see_also: &["rustvault-server(1)"],
        ignored_options: |page| {
            let is_offline =
                ["rustvault-cli-wal", "rustvault-cli-user"].iter().any(|tools| page.starts_with(tools));
            if is_offline { &OF_NETWORK } else { &[] }
        },
    };

    #[test]
    fn the_completions_in_packaging_are_those_of_this_command_line() {
        check_completions(&declared(&[]));
        check_bash_completion(&["rustvault-cli", "wal", "ins"], &["inspect"]);
        check_bash_completion(&["rustvault-cli", "user", "add", "--no"], &["--no-password"]);
        check_bash_completion(&["rustvault-cli", "bench", "--protocol", "te"], &["text"]);
    }

    #[test]
    fn the_man_pages_in_packaging_are_those_of_this_command_line() {
        check_man_pages(&declared(&[]), MAN_FACTS);
    }

    #[test]
    fn values_may_begin_with_a_hyphen() {
        for value in ["-5", "-", "-hello", "--hello", "--5"] {
            let expected = (Bytes::from("n"), Some(Bytes::from(value)), false, false);
            assert_eq!(set_args(&["n", value]), expected, "{value}");
        }
    }

    #[test]
    fn options_are_recognised_around_the_value_of_set() {
        assert_eq!(set_args(&["n", "-5", "--json"]), ("n".into(), Some("-5".into()), false, true));
        assert_eq!(set_args(&["--json", "n", "-5"]), ("n".into(), Some("-5".into()), false, true));
        assert_eq!(set_args(&["n", "--stdin"]), ("n".into(), None, true, false));
        assert_eq!(set_args(&["--", "-n", "--json"]), ("-n".into(), Some("--json".into()), false, false));
    }
}
