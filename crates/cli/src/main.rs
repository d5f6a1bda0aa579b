//! Entry point of `rustvault-cli`: runs the command of the command line, and turns its result into an exit code.
//!

#![doc = include_str!("../README.md")]

mod args;
mod bench;
mod commands;
mod error;
mod escape;
mod output;
mod repl;
mod wal;

use std::io;
use std::process::ExitCode;

use args::{Args, CliCommand};
use clap::error::{ContextKind, ContextValue};
use commands::{Action, Outcome};
use error::CliError;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code of a one-shot whose key is not there.
const EXIT_KEY_NOT_FOUND: u8 = 3;

fn main() -> ExitCode {
    let args = match Args::from_process() {
        Ok(args) => args,
        Err(error) => return exit_on_usage(&error),
    };
    match run(&args) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::KeyNotFound) => ExitCode::from(EXIT_KEY_NOT_FOUND),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::report_error(&error, args.json);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: &Args) -> Result<Outcome, CliError> {
    let action = match args.command.clone() {
        None => return repl::run(args).map(|()| Outcome::Done),
        Some(CliCommand::Bench(bench)) => return bench::run(args, &bench).map(|()| Outcome::Done),
        Some(CliCommand::Wal { command }) => return wal::run(args, command).map(|()| Outcome::Done),
        Some(CliCommand::Set { key, value: Some(value), .. }) => Action::Set { key, value },
        Some(CliCommand::Set { key, value: None, .. }) => {
            Action::Set { key, value: commands::read_value(io::stdin().lock())? }
        }
        Some(CliCommand::Get { key, raw }) => Action::Get { key, raw },
        Some(CliCommand::Delete { key }) => Action::Delete { key },
        Some(CliCommand::Exists { key }) => Action::Exists { key },
        Some(CliCommand::Count) => Action::Count,
        Some(CliCommand::Scan { prefix, limit }) => Action::Scan { prefix, limit },
        Some(CliCommand::Ping) => Action::Ping,
        Some(CliCommand::Info) => Action::Info,
        Some(CliCommand::Compact) => Action::Compact,
    };
    commands::run_once(args, action)
}

/// The one option that may come from the environment, as clap shows it, and its variable.
const ADDR_OPTION: &str = "--addr <HOST:PORT>";
const ADDR_VARIABLE: &str = "RUSTVAULT_ADDR";

/// Returns whether a usage error is about an address that is not on the command line.
fn is_of_variable(error: &clap::Error) -> bool {
    let is_of_addr = matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(option)) if option == ADDR_OPTION);
    let is_on_command_line =
        std::env::args_os().any(|arg| arg.to_str().is_some_and(|arg| arg.starts_with("--addr")));
    is_of_addr && !is_on_command_line && std::env::var_os(ADDR_VARIABLE).is_some()
}

/// Help and version go to standard output with 0, usage errors to standard error with 2.
fn exit_on_usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|arg| arg == "--json");
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    if error.use_stderr() && (wants_json || is_of_variable(error)) {
        // Whoever typed no address looks for the mistake in what he typed.
        let text = match is_of_variable(error) {
            true => {
                text.replacen(&format!("'{ADDR_OPTION}'"), &format!("{ADDR_VARIABLE} ({ADDR_OPTION})"), 1)
            }
            false => text.to_owned(),
        };
        output::report_error(&CliError::Usage(text), wants_json);
    } else {
        // Nothing is left to do when the terminal or pipe is gone.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
