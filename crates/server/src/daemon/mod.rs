//! The server as a process of its own: arguments, messages, signals, the limit of open files.

mod args;
mod environment;
mod message_format;
mod messages;
mod open_files;
mod signals;
mod usage;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use rustvault_server::{Error, Server, ServerConfig};
use tokio::runtime::Builder;

use args::Args;
use messages::Messages;
use signals::Signals;

pub(crate) fn main() -> ExitCode {
    let last_words = LastWords(Messages::to_stderr());
    let messages = &last_words.0;
    let args = match Args::from_process() {
        Ok(args) => args,
        Err(answer) => return usage_answer(&answer, messages),
    };
    let format = args.message_format;
    message_format::start(format, args.message_level, messages);
    let config = args.into_config();
    open_files::allow(config.max_connections, config.threads);
    match run(config, messages) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            message_format::fatal(format, &format!("error: {error}"), messages);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Guard that writes the last messages before the process ends, also after a panic.
struct LastWords(Messages);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Binds, recovers, serves. Until the signals that stop it are taken over, at the end of recovery, they end the
/// process as they would any other: nothing was promised to anybody yet.
fn run(config: ServerConfig, messages: &Messages) -> Result<(), Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System { action: "start the runtime", source })?;
    runtime.block_on(async {
        // Opening the log writes to it already.
        signals::survive_file_size_limit()?;
        signals::ignore_hangup()?;
        let server = Server::bind(config).await?;
        let signals = Signals::take_over()?;
        server.run(signals.shutdown(messages.clone())).await
    })
}

/// `--help` and `--version` as they are; a usage error as one line.
fn usage_answer(answer: &clap::Error, messages: &Messages) -> ExitCode {
    if !answer.use_stderr() {
        // Nobody is there to read it if this fails.
        let _ = answer.print();
        return ExitCode::SUCCESS;
    }
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let message = format!("{} (see --help)", usage::explain(answer, &args));
    message_format::fatal(usage::message_format(&args), &message, messages);
    ExitCode::from(2)
}
