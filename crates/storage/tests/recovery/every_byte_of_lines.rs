//! Logs of JSON lines of 64 KiB, damaged at every byte: what docs/wal-format.md says of the file that this makes,
//! and never more than the lines that were touched.
//!
//! There are no checksums: a line that can still be read counts. A second reader, made from that page alone, tells
//! what each damaged file is: a state, or an error at a place.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustvault_storage::batch::{BatchStore, Op};
use rustvault_storage::{DurableStore, Error, LogFormat, Options};
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::every_byte::{sectors, sum_of};
use super::{State, open, state};
use rustvault_testkit::block_on;
use rustvault_testkit::files::{LOG, MemoryDisk};

const LOG_BYTES: usize = 64 * 1024;

/// Without `RUSTVAULT_SOAK` every so manieth damage is tried.
const EVERY_FLIP: usize = 101;
const EVERY_CUT: usize = 23;
const EVERY_PAIR: usize = 13;

/// What a file is.
#[derive(Debug, PartialEq)]
enum Verdict {
    Holds(State),
    CorruptedAt(u64),
    NoLog,
}

/// A log as a crash of the process leaves it, of several sessions, with a compaction in it.
fn log() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let disk = MemoryDisk::default();
    let mut options = Options::default();
    options.log_format = Some(LogFormat::Json);
    let open = || DurableStore::open_on(Arc::new(disk.clone()), LOG, options.clone()).unwrap();
    let mut store = open();
    let mut number = 0;
    while disk.log().len() < LOG_BYTES - 1024 {
        number += 1;
        block_on(write_something(&store, &mut random));
        match number {
            60 => block_on(store.compact()).unwrap(),
            50 | 90 => {
                store.close().unwrap();
                store = open();
            }
            _ => {}
        }
    }
    disk.log()
}

async fn write_something(store: &DurableStore, random: &mut fastrand::Rng) {
    let key = [b'k', random.u8(..40)];
    let len = random.usize(1..700);
    match random.u8(..100) {
        0..20 => drop(store.delete(&key).await.unwrap()),
        20..22 => drop(store.submit(&[Op::Clear], usize::MAX, &mut Vec::new()).await),
        22..60 => store.set(&key, "vä\"lue\n".repeat(len / 8).as_bytes()).await.unwrap(),
        _ => {
            let value: Vec<u8> = (0..len).map(|_| random.u8(..)).collect();
            store.set(&key, &value).await.unwrap();
        }
    }
}

/// What the file holds, or why it is refused.
fn verdict(file: &[u8]) -> Verdict {
    let end = file.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let lines: Vec<&[u8]> = file[..end].split_inclusive(|&byte| byte == b'\n').collect();
    let (mut state, mut at, mut records) = (State::new(), 0, 0);
    for (number, line) in lines.iter().enumerate() {
        if !line.trim_ascii().is_empty() {
            match record(line) {
                Some(change) => {
                    change.apply(&mut state);
                    records += 1;
                }
                None if records == 0 && !is_torn_opening(line) => return Verdict::NoLog,
                None => {
                    let may_be_torn = !line.ends_with(b"\n") || line.contains(&0);
                    let is_sound = |line: &&[u8]| line.ends_with(b"\n") && record(line).is_some();
                    if may_be_torn && !lines[number + 1..].iter().any(is_sound) {
                        return Verdict::Holds(state);
                    }
                    return Verdict::CorruptedAt(at);
                }
            }
        }
        at += line.len() as u64;
    }
    Verdict::Holds(state)
}

/// Whether a crash can have cut one of our lines so.
fn is_torn_opening(line: &[u8]) -> bool {
    let opening = b"{\"timestamp\":";
    let is_ours = line.starts_with(opening) || opening.starts_with(line);
    let is_cut = || serde_json::from_slice::<IgnoredAny>(line).is_err_and(|error| error.is_eof());
    if line.contains(&0) { line.starts_with(opening) } else { is_ours && !line.ends_with(b"\n") && is_cut() }
}

enum Change {
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    Clear,
}

impl Change {
    fn apply(self, state: &mut State) {
        match self {
            Self::Set(key, value) => drop(state.insert(key, value)),
            Self::Delete(key) => drop(state.remove(&key)),
            Self::Clear => state.clear(),
        }
    }
}

fn record(line: &[u8]) -> Option<Change> {
    let Json::Object(record) = serde_json::from_slice(line).ok()? else { return None };
    match (record.len(), record.get("timestamp")?, record.get("command")?) {
        (2, Json::Natural, Json::Text(name)) => (name == "Clear").then_some(Change::Clear),
        (2, Json::Natural, Json::Object(command)) if command.len() == 1 => {
            let (name, Json::Object(fields)) = command.iter().next()? else { return None };
            match (name.as_str(), fields.len()) {
                ("Set", 2) => Some(Change::Set(bytes(fields, "key")?, bytes(fields, "value")?)),
                ("Delete", 1) => Some(Change::Delete(bytes(fields, "key")?)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn bytes(fields: &BTreeMap<String, Json>, name: &str) -> Option<Vec<u8>> {
    match (fields.get(name), fields.get(&format!("{name}_base64"))) {
        (Some(Json::Text(text)), None) => Some(text.as_bytes().to_vec()),
        (None, Some(Json::Text(text))) => BASE64_STANDARD.decode(text).ok(),
        _ => None,
    }
}

/// JSON in which no member is there twice, as far as a log needs it.
enum Json {
    Object(BTreeMap<String, Self>),
    Text(String),
    Natural,
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        while items.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Natural)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }
}

/// Opens a file and holds it against the second reader; tells what it is.
fn judge(file: &[u8], what: &str) -> Verdict {
    let disk = MemoryDisk::of(file);
    let found = match open(&disk) {
        Ok(store) => Verdict::Holds(block_on(state(&store))),
        Err(error) => {
            assert!(disk.bytes() == file, "{what}: a log that is refused is left as it is");
            match error {
                Error::Corrupted { offset, .. } => Verdict::CorruptedAt(offset),
                Error::NotALog { .. } => Verdict::NoLog,
                other => panic!("{what}: {other}"),
            }
        }
    };
    let expected = verdict(file);
    assert!(found == expected, "{what}: {} instead of {}", brief(&found), brief(&expected));
    found
}

fn brief(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds(state) => format!("{} keys", state.len()),
        other => format!("{other:?}"),
    }
}

/// Where the lines that a range touches begin and end.
fn lines_touched(log: &[u8], range: &Range<usize>) -> Range<usize> {
    let start = log[..range.start].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let rest = log[range.end - 1..].iter().position(|&byte| byte == b'\n');
    // A line end that is damaged touches the line behind it.
    let end = rest.map_or(log.len(), |newline| range.end + newline);
    let end =
        log[end..].iter().position(|&byte| byte == b'\n').map_or(log.len(), |newline| end + newline + 1);
    start..end
}

/// Judges the log with one range damaged: 1 if it is refused. Other lines than those touched keep their say.
fn judge_damaged(log: &[u8], range: Range<usize>, damage: impl FnOnce(&mut [u8])) -> usize {
    let mut damaged = log.to_vec();
    damage(&mut damaged[range.clone()]);
    let touched = lines_touched(log, &range);
    match judge(&damaged, &format!("{range:?}")) {
        Verdict::CorruptedAt(offset) => {
            assert!(touched.contains(&(offset as usize)), "{range:?}: told at {offset}");
            1
        }
        Verdict::NoLog => {
            assert!(touched.start == 0, "{range:?}");
            1
        }
        Verdict::Holds(_) => 0,
    }
}

#[test]
fn a_log_of_lines_cut_at_any_byte_holds_its_whole_lines() {
    let log = log();
    let (cuts, torn) = sum_of(0..log.len(), EVERY_CUT, |len| {
        let Verdict::Holds(found) = judge(&log[..len], &format!("cut at {len}")) else {
            panic!("cut at {len}: refused");
        };
        // A line that lacks nothing but its end counts.
        let whole = log[..=len].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        assert!(Verdict::Holds(found) == verdict(&log[..whole]), "cut at {len}");
        usize::from(whole < len)
    });
    println!("every byte: a log of lines cut at {cuts} places, {torn} inside a line");
}

#[test]
fn a_flipped_bit_in_a_log_of_lines_is_told_at_its_line_or_changes_that_line_alone() {
    let log = log();
    let (flips, refused) = sum_of(0..log.len() * 8, EVERY_FLIP, |bit| {
        judge_damaged(&log, bit / 8..bit / 8 + 1, |byte| byte[0] ^= 1 << (bit % 8))
    });
    println!("every byte: a log of lines with {flips} single bits flipped, {refused} refused");
}

#[test]
fn sectors_of_a_log_of_lines_that_are_lost_or_doubled_are_judged_as_documented() {
    let log = log();
    let sectors = sectors(&log);
    let zeroed: usize =
        sectors.iter().map(|sector| judge_damaged(&log, sector.clone(), |bytes| bytes.fill(0))).sum();
    let (doubled, refused) = sum_of(0..sectors.len() * sectors.len(), EVERY_PAIR, |pair| {
        let (to, from) = (sectors[pair / sectors.len()].clone(), sectors[pair % sectors.len()].clone());
        if to.len() != from.len() {
            return 0;
        }
        let mut damaged = log.clone();
        damaged.copy_within(from, to.start);
        usize::from(!matches!(judge(&damaged, &format!("{to:?}")), Verdict::Holds(_)))
    });
    let lost = sectors.len();
    println!(
        "every byte: a log of lines with {lost} sectors zeroed, {zeroed} refused, {doubled} doubled, {refused} refused"
    );
}
