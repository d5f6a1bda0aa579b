//! The commands of the command line, as clap reads them.

use std::ffi::OsString;
use std::path::PathBuf;

use bytes::Bytes;
use clap::{ArgAction, Subcommand};

use super::BenchArgs;
use super::values::bytes_parser;
use crate::user::UserArgs;
use crate::wal::WalCommand;

const AFTER_SET_HELP: &str = "\
A VALUE may begin with '-' ('set n -5'); put '--' before a KEY that does, or before a VALUE that is
spelled like an option of this program ('set -- -key --json').";

const GET_USAGE: &str = "\
rustvault-cli get [OPTIONS] <KEY>
       rustvault-cli get [OPTIONS] --prefix <PREFIX>";

const DELETE_USAGE: &str = "\
rustvault-cli delete [OPTIONS] <KEY>
       rustvault-cli delete [OPTIONS] --prefix <PREFIX> [--yes]";

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CliCommand {
    /// Store VALUE under KEY; prints OK
    // Only a long --help here: with -h, `set greeting -hello` would print help and store nothing.
    #[command(alias = "put", disable_help_flag = true, after_help = AFTER_SET_HELP)]
    Set {
        /// The key
        #[arg(value_parser = bytes_parser())]
        key: Bytes,
        /// The value
        #[arg(allow_hyphen_values = true, value_parser = bytes_parser())]
        #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
        value: Option<Bytes>,
        /// The server's options, such as NX
        #[arg(value_name = "OPTION", value_parser = bytes_parser())]
        options: Vec<Bytes>,
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
    #[command(override_usage = GET_USAGE)]
    Get {
        /// The key
        // A key and a prefix exclude each other, so that one of them is enough.
        #[arg(required = true, conflicts_with = "prefix", value_parser = bytes_parser())]
        key: Option<Bytes>,
        /// Write exactly the value's bytes: no newline, and nothing for a missing key
        #[arg(long, conflicts_with = "prefix")]
        raw: bool,
        /// Print all keys that start with PREFIX, each with its value, as a session's set takes them
        #[arg(long, allow_hyphen_values = true)]
        #[arg(value_name = "PREFIX", value_parser = bytes_parser())]
        prefix: Option<Bytes>,
    },
    /// Remove KEY; prints OK, or (nil) if it was not there
    #[command(aliases = ["rm", "remove"], override_usage = DELETE_USAGE)]
    Delete {
        /// The key
        // A key and a prefix exclude each other, so that one of them is enough.
        #[arg(required = true, conflicts_with = "prefix", value_parser = bytes_parser())]
        key: Option<Bytes>,
        /// Remove all keys that start with PREFIX, once that was agreed to; prints how many were removed
        #[arg(long, allow_hyphen_values = true)]
        #[arg(value_name = "PREFIX", value_parser = bytes_parser())]
        prefix: Option<Bytes>,
        /// Do not ask
        #[arg(long, requires = "prefix")]
        yes: bool,
    },
    /// Print OK if KEY is there, or (nil)
    Exists {
        /// The key; of several, the number of those that are there is printed
        #[arg(value_name = "KEY", required = true, value_parser = bytes_parser())]
        keys: Vec<Bytes>,
    },
    /// Print the number of keys
    Count,
    /// Print the keys, one a line, in no particular order
    ///
    /// A key that is empty, starts with '"', or contains a space or a control byte is printed in
    /// double quotes with the escapes \" \\ \r \n \t \xHH, as a session takes it.
    #[command(alias = "ls")]
    Scan {
        /// Instead of options of this program, the arguments of the server's SCAN: CURSOR [MATCH PATTERN] [COUNT N]
        #[arg(value_name = "ARGUMENT", conflicts_with_all = ["prefix", "limit"], value_parser = bytes_parser())]
        arguments: Vec<Bytes>,
        /// Only keys that start with PREFIX
        #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
        #[arg(value_name = "PREFIX", value_parser = bytes_parser())]
        prefix: Bytes,
        /// At most N keys in all [default: no limit]
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Ask whether the server is there; prints PONG
    Ping {
        /// A message, which comes back instead
        #[arg(value_parser = bytes_parser())]
        message: Option<Bytes>,
    },
    /// Print the server's state as name=value lines
    Info {
        /// Sections of the state, printed as lines of name:value like redis-cli does
        #[arg(value_name = "SECTION", value_parser = bytes_parser())]
        sections: Vec<Bytes>,
    },
    /// Have the server rewrite its log as the live data; prints OK once that has ended
    ///
    /// This may take minutes, so --timeout limits only connecting. Interrupting ends the wait, not the
    /// compaction; 'info' tells how it goes. The server also compacts by itself when the log has grown.
    Compact,
    /// Print all keys and values as JSON, a line for each key
    ///
    /// The lines are {"key":"user:1","value":"john"}, with "key_base64" or "value_base64" for bytes that are not UTF-8.
    /// What is changed while the export runs may be in it or not; a key may come twice.
    Export {
        /// Only keys that start with PREFIX
        #[arg(long, allow_hyphen_values = true, default_value = "", hide_default_value = true)]
        #[arg(value_name = "PREFIX", value_parser = bytes_parser())]
        prefix: Bytes,
    },
    /// Store the keys and values of JSON lines as export prints them
    ///
    /// The first line that is none ends the import, and is named; the lines before it are stored.
    Import {
        /// A file of lines [default: standard input]
        file: Option<PathBuf>,
        /// Keep the values of keys that are there already
        #[arg(long)]
        keep_existing: bool,
    },
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
    /// Manage a file of users: who may log in to a server, and what they may do
    User(UserArgs),
    /// A command that has no form of its own here: its name and arguments
    #[command(external_subcommand)]
    Other(Vec<OsString>),
    /// A text to be printed
    #[command(skip)]
    Text(String),
}
