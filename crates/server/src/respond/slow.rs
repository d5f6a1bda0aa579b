//! Reports slow commands: in the slow log, and by a message.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustvault_storage::batch::BatchStore;
use tracing::info;

use super::Responder;
use crate::batch::RequestBatch;
use crate::preview::preview;
use crate::slow_log::SlowCommand;

impl<S: BatchStore> Responder<'_, S> {
    /// Reports the last one of these requests, which were answered together and took so long: as a latency event, as a slow
    /// command, or as both.
    ///
    /// A client that has not logged in is left out: nothing of what it asked for was executed.
    #[cold]
    pub(super) fn report_slow(&self, batch: &RequestBatch<'_>, answered: Range<usize>, duration: Duration) {
        if self.session.must_log_in() {
            return;
        }
        let others = answered.len().saturating_sub(1);
        let Some((index, command)) = batch.last_command(answered) else { return };
        let unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.engine.config().latency_threshold.is_some_and(|threshold| duration >= threshold) {
            let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            self.engine.latency.command(unix_seconds, ms);
        }
        let log = &self.engine.slow_log;
        if !log.is_slow(duration) {
            return;
        }
        let arguments = batch.arguments_of(index);
        let client = &*self.session.client;
        let slow_log_id = log.add(SlowCommand::new(command, arguments, unix_seconds, duration, client));
        let Some(left_out) = log.messages.admit() else { return };
        let key = command.spec().key_positions(arguments.len()).next();
        let key = key.and_then(|position| arguments.get(position)).map(|key| preview(key));
        let user = client.user();
        info!(
            target: "slow",
            command = command.name().replace('|', " "),
            key,
            duration_ms = duration.as_micros() as f64 / 1000.0,
            others = (others > 0).then_some(others),
            request = self.session.request_id(index, batch.len()),
            client = client.id,
            peer = %client.peer,
            user = user.as_ref().map(|user| user.name.as_str()),
            slow_log_id,
            left_out,
            "slow command"
        );
    }
}
