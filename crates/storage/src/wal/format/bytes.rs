//! Helpers for fixed byte layouts; all integers are little-endian.

/// The `N` bytes at `offset`. The callers' layouts are constants: a wrong offset shows in every test.
pub(super) fn field<const N: usize, const LEN: usize>(bytes: &[u8; LEN], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(bytes.split_at(offset).1.split_at(N).0);
    field
}

/// Writes `field` at `offset`.
pub(super) fn put<const LEN: usize>(bytes: &mut [u8; LEN], offset: usize, field: &[u8]) {
    bytes.split_at_mut(offset).1.split_at_mut(field.len()).0.copy_from_slice(field);
}

/// CRC-32 (IEEE) of `bytes`, started from `seed`.
pub(in crate::wal) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}
