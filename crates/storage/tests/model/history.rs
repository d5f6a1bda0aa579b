//! What was done to a store, and which states a crash may leave.

use std::collections::BTreeMap;

use rustvault_storage::Lsn;

/// A key's new value; none: it is deleted.
pub(crate) type Change = (Vec<u8>, Option<Vec<u8>>);

/// Keys and values.
pub(crate) type State = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Default)]
pub(crate) struct History {
    /// By the LSN that their reply depends on.
    writes: BTreeMap<Lsn, Vec<Change>>,
    /// Keys of writes that were refused.
    refused: Vec<Vec<u8>>,
    pub(crate) told: Told,
}

/// What somebody was told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// The highest LSN for which a wait has succeeded.
    pub(crate) acknowledged: Lsn,
    /// The highest LSN that the figures called durable.
    pub(crate) durable: Lsn,
}

impl History {
    /// Adds a write that was carried out.
    pub(crate) fn add(&mut self, lsn: Lsn, changes: Vec<Change>) {
        assert!(self.writes.insert(lsn, changes).is_none(), "two writes have the LSN {lsn}");
    }

    pub(crate) fn last(&self) -> Lsn {
        self.writes.keys().next_back().copied().unwrap_or_default()
    }

    /// Adds a write that was refused.
    pub(crate) fn add_refused(&mut self, changes: Vec<Change>) {
        self.refused.extend(changes.into_iter().map(|(key, _)| key));
    }

    /// All keys that somebody wanted to write.
    pub(crate) fn keys(&self) -> Vec<&[u8]> {
        let written = self.writes.values().flatten().map(|(key, _)| key);
        let mut keys: Vec<_> = written.chain(&self.refused).map(|key| &key[..]).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Whether `state` is the one after a part of the history from its beginning that goes to `least` or beyond.
    pub(crate) fn leads_to(&self, state: &State, least: Lsn) -> bool {
        let mut now = State::new();
        if least <= Lsn::ZERO && *state == now {
            return true;
        }
        let mut is_found = self.writes.range(..=least).next().is_none() && *state == now;
        for (&lsn, changes) in &self.writes {
            for (key, value) in changes {
                match value {
                    Some(value) => now.insert(key.clone(), value.clone()),
                    None => now.remove(key),
                };
            }
            is_found |= lsn >= least && *state == now;
        }
        is_found
    }
}
