//! Layout of a shard: the slot, and so the table, of a scan position after a number of splits.
//! Shards begin with tables of different widths, so that their tables do not all split at the same time.

use super::SHARD_BITS;
use super::hash::Position;

/// Assignment of the positions of a shard to its tables.
///
/// Tables split in two repeatedly. Shards differ in the width of their first table, which takes from half of the positions to all; a
/// second one takes the rest. With equal widths, all tables would be full, and grow, at the same time: just afterwards a key would
/// take several bytes more, and concurrent writes would wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The width of all positions, where the first table has [`FIRST_WIDTH`].
    width: u64,
}

const FIRST_WIDTH_BITS: u32 = 3;
const FIRST_WIDTH: u64 = 1 << FIRST_WIDTH_BITS;

/// Position bits that do not select the shard.
const BITS_IN_SHARD: u32 = Position::BITS - SHARD_BITS;

impl Layout {
    /// Returns the layout of the shard with this index.
    pub(super) const fn of_shard(index: usize) -> Self {
        Self { width: FIRST_WIDTH + index as u64 % FIRST_WIDTH }
    }

    /// Returns the number of slots after `depth` splits; the last one may be narrower than the others.
    pub(super) const fn slots(self, depth: u32) -> usize {
        (self.width << depth).div_ceil(FIRST_WIDTH) as usize
    }

    /// Returns the average number of entries in a slot after `depth` splits, if the shard has `entries`.
    pub(super) const fn entries_per_slot(self, entries: usize, depth: u32) -> usize {
        (entries as u64 * FIRST_WIDTH / (self.width << depth)) as usize
    }

    /// Returns the slot of `position` after `depth` splits. Slots are in the order of positions.
    pub(super) const fn slot(self, position: Position, depth: u32) -> usize {
        ((within_shard(position) * self.width) >> slot_bits(depth)) as usize
    }

    /// Returns whether this position is the first of its slot.
    pub(super) const fn starts_slot(self, position: Position, depth: u32) -> bool {
        self.slot_start(self.slot(position, depth), depth) == within_shard(position)
    }

    /// Returns the first position behind the slot of `position`; `None` at the end.
    pub(super) fn after_slot(self, position: Position, depth: u32) -> Option<Position> {
        let next_start = self.slot_start(self.slot(position, depth) + 1, depth);
        Position::from_cursor(position.cursor() - within_shard(position) + next_start)
    }

    /// Returns the position in the shard where a slot begins; the end of the shard if it has no such slot.
    const fn slot_start(self, slot: usize, depth: u32) -> u64 {
        let start = ((slot as u64) << slot_bits(depth)).div_ceil(self.width);
        if start < 1 << BITS_IN_SHARD { start } else { 1 << BITS_IN_SHARD }
    }
}

const fn within_shard(position: Position) -> u64 {
    position.cursor() % (1 << BITS_IN_SHARD)
}

const fn slot_bits(depth: u32) -> u32 {
    BITS_IN_SHARD + FIRST_WIDTH_BITS - depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(cursor: u64) -> Position {
        Position::from_cursor(cursor).unwrap()
    }

    #[test]
    fn slots_follow_each_other_without_a_gap_to_the_end_of_all_positions() {
        for depth in [0, 1, 5] {
            let (mut next, mut slots) = (Some(position(0)), 0);
            while let Some(first) = next {
                let layout = Layout::of_shard(first.prefix(SHARD_BITS));
                let slot = layout.slot(first, depth);
                assert!(slot < layout.slots(depth));
                next = layout.after_slot(first, depth);
                let last = position(next.map_or(1 << Position::BITS, Position::cursor) - 1);
                assert_eq!(
                    (last.prefix(SHARD_BITS), layout.slot(last, depth)),
                    (first.prefix(SHARD_BITS), slot)
                );
                assert_eq!(layout.after_slot(last, depth), next);
                assert!(layout.starts_slot(first, depth) && !layout.starts_slot(last, depth));
                slots += 1;
            }
            let all: usize = (0..1 << SHARD_BITS).map(|index| Layout::of_shard(index).slots(depth)).sum();
            assert_eq!(slots, all);
        }
    }

    #[test]
    fn a_slot_splits_into_two() {
        let layout = Layout::of_shard(5);
        for cursor in (0..1 << BITS_IN_SHARD).step_by(1 << 36) {
            assert_eq!(layout.slot(position(cursor), 3), layout.slot(position(cursor), 4) / 2);
        }
    }
}
