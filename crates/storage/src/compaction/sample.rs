//! Estimates the size of live data as lines of JSON, from a sample of its keys.

use crate::Lsn;
use crate::keyspace::{Keyspace, KeyspaceWalk};
use crate::wal::{LoggedChange, line_bytes, now_ms};

/// Bytes of entries in a sample, or one larger entry.
const SAMPLE_BYTES: usize = 64 * 1024;

/// Estimates the bytes that live entries would take as lines of JSON, if they take `entry_bytes` in a binary log.
///
/// The estimate depends on their content: a byte becomes one to six. The first entries of a walk are a fair sample, because
/// positions are hashes.
pub(super) fn bytes_as_lines(keyspace: &Keyspace, entry_bytes: u64) -> u64 {
    let mut walk = KeyspaceWalk::new(keyspace, Lsn::new(u64::MAX), SAMPLE_BYTES);
    let (mut sampled_bytes, mut as_lines_bytes) = (0, 0);
    let mut entries = Vec::new();
    while sampled_bytes < SAMPLE_BYTES as u64 && walk.next_page(&mut entries) {
        for entry in entries.drain(..) {
            let (key, value) = (entry.key(), entry.value());
            sampled_bytes += LoggedChange::live_bytes(1, (key.len() + value.len()) as u64);
            as_lines_bytes += line_bytes(LoggedChange::Set { key, value }, now_ms());
        }
    }
    let scaled = u128::from(entry_bytes) * u128::from(as_lines_bytes) / u128::from(sampled_bytes.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Content, Effect, HashSeed};

    fn expansion(value_of: impl Fn(u32) -> Vec<u8>) -> f64 {
        let keyspace = Keyspace::new(HashSeed([7; 16]));
        assert_eq!(bytes_as_lines(&keyspace, 0), 0);
        let (mut entry_bytes, mut line_bytes) = (0, 0);
        for key in 0..20_000_u32 {
            let (key, value) = (format!("key:{key}").into_bytes(), value_of(key));
            entry_bytes += LoggedChange::live_bytes(1, (key.len() + value.len()) as u64);
            line_bytes += super::line_bytes(LoggedChange::Set { key: &key, value: &value }, now_ms());
            let effect = Effect::Put { key: &key, value: Content::Borrowed(&value) };
            keyspace.apply(effect, Lsn::new(1), Lsn::ZERO);
        }
        let ratio = bytes_as_lines(&keyspace, entry_bytes) as f64 / line_bytes as f64;
        assert!((0.8..1.25).contains(&ratio), "{ratio}");
        line_bytes as f64 / entry_bytes as f64
    }

    #[test]
    fn a_sample_tells_what_entries_take_as_lines() {
        assert!(expansion(|_| vec![b'v'; 100]) < 1.3);
        assert!(expansion(|_| vec![0; 100]) > 4.0);
        // Half of the values are long and escaped, the others short.
        expansion(|key| vec![0; if key.is_multiple_of(2) { 200 } else { 1 }]);
    }
}
