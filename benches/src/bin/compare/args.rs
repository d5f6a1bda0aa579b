use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::server::Peer;

const AFTER_HELP: &str = "\
RUSTVAULT_SERVER_BIN and RUSTVAULT_CLI_BIN name executables to use instead of those of this workspace.
Exit codes: 0 every row was measured, 1 a row failed, 2 usage, 130 interrupted. A goal that is missed is not a \
failure.";

/// Rows that load alone measures, and whose load generator takes any answer.
const CEILING_ROWS: [u8; 8] = [1, 2, 3, 4, 6, 7, 8, 9];

/// Compare RustVault with Redis: both in turn, on this machine, under the same load.
#[derive(Debug, Parser)]
#[command(name = "compare", after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Args {
    /// The whole table in under two minutes: fewer pairs, shorter loads, an eighth of the keys in rows 10 to 12
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only these rows, such as 1,2,5
    #[arg(long, value_name = "ROWS", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=13))]
    rows: Vec<u8>,

    /// Pairs of measurements in each row [default: 5, with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) pairs: Option<u32>,

    /// Redis on both sides: how far the ratios of equals stray from 1 on this machine
    #[arg(long)]
    noise: bool,

    /// In RustVault's place a server that answers and does nothing else: what can be reached on this machine
    #[arg(long, conflicts_with = "noise")]
    ceiling: bool,

    /// Be that server, on this port of the loopback interface
    #[arg(long, hide = true, value_name = "PORT")]
    pub(crate) serve_ceiling: Option<u16>,

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
        match self.rows.iter().find(|row| self.ceiling && !CEILING_ROWS.contains(row)) {
            Some(row) => {
                let text = format!(
                    "--ceiling has no row {row}: its server keeps nothing, which that row would notice"
                );
                Err(Self::command().error(ErrorKind::ArgumentConflict, text))
            }
            None => Ok(()),
        }
    }

    /// Who is measured, and against whom.
    pub(crate) fn peers(&self) -> [Peer; 2] {
        let measured = match (self.noise, self.ceiling) {
            (true, _) => Peer::Redis,
            (_, true) => Peer::Ceiling,
            _ => Peer::RustVault,
        };
        [measured, Peer::Redis]
    }

    /// The rows to measure; none means all.
    pub(crate) fn rows(&self) -> Vec<u8> {
        if self.ceiling && self.rows.is_empty() { CEILING_ROWS.into() } else { self.rows.clone() }
    }

    pub(crate) fn markdown_path(&self, output: &Path) -> PathBuf {
        self.markdown.clone().unwrap_or_else(|| output.join("compare.md"))
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
    fn the_ceiling_is_measured_where_its_server_does() {
        let check = |line: &[&str]| Args::try_parse_from(line).expect("a valid line").check();
        assert!(check(&["compare", "--ceiling", "--rows", "1,9"]).is_ok());
        assert!(check(&["compare", "--rows", "5,13"]).is_ok());
        assert!(check(&["compare", "--ceiling", "--rows", "1,5"]).is_err());
    }
}
