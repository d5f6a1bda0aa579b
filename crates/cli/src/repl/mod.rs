//! The session: lines from a terminal or from a script.

mod assist;
mod complete;
mod hint;
mod line;
mod quiet;
mod remaining;
mod terminal;
mod waiting;

use std::io::{self, BufRead, IsTerminal, Read, Write};

use tokio::runtime::Builder;

use crate::action::Action;
use crate::args::CliArgs;
use crate::commands::{CliSession, CommandOutcome, LIMITS};
use crate::error::CliError;
use crate::help;
use line::Line;

/// Runs a session on standard input, with line editing if that is a terminal.
///
/// # Errors
/// At a terminal: only if the terminal itself fails. Otherwise the first failed line ends the
/// session, with its number; a missing key is not a failure.
pub(crate) fn run(args: &CliArgs) -> Result<(), CliError> {
    // A worker thread of its own sees a lost connection while this one waits for the next line.
    let runtime =
        Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(CliError::Runtime)?;
    let mut session = CliSession::of_lines(args, io::BufWriter::new(io::stdout()))?;
    if io::stdin().is_terminal() {
        return terminal::run(&runtime, &mut session, args.json);
    }
    match runtime.block_on(session.connect()) {
        // The first line may be the login.
        Err(error) if error.needs_login() => {}
        connected => drop(connected?),
    }
    let execute = |session: &mut CliSession<_>, action| runtime.block_on(session.execute(action));
    run_script(&mut session, io::stdin().lock(), execute)
}

fn run_script<W: Write>(
    session: &mut CliSession<W>,
    mut input: impl BufRead,
    execute: impl Fn(&mut CliSession<W>, Action) -> Result<CommandOutcome, CliError>,
) -> Result<(), CliError> {
    // The parser reports a line over the limit, so that many bytes and the line end are enough.
    let max_line_bytes = LIMITS.max_line_bytes() as u64 + 2;
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let read =
            input.by_ref().take(max_line_bytes).read_until(b'\n', &mut bytes).map_err(CliError::Input)?;
        if read == 0 {
            break;
        }
        match run_line(session, &bytes, &execute) {
            Ok(Next::Continue) => {}
            Ok(Next::Quit) => break,
            Err(source) => return Err(CliError::Line { line: number, source: Box::new(source) }),
        }
    }
    Ok(())
}

/// Next step of a session after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Continue,
    Quit,
}

fn run_line<W: Write>(
    session: &mut CliSession<W>,
    bytes: &[u8],
    execute: impl FnOnce(&mut CliSession<W>, Action) -> Result<CommandOutcome, CliError>,
) -> Result<Next, CliError> {
    match line::parse(bytes)? {
        Line::Nothing => {}
        Line::Quit => return Ok(Next::Quit),
        Line::Help(words) => {
            session.printer.text(&help::on(&words)?)?;
            session.printer.flush()?;
        }
        Line::Action(action) => {
            execute(session, action)?;
        }
    }
    Ok(Next::Continue)
}
