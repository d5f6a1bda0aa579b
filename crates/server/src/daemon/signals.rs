use std::process;

use rustvault_server::Error;
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// SIGINT and SIGTERM, which would otherwise end the process.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn take_over() -> Result<Self, Error> {
        let listen =
            |kind| signal(kind).map_err(|source| Error::System { action: "listen for signals", source });
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Ends at the first signal; a second one ends the process at once, which the log survives like a crash.
    pub(super) async fn shutdown(mut self) {
        let signal = self.next().await;
        info!(signal = signal.name, "stopping; a second signal ends the process at once");
        tokio::spawn(async move {
            let signal = self.next().await;
            warn!(signal = signal.name, "ending at once");
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

/// A signal, and the code that a shell gives for a process that it ended.
struct Received {
    name: &'static str,
    exit_code: i32,
}
