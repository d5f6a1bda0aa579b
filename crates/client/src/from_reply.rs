//! Types that replies become, and the checks that a reply has such a type.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustvault_protocol::Reply;

/// Values up to this many bytes are copied out of the read buffer, so that keeping one does not keep the
/// buffer.
const MAX_COPIED_VALUE_BYTES: usize = 4 * 1024;

/// A longer value is copied if the buffer was more than so many times as long: a large value that came before it has made it
/// grow.
const MAX_KEPT_BUFFER_SHARE: usize = 16;

/// Answer to a command inside a transaction, which is not carried out until that ends.
pub(crate) const QUEUED: &str = "QUEUED";

/// A type that the reply to a command can become.
///
/// It never gets an error of the server: the caller has that as an `Err`.
pub trait FromReply: Sized {
    /// Returns whether the reply has this type. One that has not is an error of the protocol, which closes the
    /// connection: it belongs to another command.
    fn matches(reply: &Reply) -> bool;

    /// Returns the reply as this type, unless it does not [match](Self::matches).
    fn from_reply(reply: Reply) -> Option<Self>;
}

/// Done; the reply says nothing else.
impl FromReply for () {
    fn matches(reply: &Reply) -> bool {
        matches!(reply, Reply::Simple(word) if word != QUEUED)
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        Self::matches(&reply).then_some(())
    }
}

/// 1 and 0, and of commands that answer with `OK` or nothing whether it was `OK`.
impl FromReply for bool {
    fn matches(reply: &Reply) -> bool {
        match reply {
            Reply::Integer(0 | 1) | Reply::Null => true,
            Reply::Simple(word) => word == "OK",
            _ => false,
        }
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        Self::matches(&reply).then_some(!matches!(reply, Reply::Integer(0) | Reply::Null))
    }
}

impl FromReply for i64 {
    fn matches(reply: &Reply) -> bool {
        matches!(reply, Reply::Integer(_))
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromReply for u64 {
    fn matches(reply: &Reply) -> bool {
        matches!(reply, Reply::Integer(0..))
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        i64::from_reply(reply)?.try_into().ok()
    }
}

/// A number with a fraction, or its decimal digits.
impl FromReply for f64 {
    fn matches(reply: &Reply) -> bool {
        as_float(reply).is_some()
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        as_float(&reply)
    }
}

fn as_float(reply: &Reply) -> Option<f64> {
    match reply {
        Reply::Double(number) => Some(*number),
        Reply::Bulk(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

impl FromReply for Bytes {
    fn matches(reply: &Reply) -> bool {
        matches!(reply, Reply::Bulk(_) | Reply::Verbatim(_))
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Bulk(bytes) | Reply::Verbatim(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A text. Bytes that are not UTF-8 become U+FFFD: for values ask for [`Bytes`].
impl FromReply for String {
    fn matches(reply: &Reply) -> bool {
        <()>::matches(reply) || Bytes::matches(reply)
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Simple(word) => (word != QUEUED).then(|| word.into_owned()),
            other => Bytes::from_reply(other).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

/// `None` where there is nothing.
impl<T: FromReply> FromReply for Option<T> {
    fn matches(reply: &Reply) -> bool {
        matches!(reply, Reply::Null) || T::matches(reply)
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Null => Some(None),
            other => T::from_reply(other).map(Some),
        }
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    fn matches(reply: &Reply) -> bool {
        match reply {
            Reply::Array(items) | Reply::Set(items) => items.iter().all(T::matches),
            _ => false,
        }
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Array(items) | Reply::Set(items) => items.into_iter().map(T::from_reply).collect(),
            _ => None,
        }
    }
}

/// Names and values: a map, or lines of a text with `:` between them.
impl FromReply for Vec<(String, String)> {
    fn matches(reply: &Reply) -> bool {
        match reply {
            Reply::Map(entries) => {
                entries.iter().all(|(name, value)| String::matches(name) && String::matches(value))
            }
            other => Bytes::matches(other),
        }
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Map(entries) => entries
                .into_iter()
                .map(|(name, value)| Some((String::from_reply(name)?, String::from_reply(value)?)))
                .collect(),
            other => Bytes::from_reply(other).map(|text| named_lines(&String::from_utf8_lossy(&text))),
        }
    }
}

/// Returns the names and values of a text; its headings begin with `#`.
fn named_lines(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Seconds since 1970, and microseconds.
impl FromReply for SystemTime {
    fn matches(reply: &Reply) -> bool {
        as_time(reply).is_some()
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        as_time(&reply)
    }
}

fn as_time(reply: &Reply) -> Option<SystemTime> {
    let Reply::Array(parts) = reply else { return None };
    let [Reply::Bulk(seconds), Reply::Bulk(micros)] = parts.as_slice() else { return None };
    let since = Duration::from_secs(number(seconds)?).checked_add(Duration::from_micros(number(micros)?))?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// A page of keys, as [`Commands::scan`](crate::Commands::scan) returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPage {
    /// Cursor of the next page; 0 after the last one.
    pub next_cursor: u64,
    /// The keys, in no order that means anything.
    pub keys: Vec<Bytes>,
}

impl FromReply for ScanPage {
    fn matches(reply: &Reply) -> bool {
        match reply {
            Reply::Array(parts) => match parts.as_slice() {
                [Reply::Bulk(cursor), keys] => number(cursor).is_some() && Vec::<Bytes>::matches(keys),
                _ => false,
            },
            _ => false,
        }
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        let Reply::Array(parts) = reply else { return None };
        let [Reply::Bulk(cursor), keys] = <[Reply; 2]>::try_from(parts).ok()? else { return None };
        Some(Self { next_cursor: number(&cursor)?, keys: FromReply::from_reply(keys)? })
    }
}

/// Any reply, as it came.
impl FromReply for Reply {
    fn matches(_: &Reply) -> bool {
        true
    }

    fn from_reply(reply: Reply) -> Option<Self> {
        Some(reply)
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Copies what is small, also beside a read buffer of so many bytes, so that it does not keep that.
pub(crate) fn detach(reply: &mut Reply, buffer_bytes: usize) {
    copy_up_to(MAX_COPIED_VALUE_BYTES.max(buffer_bytes / MAX_KEPT_BUFFER_SHARE), reply);
}

fn copy_up_to(max_bytes: usize, reply: &mut Reply) {
    match reply {
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) if bytes.len() <= max_bytes => {
            *bytes = Bytes::copy_from_slice(bytes);
        }
        Reply::Array(items) | Reply::Set(items) => {
            items.iter_mut().for_each(|item| copy_up_to(max_bytes, item));
        }
        Reply::Map(entries) => entries.iter_mut().for_each(|(name, value)| {
            copy_up_to(max_bytes, name);
            copy_up_to(max_bytes, value);
        }),
        _ => {}
    }
}

/// Returns the word of a reply, or what kind of reply it is, for people.
pub(crate) fn describe(reply: &Reply) -> &str {
    match reply {
        Reply::Simple(word) => word,
        Reply::Error(_) => "an error",
        Reply::Integer(_) | Reply::Double(_) => "a number",
        Reply::Bulk(_) | Reply::Verbatim(_) => "a value",
        Reply::Null => "nothing",
        _ => "a list",
    }
}

pub(crate) fn unexpected(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_takes_the_replies_that_it_matches_and_no_other() {
        fn check<T: FromReply>(taken: &[usize]) {
            let bulk = |text: &'static str| Reply::Bulk(Bytes::from(text));
            let replies = [
                Reply::OK,
                Reply::Null,
                Reply::Integer(1),
                Reply::Integer(-1),
                bulk("1.5"),
                Reply::Array(vec![bulk("7"), Reply::Array(vec![bulk("k")])]),
                Reply::Array(vec![bulk("7"), bulk("8")]),
                Reply::Array(vec![bulk("x"), Reply::Null]),
                Reply::Map(vec![(bulk("a"), bulk("b"))]),
                Reply::simple(QUEUED),
            ];
            for (position, reply) in replies.into_iter().enumerate() {
                let matches = T::matches(&reply);
                assert_eq!(matches, taken.contains(&position), "{reply:?}");
                assert_eq!(T::from_reply(reply.clone()).is_some(), matches, "{reply:?}");
            }
        }
        check::<()>(&[0]);
        check::<bool>(&[0, 1, 2]);
        check::<i64>(&[2, 3]);
        check::<u64>(&[2]);
        check::<f64>(&[4]);
        check::<Bytes>(&[4]);
        check::<String>(&[0, 4]);
        check::<Option<Bytes>>(&[1, 4]);
        check::<Vec<Bytes>>(&[6]);
        check::<Vec<Option<Bytes>>>(&[6, 7]);
        check::<Vec<(String, String)>>(&[4, 8]);
        check::<SystemTime>(&[6]);
        check::<ScanPage>(&[5]);
        check::<Reply>(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_text_of_lines_becomes_names_and_values() {
        let text = "# RustVault\r\nversion:1.2\r\npath:a:b\r\nempty:\r\n";
        let lines: Vec<(String, String)> = FromReply::from_reply(Reply::Verbatim(Bytes::from(text))).unwrap();
        let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(lines, [("version", "1.2"), ("path", "a:b"), ("empty", "")]);
    }

    #[test]
    fn small_value_does_not_keep_the_read_buffer() {
        let buffer = Bytes::from(vec![b'v'; 64 * 1024]);
        let mut reply = Reply::Array(vec![Reply::Bulk(buffer.slice(..10))]);
        detach(&mut reply, buffer.len());
        assert!(buffer.is_unique());
        assert_eq!(reply, Reply::Array(vec![Reply::Bulk(Bytes::from(vec![b'v'; 10]))]));
    }
}
