//! Waiting for a command at a terminal: Ctrl-C ends the wait, and one for a connection is reported.

use std::error::Error;
use std::future::Future;
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use rustvault_client::Client;
use rustvault_protocol::Command;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::terminal::say;
use crate::action::Action;
use crate::commands::{CliSession, CommandOutcome};
use crate::error::CliError;

/// A connection that comes back sooner is not worth a word.
const REPORTED_AFTER: Duration = Duration::from_millis(300);

/// Takes Ctrl-C from the system's hands, which would end the process.
///
/// # Errors
/// [`CliError::Runtime`] if the system refuses.
pub(super) fn catch_ctrl_c(runtime: &Runtime) -> Result<(), CliError> {
    let _entered = runtime.enter();
    // The signal stays caught once it was.
    signal(SignalKind::interrupt()).map(drop).map_err(CliError::Runtime)
}

/// Begins to listen for Ctrl-C; what was pressed before does not count.
///
/// One listener is for all lines of an input: a Ctrl-C between two of them ends it, too.
///
/// # Errors
/// [`CliError::Runtime`] if the system refuses.
pub(super) fn listen(runtime: &Runtime) -> Result<Signal, CliError> {
    let _entered = runtime.enter();
    signal(SignalKind::interrupt()).map_err(CliError::Runtime)
}

/// Fails if Ctrl-C was pressed.
///
/// # Errors
/// [`CliError::Interrupted`].
pub(super) fn check(runtime: &Runtime, ctrl_c: &mut Signal) -> Result<(), CliError> {
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = ctrl_c.recv() => Err(CliError::Interrupted("")),
            () = yield_now() => Ok(()),
        }
    })
}

/// Carries out `action`, unless Ctrl-C is pressed meanwhile.
///
/// # Errors
/// Errors of [`CliSession::execute`], and [`CliError::Interrupted`].
pub(super) async fn execute<W: Write>(
    session: &mut CliSession<W>,
    action: Action,
    ctrl_c: &mut Signal,
) -> Result<CommandOutcome, CliError> {
    let addr = session.addr().to_owned();
    let nothing_sent = CliError::Interrupted("; nothing was sent");
    let client = wait(session.connect_for(&action), no_answer(&addr), ctrl_c, nothing_sent).await?;
    let interrupted = CliError::Interrupted(consequence(&action));
    wait(session.execute(action), outage(&client, &addr), ctrl_c, interrupted).await
}

/// Waits for `work`; says once what it waits for, if `reason` is known before.
async fn wait<T>(
    work: impl Future<Output = Result<T, CliError>>,
    reason: impl Future<Output = String>,
    ctrl_c: &mut Signal,
    interrupted: CliError,
) -> Result<T, CliError> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        result = &mut work => return result,
        _ = ctrl_c.recv() => return Err(interrupted),
        reason = reason => say("note", &format!("{reason}; Ctrl-C ends the wait")),
    }
    tokio::select! {
        biased;
        result = work => result,
        _ = ctrl_c.recv() => Err(interrupted),
    }
}

/// Why a first connection takes long.
async fn no_answer(addr: &str) -> String {
    sleep(REPORTED_AFTER).await;
    format!("waiting for a connection to {addr} (no answer yet)")
}

/// Returns why the command waits for another connection, once it does.
async fn outage(client: &Client, addr: &str) -> String {
    sleep(REPORTED_AFTER).await;
    let error = client.outage().await;
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    format!("waiting for a connection to {addr} ({reason})")
}

/// Returns the end of the message about a command whose answer is given up: what goes on, or is unknown.
fn consequence(action: &Action) -> &'static str {
    if action.is(Command::Compact) {
        "; the server goes on compacting"
    } else if action.is_write() {
        "; it is unknown whether the write took effect"
    } else {
        ""
    }
}
