//! Division of what is written into records of TLS.

use std::io::IoSlice;

/// Most bytes of a record's content.
pub(super) const RECORD_BYTES: usize = 16 * 1024;

/// Returns the content of the next record, which begins after so many bytes of `slices`: a part of one, or several small ones
/// put together.
pub(super) fn next_record<'s>(
    slices: &'s [IoSlice<'_>],
    skipped_bytes: usize,
    plain: &'s mut Vec<u8>,
) -> &'s [u8] {
    plain.clear();
    let mut skip = skipped_bytes;
    let mut parts = slices.iter().filter_map(|slice| {
        let rest = slice.get(skip.min(slice.len())..).unwrap_or_default();
        skip = skip.saturating_sub(slice.len());
        (!rest.is_empty()).then_some(rest)
    });
    let Some(first) = parts.next() else { return &[] };
    let front = |part: &'s [u8], max: usize| part.get(..part.len().min(max)).unwrap_or_default();
    let Some(second) = parts.next().filter(|_| first.len() < RECORD_BYTES) else {
        return front(first, RECORD_BYTES);
    };
    plain.extend_from_slice(first);
    for part in std::iter::once(second).chain(parts) {
        plain.extend_from_slice(front(part, RECORD_BYTES - plain.len()));
    }
    plain
}
