//! Messages in the configured format: events, panics, and the error that ends the daemon.

use std::io::{self, IsTerminal, Write};
use std::panic;

use rustvault_server::MessageFormat;
use tracing::level_filters::LevelFilter;
use tracing::{error, subscriber};
use tracing_subscriber::fmt;

use super::messages::Messages;

/// Sends events and panics to standard error.
pub(super) fn start(format: MessageFormat, level: LevelFilter, messages: &Messages) {
    let messages = messages.clone();
    let builder = fmt()
        .with_max_level(level)
        .with_ansi(io::stderr().is_terminal())
        // It reports its own errors with a macro that panics when standard error is closed.
        .log_internal_errors(false)
        .with_writer(move || messages.clone());
    match format {
        MessageFormat::Json => builder.json().init(),
        _ => builder.init(),
    }
    panic::set_hook(Box::new(|panic| error!("a defect, please report it: {panic}")));
}

/// Reports the error that ends the daemon, at every `--message-level`.
pub(super) fn fatal(format: MessageFormat, message: &str, messages: &Messages) {
    let mut messages = messages.clone();
    match format {
        MessageFormat::Json => {
            let json = fmt().json().log_internal_errors(false).with_writer(move || messages.clone());
            subscriber::with_default(json.finish(), || error!("{message}"));
        }
        _ => {
            // This writer never fails.
            let _ = messages.write_all(format!("rustvault-server: {message}\n").as_bytes());
        }
    }
}
