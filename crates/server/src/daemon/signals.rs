//! Signals that the daemon handles.

use std::process;

use rustix::process::Signal as SignalNumber;
use rustvault_server::{ConfigSource, Error};
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use super::messages::Messages;

/// SIGINT and SIGTERM, which would otherwise end the process.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// Keeps SIGXFSZ from ending the process: a write beyond the limit on the size of a file (`RLIMIT_FSIZE`) then fails
/// with EFBIG, which the log treats as a full disk.
///
/// The runtime never removes a handler, so this holds for the life of the process.
pub(super) fn survive_file_size_limit() -> Result<(), Error> {
    listen(SignalKind::from_raw(SignalNumber::XFSZ.as_raw())).map(drop)
}

/// Requests a reload at each SIGHUP, which so never ends the process. One that comes during recovery reloads after it.
pub(super) fn reload_on_hangup(source: ConfigSource) -> Result<(), Error> {
    let mut hangup = listen(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            info!("SIGHUP: the configuration is loaded again");
            source.request();
        }
    });
    Ok(())
}

fn listen(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|source| Error::System { action: "listen for signals", source })
}

impl Signals {
    pub(super) fn take_over() -> Result<Self, Error> {
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for a signal during recovery.
    pub(super) async fn received(&mut self) {
        let signal = self.next().await;
        info!(signal = signal.name, "stopping before the log is recovered, which it is at the next start");
    }

    /// Waits for the first signal. A second one ends the process at once, which the log survives like a crash.
    pub(super) async fn shutdown(mut self, messages: Messages) {
        let signal = self.next().await;
        info!(signal = signal.name, "stopping; a second signal ends the process at once");
        tokio::spawn(async move {
            let signal = self.next().await;
            warn!(signal = signal.name, "ending at once");
            messages.flush();
            process::exit(signal.exit_code);
        });
    }

    async fn next(&mut self) -> Received {
        select! {
            _ = self.interrupt.recv() => Received { name: "SIGINT", exit_code: 130 },
            _ = self.terminate.recv() => Received { name: "SIGTERM", exit_code: 143 },
        }
    }
}

/// A signal, and the exit code by which a shell reports it.
struct Received {
    name: &'static str,
    exit_code: i32,
}
