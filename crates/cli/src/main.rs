//! Entry point of `rustvault-cli`: runs the command of the command line, and turns its result into an exit code.
//!

#![doc = include_str!("../README.md")]

mod action;
mod args;
mod bench;
mod commands;
mod error;
mod escape;
mod help;
mod names;
mod output;
mod prefix;
mod prompt;
mod repl;
mod reply;
mod transfer;
mod user;
mod wal;

use std::io::{self, Write};
use std::process::ExitCode;

use action::Action;
use args::{CliArgs, CliCommand};
use bytes::Bytes;
use commands::CommandOutcome;
use error::CliError;
use rustvault_protocol::Command;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code of a one-shot whose key is not there.
const EXIT_KEY_NOT_FOUND: u8 = 3;

fn main() -> ExitCode {
    let args = match CliArgs::from_process() {
        Ok(args) => args,
        Err(error) => return exit_on_usage(&error),
    };
    match run(&args) {
        Ok(CommandOutcome::Done) => ExitCode::SUCCESS,
        Ok(CommandOutcome::KeyNotFound) => ExitCode::from(EXIT_KEY_NOT_FOUND),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::report_error(&error, args.json);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: &CliArgs) -> Result<CommandOutcome, CliError> {
    let Some(command) = args.command.clone() else {
        return repl::run(args).map(|()| CommandOutcome::Done);
    };
    match command {
        CliCommand::Bench(bench) => bench::run(args, &bench)?,
        CliCommand::Wal { command } => wal::run(args, command)?,
        CliCommand::User(user) => user::run(args, user)?,
        CliCommand::Export { prefix } => transfer::export(args, &prefix)?,
        CliCommand::Import { file, keep_existing } => transfer::import(args, file.as_deref(), keep_existing)?,
        CliCommand::Text(text) => print(&text)?,
        command => return commands::run_once(args, action_of(command)?),
    }
    Ok(CommandOutcome::Done)
}

/// Returns what a command of the command line asks a server for.
fn action_of(command: CliCommand) -> Result<Action, CliError> {
    Ok(match command {
        CliCommand::Set { key, value, options, .. } => {
            let value = value.map_or_else(|| commands::read_value(io::stdin().lock()), Ok)?;
            Action::command(Command::Set, [key, value].into_iter().chain(options))
        }
        CliCommand::Get { prefix: Some(prefix), .. } => Action::GetPrefix(prefix),
        CliCommand::Get { key: Some(key), raw: true, .. } => Action::GetRaw(key),
        CliCommand::Get { key, .. } => Action::command(Command::Get, key),
        CliCommand::Delete { prefix: Some(prefix), yes, .. } => {
            Action::DeletePrefix { prefix, is_agreed: yes }
        }
        CliCommand::Delete { key, .. } => Action::command(Command::Delete, key),
        CliCommand::Exists { keys } => Action::command(Command::Exists, keys),
        CliCommand::Scan { arguments, prefix, limit } if arguments.is_empty() => {
            Action::Scan { prefix, limit }
        }
        CliCommand::Scan { arguments, .. } => Action::command(Command::Scan, arguments),
        CliCommand::Count => Action::Command(vec![Bytes::from_static(b"count")]),
        CliCommand::Ping { message } => Action::command(Command::Ping, message),
        CliCommand::Info { sections } => Action::command(Command::Info, sections),
        CliCommand::Compact => Action::command(Command::Compact, []),
        CliCommand::Other(words) => Action::from_words(
            words.into_iter().map(|word| Bytes::from(word.into_encoded_bytes())).collect(),
        )?,
        CliCommand::Bench(_)
        | CliCommand::Wal { .. }
        | CliCommand::User(_)
        | CliCommand::Export { .. }
        | CliCommand::Import { .. }
        | CliCommand::Text(_) => return Err(CliError::Usage("this is no command of a server".to_owned())),
    })
}

fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(CliError::Output)
}

/// Help and version go to standard output with 0, usage errors to standard error with 2.
fn exit_on_usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|arg| arg == "--json");
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        output::report_error(&CliError::Usage(text.to_owned()), wants_json);
    } else {
        // Nothing is left to do when the terminal or pipe is gone.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
