//! Computes how much log space operations need, and how many fit into one submit.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::Error;
use crate::batch::Op;
use crate::op::{Records, total_bytes};
use crate::wal::{Demand, LoggedChange, MAX_BATCH_PAYLOAD_BYTES};

/// Most bytes of records that one submit appends, unless a single operation has more. It bounds memory, and is far below the limit
/// of a batch.
pub(crate) const MAX_SUBMIT_BYTES: usize = 1024 * 1024 * 1024;

/// Most bytes of records in one submit that depend on stored values, unless a single operation has more. A short request may copy
/// and log a long value, and other connections should have a turn in between.
const MAX_DEPENDENT_BYTES: usize = 1024 * 1024;

/// Upper bounds on the records of operations that depend on stored values, in order, in bytes.
///
/// They are computed before any lock is taken, so a value may have grown when its operation is executed.
pub(crate) type Bounds = SmallVec<[usize; 4]>;

/// Operations that fit into one submit, and the log space that they need.
pub(crate) struct Wanted<'o, 'a> {
    pub(crate) ops: &'o [Op<'a>],
    pub(crate) demand: Demand,
    pub(crate) bounds: Bounds,
}

/// Lengths of stored values, read before any lock is taken.
pub(crate) trait StoredValues {
    /// Returns the present length of a key's value, in bytes; 0 for a missing key.
    fn value_bytes(&self, key: &[u8]) -> usize;

    /// Returns the limit on the length of values, in bytes.
    fn max_value_bytes(&self) -> usize;
}

/// Upper bounds on the lengths of values that a run of operations depends on, including what earlier operations of the run add.
struct Lengths<'a> {
    of_keys: BTreeMap<&'a [u8], usize>,
    max_value_bytes: usize,
}

impl<'a> Lengths<'a> {
    fn new(ops: &[Op<'a>], stored: &impl StoredValues) -> Self {
        let mut of_keys = BTreeMap::new();
        for op in ops.iter().filter(|op| op.depends_on_value()) {
            if let Records::DependsOnValue { key, target, .. } = op.records() {
                for key in [key, target] {
                    of_keys.entry(key).or_insert_with(|| stored.value_bytes(key));
                }
            }
        }
        Self { of_keys, max_value_bytes: stored.max_value_bytes() }
    }

    /// Returns the upper bound of an operation's records, in bytes; 0 for a read, and for a write too large for a
    /// batch, which is refused.
    fn record_bytes(&mut self, op: &Op<'a>, records: Records<'a>) -> usize {
        let bytes = match records {
            Records::None => 0,
            Records::AtMost(bytes) => bytes,
            Records::DependsOnValue { key, target, added_bytes, other_bytes } => {
                // An operation that adds more than the limit of a value is refused, so it adds nothing.
                let added_bytes = if added_bytes > self.max_value_bytes { 0 } else { added_bytes };
                let before = self.of_keys.get(key).copied().unwrap_or_default();
                let value_bytes = before.saturating_add(added_bytes).min(self.max_value_bytes);
                self.note(target, value_bytes);
                other_bytes + value_bytes
            }
        };
        if !self.of_keys.is_empty() {
            op.known_lengths(|key, value_bytes| self.note(key, value_bytes));
        }
        if bytes > MAX_BATCH_PAYLOAD_BYTES { 0 } else { bytes }
    }

    /// Records that a key may have a value of this length from now on; it may also keep its present one.
    fn note(&mut self, key: &[u8], value_bytes: usize) {
        if let Some(longest) = self.of_keys.get_mut(key) {
            *longest = value_bytes.max(*longest);
        }
    }
}

/// Checks that records of one operation fit into a batch.
///
/// # Errors
/// [`Error::WriteTooLarge`].
pub(crate) fn check_fits<'c>(changes: impl Iterator<Item = LoggedChange<'c>>) -> Result<(), Error> {
    let (len_bytes, max_bytes) = (total_bytes(changes), MAX_BATCH_PAYLOAD_BYTES);
    if len_bytes > max_bytes { Err(Error::WriteTooLarge { len_bytes, max_bytes }) } else { Ok(()) }
}

/// Returns the longest run of leading operations whose records have at most `max_bytes`, or the first write alone if it
/// has more. The first operation, if its records depend on stored values, is known to have `least_bytes` of them.
pub(crate) fn leading<'o, 'a>(
    ops: &'o [Op<'a>],
    max_bytes: usize,
    least_bytes: usize,
    stored: &impl StoredValues,
) -> Wanted<'o, 'a> {
    let mut wanted = Wanted { ops, demand: Demand::default(), bounds: Bounds::new() };
    let (mut dependent_bytes, mut lengths) = (0, Lengths::new(ops, stored));
    for (index, op) in ops.iter().enumerate() {
        let records = op.records();
        let mut bytes = lengths.record_bytes(op, records);
        let depends_on_value = matches!(records, Records::DependsOnValue { .. });
        if depends_on_value && index == 0 {
            bytes = bytes.max(least_bytes);
        }
        if bytes == 0 {
            continue;
        }
        let is_too_much = wanted.demand.record_bytes + bytes > max_bytes
            || depends_on_value && dependent_bytes + bytes > MAX_DEPENDENT_BYTES;
        if wanted.demand.appends > 0 && is_too_much {
            wanted.ops = ops.split_at(index).0;
            return wanted;
        }
        if depends_on_value {
            wanted.bounds.push(bytes);
            dependent_bytes += bytes;
        }
        add(&mut wanted.demand, bytes);
    }
    wanted
}

/// Returns the log space that those operations need that remove data.
pub(crate) fn shrinking_demand(ops: &[Op<'_>]) -> Demand {
    let mut demand = Demand::default();
    // An operation that is too large for a batch is refused.
    let removals = ops.iter().filter_map(Op::removal_bytes).filter(|&bytes| bytes <= MAX_BATCH_PAYLOAD_BYTES);
    removals.for_each(|bytes| add(&mut demand, bytes));
    demand
}

const fn add(demand: &mut Demand, record_bytes: usize) {
    demand.record_bytes += record_bytes;
    demand.appends += 1;
}

/// Returns the leading run of operations that only read.
pub(crate) fn leading_reads<'o, 'a>(ops: &'o [Op<'a>]) -> &'o [Op<'a>] {
    let end = ops.iter().position(|op| op.records() != Records::None).unwrap_or(ops.len());
    ops.split_at(end).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{KeyUpdate, StringUpdate};

    /// A store whose values all have so many bytes.
    struct AllOf(usize);

    impl StoredValues for AllOf {
        fn value_bytes(&self, _: &[u8]) -> usize {
            self.0
        }

        fn max_value_bytes(&self) -> usize {
            5_000
        }
    }

    const READ: Op<'_> = Op::Get { key: b"k" };
    const WRITE: Op<'_> = Op::Set { key: b"k", value: &[0; 1000] };

    fn bytes(op: Op<'_>) -> usize {
        leading(&[op], usize::MAX, 0, &AllOf(0)).demand.record_bytes
    }

    #[test]
    fn as_many_operations_go_together_as_have_so_many_bytes() {
        let ops = [READ, WRITE, READ, WRITE, READ, WRITE];
        let one = bytes(WRITE);
        for (max_bytes, together, appends) in
            [(3 * one, 6, 3), (3 * one - 1, 5, 2), (2 * one, 5, 2), (one, 3, 1)]
        {
            let wanted = leading(&ops, max_bytes, 0, &AllOf(0));
            assert_eq!(
                (wanted.ops.len(), wanted.demand),
                (together, Demand { record_bytes: appends * one, appends })
            );
        }
    }

    #[test]
    fn a_write_that_is_larger_goes_alone() {
        assert_eq!(leading(&[WRITE, WRITE], 10, 0, &AllOf(0)).ops.len(), 1);
        assert_eq!(leading(&[Op::Clear, WRITE], bytes(Op::Clear), 0, &AllOf(0)).ops.len(), 1);
    }

    #[test]
    fn what_depends_on_a_value_that_the_run_writes_is_bounded_by_that() {
        let empty = bytes(Op::Set { key: b"k", value: b"" });
        let append = Op::Update { key: b"k", update: StringUpdate::Append(&[0; 100]) };
        let rename = KeyUpdate::Rename { only_if_new: false };
        let ops = [
            append,
            append,
            WRITE,
            append,
            Op::UpdateKeys { from: b"k", to: b"l", update: rename },
            Op::Update { key: b"l", update: StringUpdate::Append(b"x") },
            Op::Update { key: b"l", update: StringUpdate::SetRange { offset: 6_000, bytes: b"x" } },
        ];
        let wanted = leading(&ops, usize::MAX, 0, &AllOf(10));
        let values: Vec<_> = wanted.bounds.iter().map(|bound| bound - empty).collect();
        let delete = bytes(Op::Delete { key: b"k" });
        assert_eq!(values, [110, 210, 1_100, 1_100 + delete, 1_101, 1_101]);
    }

    #[test]
    fn what_depends_on_a_value_is_bounded_by_it_and_by_the_longest_there_may_be() {
        let append = Op::Update { key: b"k", update: StringUpdate::Append(&[0; 100]) };
        let (empty, other_empty) =
            (bytes(Op::Set { key: b"k", value: b"" }), bytes(Op::Set { key: b"other", value: b"" }));
        let bounds = |stored, least_bytes| {
            let other = Op::Update { key: b"other", update: StringUpdate::Append(&[0; 100]) };
            let ops = [append, WRITE, other];
            let wanted = leading(&ops, usize::MAX, least_bytes, &AllOf(stored));
            let of_write = if wanted.ops.len() > 1 { bytes(WRITE) } else { 0 };
            assert_eq!(wanted.demand.record_bytes, wanted.bounds.iter().sum::<usize>() + of_write);
            wanted.bounds.into_vec()
        };
        assert_eq!(bounds(0, 0), [empty + 100, other_empty + 100]);
        assert_eq!(bounds(300, 0), [empty + 400, other_empty + 400]);
        assert_eq!(bounds(4_950, 0), [empty + 5_000, other_empty + 5_000]);
        assert_eq!(bounds(0, 1_000), [1_000, other_empty + 100], "the first is known to need more");
        assert_eq!(bounds(0, MAX_DEPENDENT_BYTES + 1).len(), 1, "others are to have a turn");
    }

    #[test]
    fn what_fits_into_no_batch_wants_nothing_of_the_log() {
        // It is the same memory each time.
        let value = vec![0; 1 << 20];
        for (count, fits) in [(4094, true), (4096, false)] {
            let pairs = vec![[&b"k"[..], &value[..]]; count];
            let wanted = bytes(Op::SetMany { pairs: &pairs });
            assert_eq!(wanted > 0, fits);
            let checked = check_fits(pairs.iter().map(|[key, value]| LoggedChange::Set { key, value }));
            assert_eq!(checked.is_ok(), fits, "{checked:?}");
        }
    }
}
