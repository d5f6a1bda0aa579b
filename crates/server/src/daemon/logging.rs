use std::io::{self, IsTerminal};
use std::panic;

use tracing::error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;

use super::args::LogFormat;

/// Sends the log to standard error, panics included.
pub(super) fn start(format: LogFormat, level: LevelFilter) {
    let builder = fmt().with_writer(io::stderr).with_max_level(level).with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    panic::set_hook(Box::new(|panic| error!("a defect, please report it: {panic}")));
}
