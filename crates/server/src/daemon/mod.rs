//! What surrounds the server when it runs as a process of its own.

mod args;
mod logging;
mod open_files;
mod signals;

use std::process::ExitCode;

use clap::Parser;
use rustvault_server::{Error, Server, ServerConfig};
use tokio::runtime::Builder;

use args::Args;
use signals::Signals;

pub(crate) fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(answer) => return usage_answer(&answer),
    };
    logging::start(args.log_format, args.log_level);
    let config = args.into_config();
    open_files::allow(config.max_connections, config.threads);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rustvault-server: error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Binds, recovers, serves. Until the signals that stop it are taken over, at the end of recovery, they end the
/// process as they would any other: nothing was promised to anybody yet.
fn run(config: ServerConfig) -> Result<(), Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System { action: "start the runtime", source })?;
    runtime.block_on(async {
        // Opening the log writes to it already.
        signals::survive_file_size_limit()?;
        let server = Server::bind(config).await?;
        let signals = Signals::take_over()?;
        server.run(signals.shutdown()).await
    })
}

/// `--help` and `--version` as they are; a usage error as one line.
fn usage_answer(answer: &clap::Error) -> ExitCode {
    if !answer.use_stderr() {
        // Nobody is there to read it if this fails.
        let _ = answer.print();
        return ExitCode::SUCCESS;
    }
    let text = answer.to_string();
    eprintln!("rustvault-server: {} (see --help)", args::one_line(&text));
    ExitCode::from(2)
}
