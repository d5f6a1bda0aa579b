//! Messages in the configured format: events, panics, and the error that ends the daemon.

use std::io::{self, IsTerminal, Write};
use std::panic;

use rustvault_server::MessageFormat;
use tracing::level_filters::LevelFilter;
use tracing::{error, subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, registry, reload};

use super::messages::Messages;

/// The level of messages, which changes while the daemon runs.
#[derive(Debug, Clone)]
pub(super) struct MessageLevel(reload::Handle<LevelFilter, Registry>);

impl MessageLevel {
    /// Sets the least important messages that are printed from now on.
    pub(super) fn set(&self, level: LevelFilter) {
        // It fails only when nothing prints messages any more.
        let _ = self.0.modify(|present| *present = level);
    }
}

/// Sends events and panics to standard error; returns the level, to change it.
pub(super) fn start(format: MessageFormat, level: LevelFilter, messages: &Messages) -> MessageLevel {
    let messages = messages.clone();
    let (filter, handle) = reload::Layer::new(level);
    let layer = fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        // It reports its own errors with a macro that panics when standard error is closed.
        .log_internal_errors(false)
        .with_writer(move || messages.clone());
    match format {
        MessageFormat::Json => registry().with(filter).with(layer.json()).init(),
        _ => registry().with(filter).with(layer).init(),
    }
    panic::set_hook(Box::new(|panic| error!("a defect, please report it: {panic}")));
    MessageLevel(handle)
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
