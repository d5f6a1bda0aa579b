//! Opens a store on what a crash left, and judges what it holds.

use std::sync::Arc;

use fastrand::Rng;
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use rustvault_storage::{DurableStore, Error, Lsn, SyncPolicy};
use tokio::runtime::Runtime;

use crate::content::Image;
use crate::disk::Disk;
use crate::sim::{Recorded, SimFileSystem};
use crate::workload::{LOG, State, digest, options, submit};

/// What recovery made of an image.
pub(crate) struct Found {
    pub(crate) state: State,
    pub(crate) torn_bytes: u64,
    /// What recovery did to the disk.
    recovery: Vec<Recorded>,
}

/// Recovers images under one sync policy.
pub(crate) struct Oracle {
    pub(crate) runtime: Runtime,
    pub(crate) policy: SyncPolicy,
}

impl Oracle {
    pub(crate) fn new(policy: SyncPolicy) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { runtime, policy }
    }

    /// Opens a store on the image.
    pub(crate) fn recover(&self, image: &Image) -> Result<Found, Error> {
        let (found, _) = self.open(image)?;
        Ok(found)
    }

    fn open(&self, image: &Image) -> Result<(Found, (DurableStore, SimFileSystem)), Error> {
        let fs = SimFileSystem::of(image);
        let store = DurableStore::open_on(Arc::new(fs.clone()), LOG, options(self.policy, None))?;
        let recovery = fs.take_recorded();
        let state = self.runtime.block_on(state(&store));
        let torn_bytes = store.recovery().torn_bytes_dropped;
        Ok((Found { state, torn_bytes, recovery }, (store, fs)))
    }

    /// Crashes the recovery of `image`, which had `found` this, somewhere; returns the image that was left, and
    /// what it holds. Of lines that may be a record more, which was not acknowledged.
    pub(crate) fn crash_recovery(
        &self,
        image: &Image,
        found: &Found,
        rng: &mut Rng,
    ) -> Result<(Image, Found), String> {
        let mut disk = Disk::of(image);
        let operations = rng.usize(1..=found.recovery.len());
        found.recovery.iter().take(operations).for_each(|step| disk.apply(&step.operation));
        let states = disk.crash_states();
        let left = if rng.bool() { states.newest() } else { states.random(rng) };
        let again = self.recover(&left).map_err(refused)?;
        if again.state != found.state && !image.is_of_lines() {
            let steps = found.recovery.len();
            return Err(format!(
                "recovery crashed after {operations} of {steps} steps; the next one differs"
            ));
        }
        Ok((left, again))
    }

    /// Writes to the recovered store, crashes it, and writes again: no LSN may come twice.
    pub(crate) fn write_and_crash(&self, image: &Image, highest: Lsn, rng: &mut Rng) -> Result<(), String> {
        let mut given = vec![highest];
        let mut image = image.clone();
        for _ in 0..2 {
            let (before, (store, fs)) = self.open(&image).map_err(refused)?;
            fs.watch(&store);
            let (mut with, mut base) = (before.state.clone(), Disk::of(&image));
            before.recovery.iter().for_each(|step| base.apply(&step.operation));
            let value = vec![7; rng.usize(1..1500)];
            let write = Op::Set { key: b"after", value: &value };
            let (lsn, submission) = self.runtime.block_on(submit(&store, write));
            drop(submission);
            // Those of lines that a crash took are counted again.
            if image.is_binary() && given.iter().any(|&earlier| lsn <= earlier) {
                return Err(format!("LSN {lsn} was given again, after {given:?}"));
            }
            given.push(lsn);
            with.insert(b"after".to_vec(), value);
            self.runtime.block_on(store.wait(lsn)).map_err(|error| error.to_string())?;
            fs.unwatch();
            let steps = fs.take_recorded();
            let kept = rng.usize(..=steps.len());
            steps.iter().take(kept).for_each(|step| base.apply(&step.operation));
            let is_promised = self.policy == SyncPolicy::Always && kept == steps.len();
            image = base.crash_states().random(rng);
            let after = match self.recover(&image) {
                // Of lines, a lost sector may be taken for corruption.
                Err(_) if image.has_hole && !image.is_binary() && !is_promised => return Ok(()),
                after => after.map_err(refused)?,
            };
            if after.state != with && (is_promised || after.state != before.state) {
                return Err(format!("a write after recovery, crashed after {kept} operations, is wrong"));
            }
        }
        Ok(())
    }
}

pub(crate) fn refused(error: Error) -> String {
    format!("the log is refused: {error}")
}

/// Everything that the store holds.
async fn state(store: &DurableStore) -> State {
    let mut replies = Vec::new();
    store.submit(&[Op::Keys { prefix: b"", max_keys: 1000 }], usize::MAX, &mut replies).await;
    let Some(Ok(Outcome::Keys(keys))) = replies.pop().map(|reply| reply.outcome) else { panic!("no keys") };
    let keys: Vec<&[u8]> = keys.iter().map(|key| &**key).collect();
    store.submit(&[Op::GetMany { keys: &keys }], usize::MAX, &mut replies).await;
    let Some(Ok(Outcome::Values(values))) = replies.pop().map(|reply| reply.outcome) else {
        panic!("no values")
    };
    keys.iter().map(|key| key.to_vec()).zip(values.into_iter().map(|value| value.unwrap().to_vec())).collect()
}

impl Found {
    pub(crate) fn digest(&self) -> u64 {
        digest(&self.state)
    }
}
