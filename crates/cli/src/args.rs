//! The command line.

use std::env;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use clap::builder::{OsStringValueParser, Resettable, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::wal::WalCommand;

/// Shown under `--help`, so that a script's author needs no other page.
const AFTER_HELP: &str = "\
Without a COMMAND: an interactive session; when standard input is not a terminal, its lines are run
without a prompt, up to the first one that fails. Type 'help' in a session for its commands.

Exit codes:
  0  done
  1  the server answered with an error, or input or output failed
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
  a missing key              {\"status\":\"not_found\"}
  an error, on stderr        {\"error\":{\"kind\":\"server\",\"code\":\"READ_ONLY\",\"message\":\"...\"}}
Bytes that are not UTF-8 come as \"value_base64\" or \"key_base64\" (RFC 4648, padded) instead.";

/// The heading of the options that every command takes.
const COMMON: &str = "Common options";

const AFTER_SET_HELP: &str = "\
A VALUE may begin with '-' ('set n -5'); put '--' before a KEY that does, or before a VALUE that is
spelled like an option of this program ('set -- -key --json').";

/// Talk to a RustVault server: one command, an interactive session, or a load test.
#[derive(Debug, Parser)]
#[command(name = "rustvault-cli", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Args {
    /// The server's address; unix:PATH for a Unix socket
    #[arg(long, global = true, help_heading = COMMON, env = "RUSTVAULT_ADDR", default_value = "127.0.0.1:8080")]
    #[arg(value_name = "HOST:PORT", value_parser = parse_addr)]
    pub(crate) addr: String,

    /// How long to wait for a connection, and then for each answer (but that of compact), such as 500ms, 5s or 1m
    #[arg(long, global = true, help_heading = COMMON, default_value = "10s", value_name = "DURATION", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,

    /// Print results and errors as JSON, for scripts
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Option<CliCommand>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CliCommand {
    /// Store VALUE under KEY; prints OK
    // Only a long --help here: with -h, `set greeting -hello` would print help and store nothing.
    #[command(disable_help_flag = true, after_help = AFTER_SET_HELP)]
    Set {
        /// The key
        #[arg(value_parser = bytes_parser())]
        key: Bytes,
        /// The value
        #[arg(allow_hyphen_values = true, value_parser = bytes_parser())]
        #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
        value: Option<Bytes>,
        /// Store standard input, byte for byte, instead of VALUE (at most 1 GiB)
        #[arg(long)]
        stdin: bool,
        /// Print help
        #[arg(long, action = ArgAction::Help)]
        help: Option<bool>,
    },
    /// Print the value of KEY and a newline, or (nil)
    ///
    /// At a terminal a value that would control it, is not UTF-8, is empty or starts with '"' is printed in
    /// double quotes with the escapes \" \\ \r \n \t \xHH. Elsewhere its bytes are printed as they are.
    Get {
        /// The key
        #[arg(value_parser = bytes_parser())]
        key: Bytes,
        /// Write exactly the value's bytes: no newline, and nothing for a missing key
        #[arg(long)]
        raw: bool,
    },
    /// Remove KEY; prints OK, or (nil) if it was not there
    Delete {
        /// The key
        #[arg(value_parser = bytes_parser())]
        key: Bytes,
    },
    /// Print OK if KEY is there, or (nil)
    Exists {
        /// The key
        #[arg(value_parser = bytes_parser())]
        key: Bytes,
    },
    /// Print the number of keys
    Count,
    /// Print the keys, one a line, in no particular order
    ///
    /// A key that is empty, starts with '"', or contains a space or a control byte is printed in
    /// double quotes with the escapes \" \\ \r \n \t \xHH, as a session takes it.
    Scan {
        /// Only keys that start with PREFIX
        #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
        #[arg(value_name = "PREFIX", value_parser = bytes_parser())]
        prefix: Bytes,
        /// At most N keys in all [default: no limit]
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Ask whether the server is there; prints PONG
    Ping,
    /// Print the server's state as name=value lines
    Info,
    /// Have the server rewrite its log as the live data; prints OK once that has ended
    ///
    /// This may take minutes, so --timeout limits only connecting. Interrupting ends the wait, not the
    /// compaction; 'info' tells how it goes. The server also compacts by itself when the log has grown.
    Compact,
    /// Generate load, then print throughput and latencies
    ///
    /// Keys are bench:0000000000 onwards, chosen at random but alike in every run; they stay. A value is
    /// its key and a filling. Reads of keys that are not there count as reads, and are shown. A latency is
    /// the time from the write of a pipeline to the answer. Exits with 1 if any answer was an error or wrong.
    Bench(BenchArgs),
    /// Look at, check, read out, fill, convert or repair a log file that no server has open
    Wal {
        #[command(subcommand)]
        command: WalCommand,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BenchArgs {
    /// What the server speaks
    #[arg(long, value_enum, default_value_t = Protocol::Text, value_name = "PROTOCOL")]
    pub(crate) protocol: Protocol,

    /// Connections, each with its own loop
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) clients: u32,

    /// Requests that a connection sends before it reads the answers
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) pipeline: u32,

    /// Requests in all, split over the connections
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests: u64,

    /// Size of the values written, such as 64, 16KiB or 1MiB
    #[arg(long, default_value = "64", value_name = "SIZE", value_parser = parse_size)]
    pub(crate) value_bytes: usize,

    /// Number of different keys
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    pub(crate) keys: u64,

    /// How many of 100 requests are GET, the others are SET
    #[arg(long, default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) reads: u8,
}

/// A wire protocol of the load generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// RustVault's own
    Text,
    /// Redis's; any server of it can be loaded
    Resp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Resp => "resp",
        })
    }
}

impl Args {
    /// Parses the process's arguments, checking what clap's declarations cannot express. A variable that is set to nothing
    /// counts as not set.
    ///
    /// # Errors
    /// A usage error, or a request for help or the version.
    pub(crate) fn from_process() -> Result<Self, clap::Error> {
        let command = Self::command().mut_args(|arg| {
            let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
            if is_empty { arg.env(Resettable::Reset) } else { arg }
        });
        let matches = command.try_get_matches()?;
        let args = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut Self::command()))?;
        // A global option given before the command escapes `conflicts_with` of the command's own.
        if args.json && matches!(args.command, Some(CliCommand::Get { raw: true, .. })) {
            let text = "the argument '--raw' cannot be used with '--json'";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(args)
    }
}

fn bytes_parser() -> impl TypedValueParser<Value = Bytes> {
    OsStringValueParser::new().map(|arg| Bytes::from(arg.into_encoded_bytes()))
}

/// Longest path of a Unix socket that the system takes: `sun_path` of unix(7), less its final 0.
const MAX_UNIX_PATH_BYTES: usize = 107;

fn parse_addr(text: &str) -> Result<String, String> {
    let is_host_and_port =
        text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    match unix_path(text).map(str::len) {
        Some(len_bytes) if len_bytes > MAX_UNIX_PATH_BYTES => Err(format!(
            "the path has {len_bytes} bytes, and the system takes {MAX_UNIX_PATH_BYTES}; give a shorter one, such as one \
            from the current directory"
        )),
        None if !is_host_and_port => {
            Err("expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, or unix:PATH".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// Returns the path of a Unix socket, if the address is one; a port behind `unix:` is of a host of that name.
pub(crate) fn unix_path(addr: &str) -> Option<&str> {
    addr.strip_prefix("unix:").filter(|path| !path.is_empty() && path.parse::<u16>().is_err())
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("must be longer than zero".to_owned()),
        Ok(timeout) => Ok(timeout),
        Err(error) => Err(format!("{error}; expected a duration such as 500ms or 5s")),
    }
}

fn parse_size(text: &str) -> Result<usize, String> {
    let size: ByteSize =
        text.parse().map_err(|error| format!("{error}; expected a size such as 64 or 16KiB"))?;
    usize::try_from(size.as_u64()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_args(words: &[&str]) -> (Bytes, Option<Bytes>, bool, bool) {
        let words = ["rustvault-cli", "set"].iter().chain(words);
        let args = Args::try_parse_from(words).expect("valid arguments");
        match args.command {
            Some(CliCommand::Set { key, value, stdin, .. }) => (key, value, stdin, args.json),
            other => panic!("not a set: {other:?}"),
        }
    }

    #[test]
    fn declarations_are_consistent() {
        Args::command().debug_assert();
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

    #[test]
    fn addresses_need_host_and_port_or_a_path() {
        for good in ["127.0.0.1:8080", "localhost:1", "[::1]:65535", "unix:/run/rv.sock", "unix:1"] {
            assert!(parse_addr(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost", ":8080", "localhost:", "localhost:x", "localhost:65536", "unix:"] {
            assert!(parse_addr(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_has_107_bytes_at_most() {
        let addr = |path_bytes: usize| format!("unix:/{}", "x".repeat(path_bytes - 1));
        assert!(parse_addr(&addr(107)).is_ok());
        let error = parse_addr(&addr(108)).unwrap_err();
        assert!(error.contains("108 bytes") && error.contains("107") && error.contains("shorter"), "{error}");
    }

    #[test]
    fn sizes_and_durations_take_units() {
        assert_eq!(parse_size("64"), Ok(64));
        assert_eq!(parse_size("16KiB"), Ok(16 * 1024));
        assert_eq!(parse_timeout("1500ms"), Ok(Duration::from_millis(1500)));
        assert!(parse_timeout("0s").is_err());
        assert!(parse_timeout("soon").is_err());
    }
}
