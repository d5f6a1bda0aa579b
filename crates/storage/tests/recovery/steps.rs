//! What the store is made to do while calls of the file system fail.

use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::{DurableStore, Error};

use super::State;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Set(&'static [u8], Vec<u8>),
    SetMany(&'static [&'static [u8]], Vec<u8>),
    Delete(&'static [u8]),
    Clear,
    Compact,
    Reopen,
}

/// What every case goes through.
pub(crate) fn workload(has_lines: bool) -> Vec<Step> {
    let value = |byte, len| vec![byte; len];
    let mut steps = vec![
        Step::Set(b"a", value(1, 10)),
        Step::Set(b"b", value(2, 600)),
        Step::SetMany(&[b"c", b"d", b"e"], value(3, 100)),
        Step::Delete(b"a"),
        Step::Compact,
        Step::Set(b"after", value(9, 40)),
        Step::Reopen,
        // A record of this size is a chunk, and so a write, of its own.
        Step::Set(b"large", value(4, 70_000)),
        Step::Delete(b"c"),
        Step::Clear,
        Step::Set(b"a", value(5, 20)),
        Step::Reopen,
        Step::Set(b"a", value(6, 1500)),
        Step::Compact,
        Step::Set(b"f", value(7, 0)),
        Step::Compact,
        Step::Delete(b"nobody"),
        Step::Set(b"b", value(8, 300)),
        Step::Reopen,
    ];
    if has_lines {
        // The way back.
        steps.extend([Step::Compact, Step::SetMany(&[b"a", b"b"], value(0, 700)), Step::Reopen]);
    }
    steps
}

impl Step {
    pub(crate) async fn carry_out(&self, store: &DurableStore) -> Result<(), Error> {
        match self {
            Self::Set(key, value) => store.set(key, value).await,
            Self::Delete(key) => store.delete(key).await.map(drop),
            Self::SetMany(keys, value) => {
                let pairs: Vec<_> = keys.iter().map(|&key| [key, &value[..]]).collect();
                submit(store, Op::SetMany { pairs: &pairs }).await
            }
            Self::Clear => submit(store, Op::Clear).await,
            Self::Compact | Self::Reopen => unreachable!("no write"),
        }
    }

    pub(crate) fn apply_to(&self, state: &mut State) {
        match self {
            Self::Set(key, value) => drop(state.insert(key.to_vec(), value.clone())),
            Self::SetMany(keys, value) => {
                state.extend(keys.iter().map(|key| (key.to_vec(), value.clone())));
            }
            Self::Delete(key) => drop(state.remove(*key)),
            Self::Clear => state.clear(),
            Self::Compact | Self::Reopen => {}
        }
    }
}

/// A step, or what a crash may leave of it in a log of lines: of several keys the first few.
pub(crate) fn parts_of(step: &Step) -> Vec<Step> {
    match step {
        Step::SetMany(keys, value) => {
            (1..=keys.len()).map(|some| Step::SetMany(&keys[..some], value.clone())).collect()
        }
        step => vec![step.clone()],
    }
}

async fn submit(store: &DurableStore, op: Op<'_>) -> Result<(), Error> {
    let mut replies = Vec::new();
    store.submit(&[op], usize::MAX, &mut replies).await;
    let reply = replies.remove(0);
    reply.outcome?;
    store.wait(reply.depends_on).await
}
