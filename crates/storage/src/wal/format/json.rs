//! Records as lines of JSON: `{"timestamp":1640995200000,"command":{"Set":{"key":"user:1","value":"john"}}}`.

use std::borrow::Cow;
use std::fmt;
use std::io;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::record::{LoggedChange, LoggedCommand, Record, RecordError};

/// First bytes of each line that we write.
pub(in crate::wal) const OPENING: &[u8] = br#"{"timestamp":"#;

/// The most bytes of a line that one byte of a key or value can take: `\u0000`.
const MAX_ESCAPED_BYTES: usize = 6;

/// More than a line has beside its key and value, with room for somebody else's spaces.
const MAX_FRAME_BYTES: usize = 1024;

/// A line that was read.
pub(crate) struct DecodedLine<'a> {
    /// Milliseconds since the Unix epoch.
    pub(crate) timestamp_ms: u64,
    command: LoggedCommand<Set<'a>, Delete<'a>>,
}

/// Why a line is no record.
#[derive(Debug)]
pub(crate) struct LineError(serde_json::Error);

/// The longest line that holds a key and a value of these lengths, however it is escaped.
pub(crate) const fn max_line_bytes(key_bytes: usize, value_bytes: usize) -> usize {
    MAX_FRAME_BYTES + MAX_ESCAPED_BYTES * (key_bytes + value_bytes)
}

/// Appends the change as a line.
pub(crate) fn encode(change: LoggedChange<'_>, timestamp_ms: u64, out: &mut Vec<u8>) {
    write(change, timestamp_ms, out);
    out.push(b'\n');
}

/// Returns the length of the change as a line, its newline included, in bytes.
pub(crate) fn encoded_bytes(change: LoggedChange<'_>, timestamp_ms: u64) -> u64 {
    let mut counter = ByteCounter(1);
    write(change, timestamp_ms, &mut counter);
    counter.0
}

fn write(change: LoggedChange<'_>, timestamp_ms: u64, out: &mut impl io::Write) {
    let command = match change {
        LoggedChange::Set { key, value } => LoggedCommand::Set(Set { key: key.into(), value: value.into() }),
        LoggedChange::Delete { key } => LoggedCommand::Delete(Delete { key: key.into() }),
        LoggedChange::Clear => LoggedCommand::Clear,
    };
    if serde_json::to_writer(out, &Record { timestamp: timestamp_ms, command }).is_err() {
        unreachable!("writing to memory does not fail and the type has no unserialisable part");
    }
}

/// Counts bytes.
struct ByteCounter(u64);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends binary records as lines.
///
/// # Errors
/// What is wrong with the records.
pub(crate) fn transcode(mut records: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
    while !records.is_empty() {
        let (change, timestamp_ms, rest) = LoggedChange::decode(records)?;
        encode(change, timestamp_ms, out);
        records = rest;
    }
    Ok(())
}

/// Reads a line, with its line end or without: any spaces, any order, any escapes, but no member that is
/// unknown or there twice, and text and base64 of one thing only once.
///
/// # Errors
/// Why the line is no record.
pub(crate) fn decode(line: &[u8]) -> Result<DecodedLine<'_>, LineError> {
    // The library would take an array of the members too.
    if line.trim_ascii_start().first().is_some_and(|&first| first != b'{') {
        return Err(LineError(de::Error::custom("a record is an object")));
    }
    let record: Record<_, _> = serde_json::from_slice(line).map_err(LineError)?;
    Ok(DecodedLine { timestamp_ms: record.timestamp, command: record.command })
}

impl DecodedLine<'_> {
    pub(crate) fn change(&self) -> LoggedChange<'_> {
        match &self.command {
            LoggedCommand::Set(Set { key, value }) => LoggedChange::Set { key, value },
            LoggedCommand::Delete(Delete { key }) => LoggedChange::Delete { key },
            LoggedCommand::Clear => LoggedChange::Clear,
        }
    }
}

impl LineError {
    /// Returns whether the line is sound as far as it goes: more of it could make it a record.
    pub(in crate::wal) fn is_cut_short(&self) -> bool {
        self.0.is_eof()
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The library's messages may quote a whole value.
        const MAX_MESSAGE_CHARS: usize = 160;
        let message = self.0.to_string();
        // It counts lines from the start of what it was given.
        let (message, _) = message.rsplit_once(" at line ").unwrap_or((&message, ""));
        let end = message.char_indices().nth(MAX_MESSAGE_CHARS).map_or(message.len(), |(end, _)| end);
        let (shown, cut) = message.split_at(end);
        let dots = if cut.is_empty() { "" } else { "…" };
        write!(f, "{shown}{dots} at column {}", self.0.column())
    }
}

/// The fields of a `Set`.
struct Set<'a> {
    key: Cow<'a, [u8]>,
    value: Cow<'a, [u8]>,
}

/// The fields of a `Delete`.
struct Delete<'a> {
    key: Cow<'a, [u8]>,
}

impl Serialize for Set<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(2))?;
        put_bytes(&mut members, ["key", "key_base64"], &self.key)?;
        put_bytes(&mut members, ["value", "value_base64"], &self.value)?;
        members.end()
    }
}

impl Serialize for Delete<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(1))?;
        put_bytes(&mut members, ["key", "key_base64"], &self.key)?;
        members.end()
    }
}

/// Puts bytes under the first name if they are text, else under the second.
fn put_bytes<M: SerializeMap>(members: &mut M, names: [&str; 2], bytes: &[u8]) -> Result<(), M::Error> {
    let [text_name, base64_name] = names;
    match str::from_utf8(bytes) {
        Ok(text) => members.serialize_entry(text_name, text),
        Err(_) => members.serialize_entry(base64_name, &Base64(bytes)),
    }
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &BASE64_STANDARD))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Set<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let KeyAndValue { key, value } = deserializer.deserialize_map(KeyAndValueVisitor)?;
        let value = value.ok_or_else(|| de::Error::missing_field("value"))?;
        Ok(Self { key, value })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Delete<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let KeyAndValue { key, value } = deserializer.deserialize_map(KeyAndValueVisitor)?;
        match value {
            None => Ok(Self { key }),
            Some(_) => Err(de::Error::custom("a `Delete` has no value")),
        }
    }
}

/// The fields of a `Set`, or of a `Delete`, which has no value.
struct KeyAndValue<'a> {
    key: Cow<'a, [u8]>,
    value: Option<Cow<'a, [u8]>>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Key,
    KeyBase64,
    Value,
    ValueBase64,
}

/// A string that is borrowed from the line if it has no escapes.
#[derive(Deserialize)]
struct JsonString<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> JsonString<'a> {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        match self.0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    fn decode_base64<E: de::Error>(self) -> Result<Cow<'a, [u8]>, E> {
        let bytes = BASE64_STANDARD.decode(self.0.as_bytes());
        bytes.map(Cow::Owned).map_err(|error| E::custom(format_args!("bad base64: {error}")))
    }
}

struct KeyAndValueVisitor;

impl<'de> Visitor<'de> for KeyAndValueVisitor {
    type Value = KeyAndValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a key, and a value if it is a `Set`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut key, mut value) = (None, None);
        while let Some(member) = members.next_key()? {
            let text: JsonString<'de> = members.next_value()?;
            let earlier = match member {
                Member::Key => key.replace(text.into_bytes()),
                Member::KeyBase64 => key.replace(text.decode_base64()?),
                Member::Value => value.replace(text.into_bytes()),
                Member::ValueBase64 => value.replace(text.decode_base64()?),
            };
            if earlier.is_some() {
                return Err(de::Error::custom("the key or the value is there twice"));
            }
        }
        let key = key.ok_or_else(|| de::Error::missing_field("key"))?;
        Ok(KeyAndValue { key, value })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wal::format::record::set_timestamp;

    const SET_LINE: &str = r#"{"timestamp":1640995200000,"command":{"Set":{"key":"user:1","value":"john"}}}"#;
    const DELETE_LINE: &str = r#"{"timestamp":1640995201000,"command":{"Delete":{"key":"user:1"}}}"#;

    fn line(change: LoggedChange<'_>, timestamp_ms: u64) -> String {
        let mut out = Vec::new();
        encode(change, timestamp_ms, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn refusal(line: &str) -> String {
        match decode(line.as_bytes()) {
            Ok(line) => panic!("{:?}", line.change()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_bytes_of_a_line_never_change() {
        let set = LoggedChange::Set { key: b"user:1", value: b"john" };
        assert_eq!(line(set, 1_640_995_200_000), format!("{SET_LINE}\n"));
        assert_eq!(
            line(LoggedChange::Delete { key: b"user:1" }, 1_640_995_201_000),
            format!("{DELETE_LINE}\n")
        );
        assert_eq!(line(LoggedChange::Clear, 7), "{\"timestamp\":7,\"command\":\"Clear\"}\n");
        let bytes = LoggedChange::Set { key: b"\xff", value: "\0\n\"\\/ü€😀\u{7f}\u{2028}".as_bytes() };
        let expected = r#"{"timestamp":0,"command":{"Set":{"key_base64":"/w==","value":"#.to_owned()
            + "\"\\u0000\\n\\\"\\\\/ü€😀\u{7f}\u{2028}\"}}}\n";
        assert_eq!(line(bytes, 0), expected);
        let bytes = LoggedChange::Set { key: b"k", value: b"\xf0\x9f" };
        assert_eq!(
            line(bytes, 0),
            "{\"timestamp\":0,\"command\":{\"Set\":{\"key\":\"k\",\"value_base64\":\"8J8=\"}}}\n"
        );
    }

    #[test]
    fn the_lines_of_the_golden_log_are_still_written_so() {
        let golden = include_str!("../../../tests/golden/format-json.log");
        let (ours, _) = golden.split_once("\n\n").unwrap();
        for golden in ours.lines() {
            let read = decode(golden.as_bytes()).unwrap();
            assert_eq!(line(read.change(), read.timestamp_ms).trim_end(), golden);
        }
    }

    #[test]
    fn every_line_begins_with_the_opening() {
        assert!(SET_LINE.as_bytes().starts_with(OPENING));
    }

    #[test]
    fn lines_of_other_writers_are_understood() {
        let same = [
            r#" { "command" : { "Set" : { "value" : "john" , "key" : "user:1" } } , "timestamp" : 1 } "#,
            "{\"timestamp\":1,\t\"command\":{\"Set\":{\"key\":\"user:1\",\"value\":\"john\"}}}\r\n",
            r#"{"timestamp":1,"command":{"Set":{"key":"\u0075ser\u003a1","value":"joh\u006E"}}}"#,
            r#"{"timestamp":1,"command":{"Set":{"key_base64":"dXNlcjox","value_base64":"am9obg=="}}}"#,
            r#"{"timestamp":1,"\u0063ommand":{"Set":{"key":"user:1","value_base64":"am9obg=="}}}"#,
        ];
        for text in same {
            let line = decode(text.as_bytes()).unwrap();
            assert_eq!(line.change(), LoggedChange::Set { key: b"user:1", value: b"john" }, "{text}");
            assert_eq!(line.timestamp_ms, 1);
        }
        let surrogates = decode(br#"{"timestamp":1,"command":{"Delete":{"key":"\ud83d\ude00"}}}"#).unwrap();
        assert_eq!(surrogates.change(), LoggedChange::Delete { key: "😀".as_bytes() });
    }

    #[test]
    fn what_is_not_exactly_a_record_is_refused() {
        for (line, reason) in [
            (r#"{"timestamp":1,"command":{"Set":{"key":"k","value":"v"}},"ttl":5}"#, "unknown field `ttl`"),
            (r#"{"timestamp":1,"command":{"Set":{"key":"k","value":"v","ttl":5}}}"#, "unknown field `ttl`"),
            (r#"{"timestamp":1,"command":{"Expire":{"key":"k"}}}"#, "unknown variant `Expire`"),
            (r#"{"timestamp":1,"timestamp":2,"command":"Clear"}"#, "duplicate field"),
            (r#"{"timestamp":1,"command":{"Delete":{"key":"k","key":"k"}}}"#, "twice"),
            (r#"{"timestamp":1,"command":{"Delete":{"key":"k","key_base64":"aw=="}}}"#, "twice"),
            (r#"{"timestamp":1,"command":{"Delete":{"key":"k"},"Delete":{"key":"k"}}}"#, ""),
            (r#"{"timestamp":1,"command":{"Delete":{"key":"k","value":"v"}}}"#, "no value"),
            (r#"{"timestamp":1,"command":{"Set":{"key":"k"}}}"#, "missing field `value`"),
            (r#"{"timestamp":1,"command":{"Set":{"value":"k"}}}"#, "missing field `key`"),
            (r#"{"timestamp":1,"command":{"Set":{"key":"k","value":null}}}"#, "null"),
            (r#"{"timestamp":1,"command":{"Set":["k","v"]}}"#, "sequence"),
            (r#"{"timestamp":1,"command":{"Delete":{"key_base64":"aw"}}}"#, "base64"),
            (r#"{"timestamp":1,"command":{"Delete":{"key":"\ud83d"}}}"#, ""),
            (r#"{"timestamp":-1,"command":"Clear"}"#, "-1"),
            (r#"{"timestamp":1.5,"command":"Clear"}"#, "1.5"),
            (r#"{"timestamp":1}"#, "missing field `command`"),
            (r#"{"timestamp":1,"command":"Clear"} {}"#, "trailing characters"),
            (r#"[1,"Clear"]"#, "object"),
            ("{}", "missing field"),
            ("", "EOF"),
        ] {
            let message = refusal(line);
            assert!(message.contains(reason), "{line}: {message}");
        }
        assert!(decode(b"{\"timestamp\":1,\"command\":{\"Delete\":{\"key\":\"\xff\"}}}").is_err());
    }

    #[test]
    fn a_message_does_not_quote_a_whole_value() {
        let message = refusal(&format!(r#"{{"timestamp":"{}"}}"#, "ü".repeat(10_000)));
        assert!(message.chars().count() < 200 && message.ends_with("at column 20015"), "{message}");
    }

    #[test]
    fn only_a_line_that_could_go_on_is_cut_short() {
        for end in 0..SET_LINE.len() {
            assert!(decode(&SET_LINE.as_bytes()[..end]).is_err_and(|error| error.is_cut_short()), "{end}");
        }
        for line in [r#"{"timestamp":1}"#, r#"{"name":"vault""#, r#"{"timestamp":1,"x":"#] {
            assert!(decode(line.as_bytes()).is_err_and(|error| !error.is_cut_short()), "{line}");
        }
    }

    #[test]
    fn the_longest_line_is_within_the_limit() {
        let zeros = [0; 100];
        let longest = line(LoggedChange::Set { key: &zeros, value: &zeros }, u64::MAX);
        assert!(longest.len() < max_line_bytes(100, 100));
        assert!(longest.len() > max_line_bytes(100, 100) - MAX_FRAME_BYTES);
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![prop::collection::vec(any::<u8>(), 0..50), any::<String>().prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn lines_read_back_as_they_were_written(key in bytes(), value in bytes(), time in any::<u64>()) {
            for change in [LoggedChange::Set { key: &key, value: &value }, LoggedChange::Delete { key: &key }] {
                let line = line(change, time);
                prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
                prop_assert_eq!(encoded_bytes(change, time), line.len() as u64);
                let read = decode(line.as_bytes()).unwrap();
                prop_assert_eq!((read.change(), read.timestamp_ms), (change, time));
            }
        }

        #[test]
        fn binary_records_become_the_same_lines(keys in prop::collection::vec(bytes(), 0..5)) {
            let (mut records, mut expected, mut lines) = (Vec::new(), Vec::new(), Vec::new());
            for (time, key) in (5..).zip(&keys) {
                for change in [LoggedChange::Set { key, value: key }, LoggedChange::Delete { key }, LoggedChange::Clear] {
                    let start = records.len();
                    change.encode(&mut records);
                    set_timestamp(&mut records[start..], time);
                    encode(change, time, &mut expected);
                }
            }
            transcode(&records, &mut lines).unwrap();
            prop_assert_eq!(&lines, &expected);
            records.push(1);
            prop_assert!(transcode(&records, &mut lines).is_err());
        }
    }
}
