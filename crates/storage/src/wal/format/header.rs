//! The file header: its fields and bytes. docs/wal-format.md has the byte table.

use super::bytes::{crc, field, put};

/// The first bytes of every log. 0x1A ends a listing on some systems, CRLF shows a text-mode transfer.
pub(crate) const FILE_MAGIC: [u8; 8] = *b"RVAULT\x1a\n";

/// The format that this build writes, and the newest that it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Bytes of the file header.
pub(crate) const FILE_HEADER_BYTES: usize = 64;

const FLAG_COMPACTED: u32 = 1;

/// Header at the start of a log, which describes the log. docs/wal-format.md has the byte table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// Random; seeds every checksum of the log.
    pub(crate) log_id: [u8; 16],
    /// Random; the key of the keyspace's hash.
    pub(crate) hash_seed: [u8; 16],
    /// Milliseconds since the Unix epoch.
    pub(crate) created_ms: u64,
    /// A compaction wrote the log: up to its first seal every byte was synced before the log was one.
    pub(crate) is_compacted: bool,
}

/// Why bytes are no file header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// They are not the start of any RustVault log.
    Foreign(&'static str),
    /// A newer version wrote them.
    Newer { found: u32 },
    /// They were a file header once.
    Damaged(&'static str),
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        put(&mut bytes, 0, &FILE_MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 12, &(FILE_HEADER_BYTES as u32).to_le_bytes());
        put(&mut bytes, 16, &self.log_id);
        put(&mut bytes, 32, &self.hash_seed);
        put(&mut bytes, 48, &self.created_ms.to_le_bytes());
        put(&mut bytes, 56, &(if self.is_compacted { FLAG_COMPACTED } else { 0 }).to_le_bytes());
        let crc = crc32fast::hash(bytes.split_at(60).0);
        put(&mut bytes, 60, &crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(magic) = bytes.get(..FILE_MAGIC.len()) else {
            return Err(Self::too_short(bytes));
        };
        if magic != FILE_MAGIC {
            return Err(HeaderError::Foreign("its first bytes are not those of a log"));
        }
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER_BYTES>() else {
            return Err(Self::too_short(bytes));
        };
        let found = u32::from_le_bytes(field(bytes, 8));
        if found > FORMAT_VERSION {
            return Err(HeaderError::Newer { found });
        }
        if crc32fast::hash(bytes.split_at(60).0) != u32::from_le_bytes(field(bytes, 60)) {
            return Err(HeaderError::Damaged("the checksum of the file header does not match"));
        }
        let flags = u32::from_le_bytes(field(bytes, 56));
        if flags & !FLAG_COMPACTED != 0 {
            return Err(HeaderError::Damaged(
                "the file header has unknown flags: a newer RustVault may read it",
            ));
        }
        Ok(Self {
            log_id: field(bytes, 16),
            hash_seed: field(bytes, 32),
            created_ms: u64::from_le_bytes(field(bytes, 48)),
            is_compacted: flags & FLAG_COMPACTED != 0,
        })
    }

    /// The seed of the log's checksums, so that a piece of another log never looks like a piece of this one.
    pub(crate) fn crc_seed(&self) -> u32 {
        crc32fast::hash(&self.log_id)
    }

    /// Returns the checksum that the first batch names as the one before it.
    pub(crate) fn chain_start(&self) -> u32 {
        crc(self.crc_seed(), &self.encode())
    }

    fn too_short(bytes: &[u8]) -> HeaderError {
        if FILE_MAGIC.starts_with(bytes) || bytes.starts_with(&FILE_MAGIC) {
            HeaderError::Damaged("the file header is cut short")
        } else {
            HeaderError::Foreign("it is shorter than a log's header")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FileHeader {
        FileHeader { log_id: [1; 16], hash_seed: [2; 16], created_ms: 3, is_compacted: false }
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        for is_compacted in [false, true] {
            let header = FileHeader { is_compacted, ..header() };
            assert_eq!(FileHeader::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_header_is_noticed() {
        let good = header().encode();
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(FileHeader::decode(&bad).is_err(), "bit {bit}");
        }
        for len in 0..good.len() {
            assert!(FileHeader::decode(&good[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn unknown_flags_are_refused() {
        let mut newer = header().encode();
        newer[56] = 2;
        let crc = crc32fast::hash(&newer[..60]);
        newer[60..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(FileHeader::decode(&newer), Err(HeaderError::Damaged(_))));
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut newer = header().encode();
        newer[8] = 9;
        assert_eq!(FileHeader::decode(&newer), Err(HeaderError::Newer { found: 9 }));
    }
}
