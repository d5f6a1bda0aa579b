//! The command line.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::comparison::Comparison;
use crate::security::Logins;
use crate::{programs, rows};

const AFTER_HELP: &str = "\
RUSTVAULT_SERVER_BIN and RUSTVAULT_CLI_BIN name executables to use instead of those of this workspace.
Exit codes: 0 every row was measured, 1 a row failed, 2 usage, 130 interrupted. A goal that is missed is not a \
failure, nor is a figure that is worse than the baseline's.";

/// Compare RustVault with Redis, or with an older build: in turn, on this machine, under the same load.
#[derive(Debug, Parser)]
#[command(name = "compare", after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Args {
    /// The whole table in about two minutes: fewer pairs, shorter loads, an eighth of the keys in rows 10 to 12
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only these rows, such as 1,2,5
    #[arg(long, value_name = "ROWS", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=13))]
    rows: Vec<u8>,

    /// Pairs of measurements in each row [default: 5, with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) pairs: Option<u32>,

    /// This build and BINARY, the rustvault-server of an older commit, instead of Redis: is anything worse? BINARY
    /// is measured against itself in the same run, which is what differences are judged by
    #[arg(
        long,
        value_name = "BINARY",
        value_parser = PathBufValueParser::new().try_map(programs::server_binary)
    )]
    pub(crate) against: Option<PathBuf>,

    /// Instead of the rows, what a well-behaved client waits for its answers while others attack the server
    #[arg(long, conflicts_with_all = ["rows", "against", "json"])]
    pub(crate) hostile: bool,

    /// A further argument of this build's rustvault-server, for example --server-arg=--cpu-affinity=off; once for each
    /// argument. The baseline gets none
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, conflicts_with_all = ["noise", "ceiling"])]
    pub(crate) server_arg: Vec<String>,

    /// This build with users, and without: what do rights cost? The load generators log in as a user with rights to their
    /// keys alone
    #[arg(long, conflicts_with_all = ["hostile", "tls", "noise", "ceiling"])]
    pub(crate) users: bool,

    /// All load over TLS, on every side
    #[arg(long, conflicts_with_all = ["hostile", "noise"])]
    pub(crate) tls: bool,

    /// This build with users, and 50 logins a second beside each load, or none: what do logins cost others?
    #[arg(long, value_name = "KIND", conflicts_with_all = ["hostile", "users", "tls", "noise", "ceiling"])]
    pub(crate) logins: Option<Logins>,

    /// This build with a scrape of its metrics a second and the slow log, and without both: what does watching cost?
    #[arg(long, conflicts_with_all = ["hostile", "users", "tls", "logins", "noise", "ceiling"])]
    pub(crate) metrics: bool,

    /// Redis on both sides: the noise floor of this machine
    #[arg(long, conflicts_with_all = ["against", "hostile"])]
    noise: bool,

    /// In RustVault's place a server that answers and does nothing else: what can be reached on this machine
    #[arg(long, conflicts_with_all = ["noise", "against", "hostile"])]
    ceiling: bool,

    /// Be that server, on this port of the loopback interface
    #[arg(long, hide = true, value_name = "PORT")]
    pub(crate) serve_ceiling: Option<u16>,

    /// And over TLS on a port, with a certificate and its key
    #[arg(long, hide = true, num_args = 3, value_names = ["PORT", "CERTIFICATE", "KEY"])]
    pub(crate) ceiling_tls: Option<Vec<PathBuf>>,

    /// Where the table goes as Markdown [default: compare/compare.md in the target directory]
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Where the table goes as JSON, with every sample [default: compare/compare.json in the target directory]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Args {
    /// The command line; says what is wrong with it and ends the process, if anything is.
    pub(crate) fn from_command_line() -> Self {
        let args = Self::parse();
        args.check().unwrap_or_else(|error| error.exit());
        args
    }

    fn check(&self) -> Result<(), clap::Error> {
        let ceiling_rows = rows::with_ceiling();
        match self.rows.iter().find(|row| self.ceiling && !ceiling_rows.contains(row)) {
            Some(row) => {
                let text = format!(
                    "--ceiling has no row {row}: its server keeps nothing, which that row would notice"
                );
                Err(Self::command().error(ErrorKind::ArgumentConflict, text))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn comparison(&self) -> Comparison {
        let is_against_itself = self.users || self.logins.is_some() || self.metrics;
        match (&self.against, self.noise, self.ceiling) {
            (Some(_), _, _) => Comparison::WithBaseline,
            _ if is_against_itself => Comparison::WithBaseline,
            (_, true, _) => Comparison::Noise,
            (_, _, true) => Comparison::Ceiling,
            _ => Comparison::WithRedis,
        }
    }

    /// Returns the rows to measure; none means all.
    pub(crate) fn rows(&self) -> Vec<u8> {
        if self.ceiling && self.rows.is_empty() { rows::with_ceiling() } else { self.rows.clone() }
    }

    pub(crate) fn markdown_path(&self, output: &Path) -> PathBuf {
        let name = if self.hostile { "hostile.md" } else { "compare.md" };
        self.markdown.clone().unwrap_or_else(|| output.join(name))
    }

    pub(crate) fn json_path(&self, output: &Path) -> PathBuf {
        self.json.clone().unwrap_or_else(|| output.join("compare.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn rows_are_a_list_of_numbers_that_the_table_has() {
        let rows = |list: &str| Args::try_parse_from(["compare", "--rows", list]).map(|args| args.rows);
        assert_eq!(rows("1,13,5").unwrap(), [1, 13, 5]);
        for bad in ["0", "14", "1,", "x"] {
            assert!(rows(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_run_compares_one_thing() {
        let kind = |line: &[&str]| Args::try_parse_from(line).map(|args| args.comparison());
        assert_eq!(kind(&["compare"]).unwrap(), Comparison::WithRedis);
        assert_eq!(kind(&["compare", "--noise"]).unwrap(), Comparison::Noise);
        assert_eq!(kind(&["compare", "--ceiling"]).unwrap(), Comparison::Ceiling);
        assert!(kind(&["compare", "--noise", "--ceiling"]).is_err());
        assert_eq!(kind(&["compare", "--metrics"]).unwrap(), Comparison::WithBaseline);
        assert!(kind(&["compare", "--metrics", "--users"]).is_err());
        let args = Args { against: Some("rustvault-server".into()), ..Args::parse_from(["compare"]) };
        assert_eq!(args.comparison(), Comparison::WithBaseline);
    }

    #[test]
    fn arguments_of_the_server_are_handed_on_where_one_runs() {
        let args = |line: &[&str]| Args::try_parse_from(line).map(|args| args.server_arg);
        let both = ["compare", "--server-arg=--cpu-affinity=off", "--server-arg", "--threads=1"];
        assert_eq!(args(&both).unwrap(), ["--cpu-affinity=off", "--threads=1"]);
        assert!(args(&["compare", "--noise", "--server-arg=--threads=1"]).is_err());
        assert!(args(&["compare", "--ceiling", "--server-arg=--threads=1"]).is_err());
    }

    #[test]
    fn a_baseline_that_is_none_is_a_usage_error_that_says_what_to_do() {
        let error = Args::try_parse_from(["compare", "--against", "/nowhere/server"]).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 2);
        assert!(text.contains("--against <BINARY>") && text.contains("docs/performance.md"), "{text}");
    }

    #[test]
    fn a_baseline_excludes_other_kinds_of_runs() {
        let command = Args::command();
        let against = command.get_arguments().find(|argument| argument.get_id() == "against").unwrap();
        let mut excluded: Vec<_> = command.get_arg_conflicts_with(against);
        excluded.extend(
            command
                .get_arguments()
                .filter(|argument| command.get_arg_conflicts_with(argument).contains(&against)),
        );
        let mut excluded: Vec<_> = excluded.iter().map(|argument| argument.get_id().as_str()).collect();
        excluded.sort_unstable();
        assert_eq!(excluded, ["ceiling", "hostile", "noise"]);
    }

    #[test]
    fn the_ceiling_is_measured_where_its_server_does() {
        let check = |line: &[&str]| Args::try_parse_from(line).expect("a valid line").check();
        assert!(check(&["compare", "--ceiling", "--rows", "1,9"]).is_ok());
        assert!(check(&["compare", "--rows", "5,13"]).is_ok());
        assert!(check(&["compare", "--ceiling", "--rows", "1,5"]).is_err());
    }
}
