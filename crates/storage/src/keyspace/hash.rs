//! Keyed hash of a key, and the scan position, which is a part of it.
//! The log stores the seed, so that positions, and so scan cursors, survive a restart.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// Bits of a scan position; JavaScript clients hold integers below 2^53 exactly.
const POSITION_BITS: u32 = 53;

/// Highest bits of the hash, with which hashbrown tags its slots.
const TAG_BITS: u32 = 7;

/// Key of the hash. The log stores it, so that scan cursors survive a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashSeed(pub(crate) [u8; 16]);

impl HashSeed {
    /// `SipHash-1-3`, which is keyed: clients choose the keys, and cannot choose ones that collide.
    pub(crate) fn hash(self, key: &[u8]) -> KeyHash {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(key);
        KeyHash(hasher.finish())
    }
}

/// Hash of a key. Tables use all of it; scans and sharding use its [`position`](Self::position).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHash(pub(crate) u64);

impl KeyHash {
    /// Returns the key's position in the order of a scan.
    ///
    /// It omits the hash's tag bits. Sharding by those would make all tags of a table equal, and a miss would then compare keys
    /// instead of tags.
    pub(crate) const fn position(self) -> Position {
        Position((self.0 << TAG_BITS) >> (u64::BITS - POSITION_BITS))
    }
}

/// A position in the order of a scan, below 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u64);

impl Position {
    pub(crate) const BITS: u32 = POSITION_BITS;

    /// Returns the position of a client's cursor; `None` beyond the last position.
    pub(crate) fn from_cursor(cursor: u64) -> Option<Self> {
        (cursor >> POSITION_BITS == 0).then_some(Self(cursor))
    }

    pub(crate) const fn cursor(self) -> u64 {
        self.0
    }

    /// Returns the first `bits` bits, as a number.
    pub(crate) const fn prefix(self, bits: u32) -> usize {
        (self.0 >> (POSITION_BITS - bits)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_positions_for_ever() {
        // Cursors survive restarts and upgrades: these figures must never change.
        let seed = HashSeed([7; 16]);
        assert_eq!(seed.hash(b"user:1").position().cursor(), 7_058_950_212_303_033);
    }

    #[test]
    fn positions_leave_the_tag_bits_to_the_table() {
        let tag_only = KeyHash(0xFE00_0000_0000_0000);
        assert_eq!(tag_only.position().cursor(), 0);
        assert_eq!(KeyHash(u64::MAX).position().cursor(), (1 << 53) - 1);
    }
}
