//! The daemon: the server as a process, with arguments, messages, signals, the service manager and the limit of open files.

mod args;
mod message_format;
mod messages;
mod open_files;
mod service;
mod signals;
mod usage;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use rustvault_server::options::{ConfigLayers, ConfigProblems, Variables};
use rustvault_server::{ConfigSource, Error, Lifecycle, ReloadError, Server, ServerConfig};
use tokio::runtime::Builder;
use tokio::select;

use args::Task;
use message_format::MessageLevel;
use messages::Messages;
use service::ServiceManager;
use signals::Signals;

pub(crate) fn main() -> ExitCode {
    let last_words = LastWords(Messages::to_stderr());
    let messages = &last_words.0;
    let (task, layers) = match args::from_process() {
        Ok(parsed) => parsed,
        Err(answer) => return usage_answer(&answer, messages),
    };
    let loaded = match layers.load() {
        Ok(loaded) => loaded,
        Err(problems) => return bad_configuration(&problems, messages),
    };
    match task {
        Task::Serve => serve(loaded.config, layers, messages),
        Task::CheckConfig => check(&loaded.config, layers.file(), messages),
        Task::ShowConfig { with_origins } => print(&loaded.to_toml(with_origins)),
    }
}

/// Serves until a signal, or until it cannot go on.
fn serve(config: ServerConfig, layers: ConfigLayers, messages: &Messages) -> ExitCode {
    let format = config.message_format;
    let level = message_format::start(format, config.message_level, messages);
    open_files::allow(config.max_connections, config.threads);
    match run(config, source(layers, level), messages) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            message_format::fatal(format, &format!("error: {error}"), messages);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Checks also the files that the configuration names, and reports each mistake.
fn check(config: &ServerConfig, file: Option<&Path>, messages: &Messages) -> ExitCode {
    match (Server::check(config), file) {
        (Ok(()), Some(file)) => print(&format!("{}: the configuration is valid\n", file.display())),
        (Ok(()), None) => print("the configuration is valid\n"),
        (Err(mistakes), _) => {
            for mistake in mistakes {
                message_format::fatal(config.message_format, &format!("error: {mistake}"), messages);
            }
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Guard that writes the last messages before the process ends, also after a panic.
struct LastWords(Messages);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.flush();
    }
}

/// Returns the source of reloads: the file and those of secrets, read again, below the same flags and variables.
fn source(layers: ConfigLayers, level: MessageLevel) -> ConfigSource {
    let load = move || match layers.load() {
        Ok(loaded) => Ok(loaded.config),
        Err(problems) => Err(ReloadError::new(problems.iter().map(ToString::to_string))),
    };
    ConfigSource::new(load).on_change(move |config| {
        level.set(config.message_level);
        open_files::allow(config.max_connections, config.threads);
    })
}

/// Binds the addresses, recovers the log, and serves.
///
/// A signal during recovery ends it at once: no write has been acknowledged yet.
fn run(config: ServerConfig, source: ConfigSource, messages: &Messages) -> Result<(), Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System { action: "start the runtime", source })?;
    let ended = runtime.block_on(async {
        // Before the log is opened, which already writes to it.
        signals::survive_file_size_limit()?;
        signals::reload_on_hangup(source.clone())?;
        let lifecycle = Lifecycle::default();
        if let Some(manager) = ServiceManager::from_environment() {
            manager.follow(&lifecycle, &source);
        }
        // Before the recovery: the first process of a container is not ended by a signal that it does not handle.
        let mut signals = Signals::take_over()?;
        let server = select! {
            server = Server::bind_watched(config, lifecycle) => server?.reload_from(source),
            () = signals.received() => return Ok(()),
        };
        server.run(signals.shutdown(messages.clone())).await
    });
    // The thread that recovers may still run, and would be waited for.
    runtime.shutdown_background();
    ended
}

/// Prints help and version to standard output, and reports a usage error as one line.
fn usage_answer(answer: &clap::Error, messages: &Messages) -> ExitCode {
    if !answer.use_stderr() {
        // If standard output cannot be written, nobody reads it.
        let _ = answer.print();
        return ExitCode::SUCCESS;
    }
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let message = format!("{} (see --help)", usage::explain(answer, &args));
    message_format::fatal(usage::message_format(&args, &Variables::from_process()), &message, messages);
    ExitCode::from(2)
}

/// Reports each mistake of the configuration.
fn bad_configuration(problems: &ConfigProblems, messages: &Messages) -> ExitCode {
    for problem in problems.iter() {
        message_format::fatal(problems.message_format(), &format!("error: {problem}"), messages);
    }
    ExitCode::from(2)
}
