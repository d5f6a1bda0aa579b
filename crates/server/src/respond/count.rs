//! Counts keys, of commands with more keys than one step takes.

use rustvault_protocol::{ErrorCode, ErrorReply};
use rustvault_storage::Lsn;
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use tokio::task::yield_now;

use super::Responder;
use crate::commands::{Answer, CountOf, MAX_STEP_KEYS, Refusal, integer, unexpected};

impl<S: BatchStore> Responder<'_, S> {
    /// Returns the number of `keys` that an operation finds, in several steps.
    ///
    /// The first failing step ends the command; the effects of the steps before it remain.
    pub(super) async fn count_in_steps(&self, op: CountOf, keys: &[&[u8]]) -> Answer<'static> {
        let (mut counted, mut depends_on) = (0, Lsn::ZERO);
        for keys in keys.chunks(MAX_STEP_KEYS) {
            let step = self.count_step(op(keys)).await;
            let (found, step_depends_on) = step.map_err(|refusal| half_done(counted, refusal))?;
            counted += found;
            depends_on = depends_on.max(step_depends_on);
            yield_now().await;
        }
        self.wait_for_commit(depends_on).await?;
        Ok(integer(counted))
    }

    /// Executes an operation whose outcome is a number of keys.
    async fn count_step(&self, op: Op<'_>) -> Result<(u64, Lsn), Refusal> {
        match self.ask(op).await? {
            (Outcome::Count(keys), depends_on) => Ok((keys, depends_on)),
            _ => Err(unexpected()),
        }
    }
}

/// Returns the error of a step that failed after others had succeeded.
///
/// Its code is `STORAGE`, the only one that does not promise that nothing was changed.
fn half_done(counted: u64, refusal: Refusal) -> Refusal {
    if counted == 0 {
        return refusal;
    }
    let message = format_args!(
        "{refusal}; the command was carried out for the keys before that, {counted} of which existed"
    );
    Box::new(ErrorReply::new(ErrorCode::Storage, message))
}
