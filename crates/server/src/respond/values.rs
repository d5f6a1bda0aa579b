//! Values of many keys. The memory that they hold is bounded.

use std::io;

use rustvault_protocol::Reply;
use rustvault_storage::batch::{BatchStore, Op, Outcome, Sight};
use rustvault_storage::{Error, Lsn};
use tokio::task::yield_now;

use super::Responder;
use crate::closing::{CloseReason, Closing};
use crate::commands::{Payload, Refusal, store_error, unexpected};

/// Keys that one step looks up, of commands with more keys than one step takes; then other connections have a turn.
const GET_KEYS_PER_TURN: usize = 1000;

/// Most keys of one repeated look-up.
const MAX_KEYS_AGAIN: usize = 256;

impl<S: BatchStore> Responder<'_, S> {
    /// Writes the values of `keys` as of one moment.
    ///
    /// Values beyond the memory limit are looked up again when the values before them are written. If one has changed since, the
    /// connection ends.
    pub(super) async fn put_values(
        &mut self,
        keys: &[&[u8]],
        outcome: Result<Outcome, Error>,
    ) -> io::Result<()> {
        match outcome.map_err(store_error).and_then(seen) {
            Ok(sights) => {
                self.session.protocol().begin_array(sights.len(), self.output);
                self.put_seen(keys, sights).await
            }
            Err(refusal) => self.put(refusal.into()).await,
        }
    }

    /// Writes the values of more `keys` than one step takes, a step in each turn.
    pub(super) async fn put_values_in_steps(&mut self, keys: &[&[u8]]) -> io::Result<()> {
        for (turn, keys_of_turn) in keys.chunks(GET_KEYS_PER_TURN).enumerate() {
            let sights = match self.see_durable(keys_of_turn).await {
                Ok(sights) => sights,
                Err(refusal) if turn == 0 => return self.put(refusal.into()).await,
                Err(refusal) => return Err(io::Error::other(refusal)),
            };
            if turn == 0 {
                self.session.protocol().begin_array(keys.len(), self.output);
            }
            self.put_seen(keys_of_turn, sights).await?;
            // The next look-up may have to wait for a sync.
            self.flush().await?;
            yield_now().await;
        }
        Ok(())
    }

    /// Looks up `keys` as of one moment, and waits until their values may be revealed.
    async fn see_durable(&self, keys: &[&[u8]]) -> Result<Vec<Sight>, Refusal> {
        let (sights, depends_on) = self.see(keys).await?;
        self.wait_for_commit(depends_on).await?;
        Ok(sights)
    }

    /// Looks up `keys` as of one moment.
    async fn see(&self, keys: &[&[u8]]) -> Result<(Vec<Sight>, Lsn), Refusal> {
        let op = Op::GetManyWithin { keys, max_bytes: self.engine.config().max_output_bytes };
        let (outcome, depends_on) = self.ask(op).await?;
        Ok((seen(outcome)?, depends_on))
    }

    /// Writes the values that are held; looks the others up again, and writes them.
    async fn put_seen(&mut self, keys: &[&[u8]], mut sights: Vec<Sight>) -> io::Result<()> {
        let misses = sights.iter().filter(|sight| matches!(sight, Sight::Missing)).count();
        self.metrics().looked_up((sights.len() - misses) as u64, misses as u64);
        let held = held_front(&sights);
        let not_held = sights.split_off(held);
        self.put_sights(sights).await?;
        let (mut keys, mut earlier) = (keys.get(held..).unwrap_or_default(), not_held.as_slice());
        while !earlier.is_empty() {
            self.flush().await?;
            let piece = self.look_again(keys, earlier).await?;
            (keys, earlier) =
                (keys.get(piece.len()..).unwrap_or_default(), earlier.get(piece.len()..).unwrap_or_default());
            self.put_sights(piece).await?;
            yield_now().await;
        }
        Ok(())
    }

    /// Writes items of an array whose header was written. They may be many or large, so the output is flushed in between.
    async fn put_sights(&mut self, sights: Vec<Sight>) -> io::Result<()> {
        for sight in sights {
            let item = match sight {
                Sight::Value(value) => Reply::Bulk(Payload::Value(value)),
                Sight::Missing | Sight::NotHeld(_) => Reply::Null,
            };
            self.put(item).await?;
            self.flush_if_large().await?;
        }
        Ok(())
    }

    /// Looks up the first `keys` again, at least one; `earlier` has the results of the first look-up.
    async fn look_again(&self, keys: &[&[u8]], earlier: &[Sight]) -> io::Result<Vec<Sight>> {
        let keys = keys.get(..MAX_KEYS_AGAIN).unwrap_or(keys);
        let (mut sights, _) = self.see(keys).await.map_err(io::Error::other)?;
        sights.truncate(held_front(&sights));
        for (sight, earlier) in sights.iter_mut().zip(earlier) {
            match (&*sight, earlier) {
                (_, Sight::Missing) => *sight = Sight::Missing,
                (Sight::Value(value), Sight::NotHeld(lsn)) if value.lsn() == *lsn => {}
                _ => return Err(overwritten().into()),
            }
        }
        Ok(sights)
    }
}

fn seen(outcome: Outcome) -> Result<Vec<Sight>, Refusal> {
    if let Outcome::Seen(sights) = outcome { Ok(sights) } else { Err(unexpected()) }
}

/// Returns the number of results before the first value that is not held.
fn held_front(sights: &[Sight]) -> usize {
    sights.iter().position(|sight| matches!(sight, Sight::NotHeld(_))).unwrap_or(sights.len())
}

fn overwritten() -> Closing {
    let detail = "values of one answer were overwritten before the client had read those before them; request fewer keys, or raise \
        --max-output-bytes";
    Closing::new(CloseReason::OutputLimit, detail)
}
