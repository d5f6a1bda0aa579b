//! Computes how much log space operations need, and how many fit into one submit.

use crate::wal::{Change, Demand, Growth, MAX_BATCH_PAYLOAD_BYTES};
use crate::{Error, Op};

/// Most bytes of records that one submit appends, unless a single operation has more. Far below what a batch may
/// have, and that much memory is enough to hold at one time.
pub(crate) const MAX_SUBMIT_BYTES: usize = 1024 * 1024 * 1024;

/// Checks that records which belong together fit into a batch.
///
/// # Errors
/// [`Error::WriteTooLarge`].
pub(crate) fn check_fits<'c>(changes: impl Iterator<Item = Change<'c>>) -> Result<(), Error> {
    let (len_bytes, max_bytes) = (total_bytes(changes), MAX_BATCH_PAYLOAD_BYTES);
    if len_bytes > max_bytes { Err(Error::WriteTooLarge { len_bytes, max_bytes }) } else { Ok(()) }
}

/// Returns the longest run of leading operations whose records have at most `max_bytes`, or the first write alone if it
/// has more, and its demand.
pub(crate) fn leading<'o, 'a>(ops: &'o [Op<'a>], max_bytes: usize) -> (&'o [Op<'a>], Demand) {
    let mut demand = Demand::default();
    for (index, op) in ops.iter().enumerate() {
        let bytes = record_bytes(op);
        if bytes == 0 {
            continue;
        }
        if demand.appends > 0 && demand.record_bytes + bytes > max_bytes {
            return (ops.split_at(index).0, demand);
        }
        demand.record_bytes += bytes;
        demand.appends += 1;
    }
    (ops, demand)
}

/// Returns the demand of those operations that only remove data.
pub(crate) fn shrinking_demand(ops: &[Op<'_>]) -> Demand {
    let shrinking = ops.iter().filter(|op| growth(op) == Growth::Shrinks).map(record_bytes);
    shrinking.filter(|&bytes| bytes > 0).fold(Demand::default(), |demand, bytes| Demand {
        record_bytes: demand.record_bytes + bytes,
        appends: demand.appends + 1,
    })
}

/// The operations in front that only read.
pub(crate) fn leading_reads<'o, 'a>(ops: &'o [Op<'a>]) -> &'o [Op<'a>] {
    let end = ops.iter().position(|op| record_bytes(op) > 0).unwrap_or(ops.len());
    ops.split_at(end).0
}

fn growth(op: &Op<'_>) -> Growth {
    match op {
        Op::Delete { .. } | Op::DeleteMany { .. } | Op::Clear => Growth::Shrinks,
        _ => Growth::Grows,
    }
}

/// Upper bound of the operation's records, in bytes; 0 for a read, and for a write too large for a batch, which is refused.
fn record_bytes(op: &Op<'_>) -> usize {
    let bytes = match *op {
        Op::Set { key, value } => Change::Set { key, value }.encoded_bytes(),
        Op::Delete { key } => Change::Delete { key }.encoded_bytes(),
        Op::SetMany { pairs } => total_bytes(pairs.iter().map(|[key, value]| Change::Set { key, value })),
        Op::DeleteMany { keys } => total_bytes(keys.iter().map(|key| Change::Delete { key })),
        Op::Clear => Change::Clear.encoded_bytes(),
        Op::Get { .. }
        | Op::GetMany { .. }
        | Op::GetManyWithin { .. }
        | Op::Exists { .. }
        | Op::CountOf { .. }
        | Op::Count
        | Op::Keys { .. }
        | Op::Scan { .. }
        | Op::Stats => 0,
    };
    if bytes > MAX_BATCH_PAYLOAD_BYTES { 0 } else { bytes }
}

fn total_bytes<'c>(changes: impl Iterator<Item = Change<'c>>) -> usize {
    changes.map(|change| change.encoded_bytes()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Op<'_> = Op::Get { key: b"k" };
    const WRITE: Op<'_> = Op::Set { key: b"k", value: &[0; 1000] };

    fn bytes(op: Op<'_>) -> usize {
        leading(&[op], usize::MAX).1.record_bytes
    }

    #[test]
    fn as_many_operations_go_together_as_have_so_many_bytes() {
        let ops = [READ, WRITE, READ, WRITE, READ, WRITE];
        let one = bytes(WRITE);
        for (max_bytes, together, appends) in
            [(3 * one, 6, 3), (3 * one - 1, 5, 2), (2 * one, 5, 2), (one, 3, 1)]
        {
            let (leading, demand) = leading(&ops, max_bytes);
            assert_eq!((leading.len(), demand), (together, Demand { record_bytes: appends * one, appends }));
        }
    }

    #[test]
    fn a_write_that_is_larger_goes_alone() {
        assert_eq!(leading(&[WRITE, WRITE], 10).0.len(), 1);
        assert_eq!(leading(&[Op::Clear, WRITE], bytes(Op::Clear)).0.len(), 1);
    }

    #[test]
    fn what_fits_into_no_batch_wants_nothing_of_the_log() {
        // It is the same memory each time.
        let value = vec![0; 1 << 20];
        for (count, fits) in [(4094, true), (4096, false)] {
            let pairs = vec![[&b"k"[..], &value[..]]; count];
            let wanted = bytes(Op::SetMany { pairs: &pairs });
            assert_eq!(wanted > 0, fits);
            let checked = check_fits(pairs.iter().map(|[key, value]| Change::Set { key, value }));
            assert_eq!(checked.is_ok(), fits, "{checked:?}");
        }
    }
}
