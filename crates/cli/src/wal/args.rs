//! Arguments of the tools for log files.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use rustvault_storage::LogFormat;

const AFTER_HELP: &str = "\
Exit codes: 0 done, sound; 1 the log is in use, or the system refused something; 2 usage;
3 the log is damaged, no log, or from a newer version.";

/// What can be done with a log file.
#[derive(Debug, Clone, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub(crate) enum WalCommand {
    /// Print what the log is made of: header, batches, LSNs, epochs, sizes, damage
    #[command(after_help = AFTER_HELP)]
    Inspect {
        /// The log
        path: PathBuf,
        /// Print a line for each batch, before the summary
        #[arg(long)]
        batches: bool,
    },
    /// Check all of the log; a torn tail, as a crash leaves it, is no damage
    #[command(after_help = AFTER_HELP)]
    Verify {
        /// The log
        path: PathBuf,
    },
    /// Write all records as lines of JSON to standard output: a log of the json format
    ///
    /// They come in the order of the log, with their times; of a damaged log those before the damage.
    #[command(after_help = AFTER_HELP)]
    Dump {
        /// The log
        path: PathBuf,
    },
    /// Write the records of lines of JSON, as dump prints them, to the end of a log, or into a new one
    ///
    /// They get the time of the loading; to keep their times, convert the file of lines instead. The first
    /// line that is no record ends the loading; what was before it is loaded. The data has to fit into memory.
    #[command(after_help = AFTER_HELP)]
    Load {
        /// The log
        path: PathBuf,
        /// A file of lines [default: standard input]
        #[arg(value_name = "LINES")]
        lines: Option<PathBuf>,
        /// How the log is encoded; another format than it has takes effect when it is compacted [default: a new log is
        /// binary, another keeps its format]
        #[arg(long, value_enum, value_name = "FORMAT")]
        wal_format: Option<Format>,
    },
    /// Write the log anew in another format, in its place
    ///
    /// The new log grows beside the old one as PATH.compacting, and takes its place when all of it is on the
    /// disk. All records stay, with their times. A torn tail goes.
    #[command(after_help = AFTER_HELP)]
    Convert {
        /// The log
        path: PathBuf,
        /// The new format
        #[arg(long, value_enum, value_name = "FORMAT")]
        to: Format,
    },
    /// Cut a damaged log off where the damage begins, so that it opens again
    ///
    /// Everything from the first batch, or line, that is not sound goes: sound records behind it, too. It is
    /// kept in a file PATH.cut-OFFSET. What would be cut is shown, and asked for.
    #[command(after_help = AFTER_HELP)]
    Repair {
        /// The log
        path: PathBuf,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Encoding of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Checksummed batches of binary records
    Binary,
    /// A line of JSON for each record
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Binary => Self::Binary,
            Format::Json => Self::Json,
        }
    }
}
