//! Logs of 64 KiB, damaged at every byte: an error that names the place, or a legal torn tail; never a value
//! that nobody wrote.
//!
//! What is legal is told by a reader of its own, from the byte tables in docs/wal-format.md.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustvault_storage::Error;

use super::history::{BATCH_HEADER_BYTES, Batch, FILE_HEADER_BYTES, History};
use super::{State, in_parallel, open, state};
use rustvault_testkit::block_on;
use rustvault_testkit::files::MemoryDisk;

const SECTOR_BYTES: usize = 512;

/// Without `RUSTVAULT_SOAK` every so manieth damage is tried. Of the bits that is one in every byte, each time
/// another one.
const EVERY_FLIP: usize = 7;
const EVERY_CUT: usize = 5;
const EVERY_PAIR: usize = 3;

enum Verdict {
    Refused,
    /// Opened, with what was there after so many records.
    Opened(usize),
}

impl History {
    /// Opens the damaged log and holds it against the history.
    fn judge(&self, damaged: &[u8], touched: &[Range<usize>]) -> Verdict {
        let disk = MemoryDisk::of(damaged);
        match open(&disk) {
            Err(error) => {
                self.check_place(&error, touched);
                assert!(disk.bytes() == damaged, "{touched:?}: a log that is refused is left as it is");
                Verdict::Refused
            }
            Ok(store) => {
                let first = touched.iter().map(|range| range.start).min().unwrap();
                assert!(damaged.is_empty() || first >= self.compacted_end, "{touched:?}: no crash does that");
                Verdict::Opened(self.check_state(&block_on(state(&store)), touched))
            }
        }
    }

    fn check_place(&self, error: &Error, touched: &[Range<usize>]) {
        let first = touched.iter().map(|range| range.start).min().unwrap();
        // With another file header all the rest is foreign.
        let is_header_touched = first < FILE_HEADER_BYTES;
        let last = touched.iter().map(|range| range.end).max().unwrap();
        match error {
            Error::Corrupted { offset, .. } => {
                let first_batch = self.start_of_batch(first);
                let is_near = first_batch as u64 <= *offset && (*offset < last as u64 || is_header_touched);
                assert!(is_near, "{touched:?}: {error}");
            }
            Error::NotALog { .. } | Error::NewerFormat { .. } => assert!(first < 12, "{touched:?}: {error}"),
            other => panic!("{touched:?}: {other}"),
        }
    }

    fn start_of_batch(&self, at: usize) -> usize {
        let batch = self.batches.iter().find(|batch| batch.range.contains(&at));
        batch.map_or(if at < FILE_HEADER_BYTES { 0 } else { self.log.len() }, |batch| batch.range.start)
    }

    /// The state must be the one after some prefix, with all that an undamaged header claims to be synced.
    fn check_state(&self, found: &State, touched: &[Range<usize>]) -> usize {
        let is_touched = |batch: &Batch| {
            let header = batch.range.start..batch.range.start + BATCH_HEADER_BYTES;
            touched.iter().any(|range| range.start < header.end && header.start < range.end)
        };
        let claims = self.batches.iter().filter(|batch| !is_touched(batch)).map(|batch| batch.synced);
        let synced = claims.max().unwrap_or(0);
        let records = (synced..self.states.len()).rev().find(|&records| self.states[records] == *found);
        records.unwrap_or_else(|| panic!("{touched:?}: a state that never was, or without what was synced"))
    }
}

/// Calls `body` with everything in `cases`, or with a part of it unless `RUSTVAULT_SOAK` asks for all; tells
/// with how many, and adds up what it says.
pub(crate) fn sum_of(
    cases: Range<usize>,
    every: usize,
    body: impl Fn(usize) -> usize + Sync,
) -> (usize, usize) {
    let every = if std::env::var_os("RUSTVAULT_SOAK").is_some() { 1 } else { every };
    let sum = AtomicUsize::new(0);
    let sample: Vec<_> = cases.step_by(every).collect();
    in_parallel(&sample, |&number| {
        sum.fetch_add(body(number), Ordering::Relaxed);
    });
    (sample.len(), sum.into_inner())
}

#[test]
fn a_log_cut_at_any_byte_is_as_it_was_after_its_last_whole_batch() {
    for history in History::all() {
        let (cuts, refused) = sum_of(0..history.log.len(), EVERY_CUT, |len| {
            let cut_off = len..history.log.len();
            match history.judge(&history.log[..len], &[cut_off]) {
                // Nothing at all is a new log.
                Verdict::Opened(0) if len == 0 => 0,
                Verdict::Refused => {
                    assert!(len < FILE_HEADER_BYTES.max(history.compacted_end), "cut at {len}");
                    1
                }
                Verdict::Opened(_) => {
                    let whole = history.batches.iter().rfind(|batch| batch.range.end <= len);
                    let expected = &history.states[whole.map_or(0, |batch| batch.records)];
                    let store = open(&MemoryDisk::of(&history.log[..len])).unwrap();
                    assert!(block_on(state(&store)) == *expected, "cut at {len}");
                    0
                }
            }
        });
        println!("every byte: {} cut at {cuts} places, {refused} refused", history.name());
    }
}

#[test]
fn no_flipped_bit_gives_a_wrong_value_and_none_of_a_sealed_log_goes_unnoticed() {
    for history in History::all() {
        let (flips, refused) = sum_of(0..history.log.len() * 8, EVERY_FLIP, |bit| {
            let mut damaged = history.log.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let byte = bit / 8..bit / 8 + 1;
            match history.judge(&damaged, &[byte]) {
                Verdict::Refused => 1,
                Verdict::Opened(_) => {
                    assert!(!history.is_sealed, "bit {bit} goes unnoticed");
                    0
                }
            }
        });
        println!("every byte: {} with {flips} single bits flipped, {refused} refused", history.name());
    }
}

pub(crate) fn sectors(log: &[u8]) -> Vec<Range<usize>> {
    (0..log.len()).step_by(SECTOR_BYTES).map(|start| start..(start + SECTOR_BYTES).min(log.len())).collect()
}

/// Judges the log with other bytes in the place of a range. Damage that changes nothing is none.
fn judge_replaced(history: &History, range: Range<usize>, bytes: &[u8]) -> usize {
    let mut damaged = history.log.clone();
    damaged[range.clone()].copy_from_slice(bytes);
    if damaged != history.log {
        history.judge(&damaged, &[range]);
    }
    usize::from(damaged != history.log)
}

#[test]
fn zeroed_stale_and_duplicated_sectors_never_give_a_wrong_value() {
    for history in History::all() {
        let sectors = sectors(&history.log);
        let zeroed: usize = sectors
            .iter()
            .map(|sector| judge_replaced(&history, sector.clone(), &vec![0; sector.len()]))
            .sum();
        let (_, duplicated) = sum_of(0..sectors.len() * sectors.len(), EVERY_PAIR, |pair| {
            let (to, from) = (sectors[pair / sectors.len()].clone(), sectors[pair % sectors.len()].clone());
            let is_whole = to.len() == SECTOR_BYTES && from.len() == SECTOR_BYTES;
            if is_whole { judge_replaced(&history, to, &history.log[from]) } else { 0 }
        });
        let stale = stale_sectors(&history);
        let (_, replaced) = sum_of(0..stale.len(), 1, |number| {
            judge_replaced(&history, stale[number].0.clone(), &stale[number].1)
        });
        assert!(stale.len() > sectors.len(), "sectors grow, and are written again after a crash");
        println!(
            "every byte: {} with {zeroed} sectors zeroed, {duplicated} duplicated, {replaced} stale",
            history.name()
        );
    }
}

/// Every content that a sector ever had, and that of another log at the same place.
fn stale_sectors(history: &History) -> Vec<(Range<usize>, Vec<u8>)> {
    let mut other = History::new(false, false).log;
    other.resize(history.log.len(), 0);
    let mut stale = Vec::new();
    for sector in sectors(&history.log) {
        let mut last: Option<Vec<u8>> = Some(other[sector.clone()].to_vec());
        stale.extend(last.clone().map(|bytes| (sector.clone(), bytes)));
        for earlier in &history.earlier {
            let mut bytes = earlier.get(sector.start..).unwrap_or_default().to_vec();
            bytes.resize(sector.len(), 0);
            if last.replace(bytes.clone()).as_ref() != Some(&bytes) {
                stale.push((sector.clone(), bytes));
            }
        }
    }
    stale
}

#[test]
fn two_sectors_that_changed_places_never_give_a_wrong_value() {
    for history in History::all() {
        let sectors = sectors(&history.log);
        let whole = sectors.len() - 1;
        let (_, swapped) = sum_of(0..whole * whole, EVERY_PAIR, |pair| {
            let (one, two) = (sectors[pair / whole].clone(), sectors[pair % whole].clone());
            if one.start >= two.start {
                return 0;
            }
            let mut damaged = history.log.clone();
            damaged[one.clone()].copy_from_slice(&history.log[two.clone()]);
            damaged[two.clone()].copy_from_slice(&history.log[one.clone()]);
            let verdict = history.judge(&damaged, &[one, two]);
            usize::from(matches!(verdict, Verdict::Refused))
        });
        println!("every byte: {} with {swapped} pairs of sectors swapped, all refused", history.name());
    }
}
