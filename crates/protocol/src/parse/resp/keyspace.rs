//! Commands on the keyspace.

use super::command::Parsed;
use super::fault::Refusal;
use super::frame::Arguments;
use super::number::{cursor, integer};
use crate::limits::{DEFAULT_RESP_SCAN_COUNT, MAX_GLOB_BYTES, MAX_SCAN_LIMIT};
use crate::{Command, Limits, ManyRequest, ProtocolError, Request, RespCommand, Shape, glob_literal_prefix};

pub(super) fn get<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    one_key(arguments, limits, |key| Command::Get { key: key.into() }, Shape::Plain)
}

pub(super) fn strlen<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    one_key(arguments, limits, |key| Command::Get { key: key.into() }, Shape::Length)
}

pub(super) fn key_type<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    one_key(arguments, limits, |key| Command::Exists { key: key.into() }, Shape::Type)
}

pub(super) fn set<'a>(mut arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    if arguments.len() > 2 {
        return Err(Refusal::option_of_set(arguments.nth(2).unwrap_or_default()));
    }
    let (key, value) = (key(&mut arguments, limits)?.into(), value(&mut arguments, limits)?.into());
    Ok(RespCommand::One { request: Command::Set { key, value }, shape: Shape::Plain })
}

pub(super) fn del<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    if arguments.len() == 1 {
        return one_key(arguments, limits, |key| Command::Delete { key: key.into() }, Shape::Integer);
    }
    many(ManyRequest::Delete { keys: keys_of(arguments, limits)? }, Shape::Integer)
}

pub(super) fn exists<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    if arguments.len() == 1 {
        return one_key(arguments, limits, |key| Command::Exists { key: key.into() }, Shape::Integer);
    }
    many(ManyRequest::Exists { keys: keys_of(arguments, limits)? }, Shape::Integer)
}

pub(super) fn mget<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    many(ManyRequest::Get { keys: keys_of(arguments, limits)? }, Shape::Plain)
}

pub(super) fn mset<'a>(mut arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    if !arguments.len().is_multiple_of(2) {
        return Err(Refusal::wrong_number_of_arguments("mset"));
    }
    let mut pairs = Vec::with_capacity(arguments.len() / 2);
    while arguments.len() > 0 {
        pairs.push([key(&mut arguments, limits)?, value(&mut arguments, limits)?]);
    }
    many(ManyRequest::Set { pairs }, Shape::Plain)
}

pub(super) fn keys<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let glob = glob(&mut arguments)?;
    many(ManyRequest::Keys { prefix: glob_literal_prefix(glob) }, Shape::Matching { glob })
}

pub(super) fn flush<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let is_known = |mode: &[u8]| mode.eq_ignore_ascii_case(b"ASYNC") || mode.eq_ignore_ascii_case(b"SYNC");
    if arguments.len() > 1 || !arguments.all(is_known) {
        return Err(Refusal::SYNTAX);
    }
    many(ManyRequest::Clear, Shape::Plain)
}

pub(super) fn dbsize<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::One { request: Command::Count, shape: Shape::Integer })
}

pub(super) fn info<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::One { request: Command::Info, shape: Shape::Info })
}

pub(super) fn rewrite<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::One { request: Command::Compact, shape: Shape::Started })
}

pub(super) fn scan<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let cursor = cursor(arguments.next().unwrap_or_default()).ok_or(Refusal::fixed("ERR invalid cursor"))?;
    let (mut matching, mut limit) = (None, DEFAULT_RESP_SCAN_COUNT);
    while let Some(option) = arguments.next() {
        if arguments.len() == 0 {
            return Err(Refusal::SYNTAX);
        } else if option.eq_ignore_ascii_case(b"COUNT") {
            limit = count(arguments.next().unwrap_or_default())?;
        } else if option.eq_ignore_ascii_case(b"MATCH") {
            matching = Some(glob(&mut arguments)?).filter(|glob| *glob != b"*");
        } else {
            return Err(Refusal::SYNTAX);
        }
    }
    let prefix = matching.map(glob_literal_prefix).unwrap_or_default().into();
    let request = Command::Scan { cursor, prefix, limit };
    Ok(RespCommand::One { request, shape: Shape::Page { glob: matching } })
}

/// `COUNT` is a wish, so more than a page may have is no error.
fn count(text: &[u8]) -> Result<u32, Refusal> {
    let count = integer(text).ok_or(Refusal::NOT_AN_INTEGER)?;
    if count < 1 {
        return Err(Refusal::SYNTAX);
    }
    Ok(u32::try_from(count).unwrap_or(MAX_SCAN_LIMIT).min(MAX_SCAN_LIMIT))
}

fn one_key<'a>(
    mut arguments: Arguments<'a>,
    limits: &Limits,
    request: impl FnOnce(&'a [u8]) -> Request<'a>,
    shape: Shape<'a>,
) -> Parsed<'a> {
    Ok(RespCommand::One { request: request(key(&mut arguments, limits)?), shape })
}

fn many<'a>(request: ManyRequest<'a>, shape: Shape<'a>) -> Parsed<'a> {
    Ok(RespCommand::Many { request, shape })
}

fn keys_of<'a>(mut arguments: Arguments<'a>, limits: &Limits) -> Result<Vec<&'a [u8]>, Refusal> {
    let mut keys = Vec::with_capacity(arguments.len());
    while arguments.len() > 0 {
        keys.push(key(&mut arguments, limits)?);
    }
    Ok(keys)
}

fn key<'a>(arguments: &mut Arguments<'a>, limits: &Limits) -> Result<&'a [u8], Refusal> {
    let key = arguments.next().unwrap_or_default();
    let (len_bytes, max_bytes) = (key.len(), limits.max_key_bytes);
    if len_bytes > max_bytes {
        return Err(ProtocolError::KeyTooLarge { len_bytes, max_bytes }.into());
    }
    Ok(key)
}

fn value<'a>(arguments: &mut Arguments<'a>, limits: &Limits) -> Result<&'a [u8], Refusal> {
    let value = arguments.next().unwrap_or_default();
    let (len_bytes, max_bytes) = (value.len(), limits.max_value_bytes);
    if len_bytes > max_bytes {
        return Err(ProtocolError::ValueTooLarge { len_bytes, max_bytes }.into());
    }
    Ok(value)
}

fn glob<'a>(arguments: &mut Arguments<'a>) -> Result<&'a [u8], Refusal> {
    let glob = arguments.next().unwrap_or_default();
    if glob.len() > MAX_GLOB_BYTES {
        return Err(Refusal::glob_too_long(glob.len()));
    }
    Ok(glob)
}

#[cfg(test)]
mod tests {
    use super::super::support::{LIMITS, error, error_of, parse};
    use super::*;
    use crate::{RespParser, RespStep};

    fn one<'a>(request: Request<'a>, shape: Shape<'a>) -> RespCommand<'a> {
        RespCommand::One { request, shape }
    }

    fn page(
        cursor: u64,
        prefix: &'static str,
        limit: u32,
        glob: Option<&'static [u8]>,
    ) -> RespCommand<'static> {
        one(Command::Scan { cursor, prefix: prefix.as_bytes().into(), limit }, Shape::Page { glob })
    }

    #[test]
    fn commands_on_one_key_are_those_of_the_text_protocol() {
        let key = || b"k".into();
        assert_eq!(parse("GET k"), one(Command::Get { key: key() }, Shape::Plain));
        assert_eq!(parse("STRLEN k"), one(Command::Get { key: key() }, Shape::Length));
        assert_eq!(parse("TYPE k"), one(Command::Exists { key: key() }, Shape::Type));
        assert_eq!(parse("EXISTS k"), one(Command::Exists { key: key() }, Shape::Integer));
        assert_eq!(parse("DEL k"), one(Command::Delete { key: key() }, Shape::Integer));
        assert_eq!(parse("SET k v"), one(Command::Set { key: key(), value: b"v".into() }, Shape::Plain));
        assert_eq!(parse("DBSIZE"), one(Command::Count, Shape::Integer));
        assert_eq!(parse("INFO server all"), one(Command::Info, Shape::Info));
        assert_eq!(parse("BGREWRITEAOF"), one(Command::Compact, Shape::Started));
    }

    #[test]
    fn commands_on_many_keys_keep_their_order() {
        let keys = || vec![&b"b"[..], b"a", b"b"];
        let many = |request, shape| RespCommand::Many { request, shape };
        assert_eq!(parse("MGET b a b"), many(ManyRequest::Get { keys: keys() }, Shape::Plain));
        assert_eq!(parse("MGET b"), many(ManyRequest::Get { keys: vec![b"b"] }, Shape::Plain));
        assert_eq!(parse("DEL b a b"), many(ManyRequest::Delete { keys: keys() }, Shape::Integer));
        assert_eq!(parse("EXISTS b a b"), many(ManyRequest::Exists { keys: keys() }, Shape::Integer));
        let pairs = vec![[&b"b"[..], &b"1"[..]], [b"a", b"2"]];
        assert_eq!(parse("MSET b 1 a 2"), many(ManyRequest::Set { pairs }, Shape::Plain));
        assert_eq!(parse("FLUSHALL"), many(ManyRequest::Clear, Shape::Plain));
        assert_eq!(parse("FLUSHDB async"), many(ManyRequest::Clear, Shape::Plain));
        let keys = ManyRequest::Keys { prefix: b"us" };
        assert_eq!(parse("KEYS us*r"), many(keys, Shape::Matching { glob: b"us*r" }));
    }

    #[test]
    fn scan_takes_its_options_in_any_order_the_last_one_counting() {
        assert_eq!(parse("SCAN 0"), page(0, "", 10, None));
        assert_eq!(parse("SCAN 7 match us* count 5"), page(7, "us", 5, Some(b"us*")));
        assert_eq!(parse("SCAN 7 COUNT 9 MATCH a COUNT 5 MATCH *"), page(7, "", 5, None));
        assert_eq!(parse("SCAN 0 COUNT 10001"), page(0, "", MAX_SCAN_LIMIT, None));
        assert_eq!(parse("SCAN 0 COUNT 99999999999"), page(0, "", MAX_SCAN_LIMIT, None));
    }

    #[test]
    fn wrong_options_are_refused_as_in_redis() {
        let syntax = [
            "SET k v w",
            "SET k v w EX 1",
            "FLUSHALL x",
            "FLUSHALL ASYNC x",
            "FLUSHDB SYNC SYNC",
            "SCAN 0 MATCH",
            "SCAN 0 COUNT",
            "SCAN 0 COUNT 0",
            "SCAN 0 COUNT -5",
            "SCAN 0 FOO",
            "SCAN 0 FOO bar",
        ];
        for line in syntax {
            assert_eq!(error(line), "ERR syntax error", "{line}");
        }
        for option in ["EX 10", "PX 10", "EXAT 1", "PXAT 1", "KEEPTTL"] {
            let name = option.split(' ').next().unwrap();
            let missing =
                format!("ERR there is no expiry yet: SET does not take {name}, and nothing was stored");
            assert_eq!(error(&format!("SET k v {}", option.to_lowercase())), missing);
        }
        for option in ["NX", "XX", "GET"] {
            let missing = format!("ERR SET does not take {option} yet, and nothing was stored");
            assert_eq!(error(&format!("SET k v {option} EX 10")), missing);
        }
        assert_eq!(error("SCAN x COUNT y"), "ERR invalid cursor");
        assert_eq!(error("SCAN 0 COUNT 1x"), "ERR value is not an integer or out of range");
        assert_eq!(error("MSET a 1 b"), "ERR wrong number of arguments for 'mset' command");
    }

    #[test]
    fn keys_values_and_globs_are_limited() {
        let long_key = "k".repeat(LIMITS.max_key_bytes + 1);
        for command in ["GET", "MGET a", "DEL", "EXISTS a", "TYPE"] {
            let key_error = "ERR key of 65 bytes is over the limit of 64";
            assert_eq!(error(&format!("{command} {long_key}")), key_error, "{command}");
        }
        let limits = Limits { max_key_bytes: 64, max_value_bytes: 8 };
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\n012345678\r\n";
        let RespStep::Command { command, .. } = RespParser::new(limits).next(input) else {
            panic!("such a value is no longer than a key may be")
        };
        assert_eq!(error_of(command), "ERR value of 9 bytes is over the limit of 8");
        let glob_error = "ERR pattern of 257 bytes is over the limit of 256";
        let long_glob = "?".repeat(MAX_GLOB_BYTES + 1);
        for command in ["KEYS", "SCAN 0 MATCH", "CONFIG GET save"] {
            assert_eq!(error(&format!("{command} {long_glob}")), glob_error);
        }
    }
}
