//! Commands on keys, independent of their values.

use rustvault_protocol::limits::{DEFAULT_RESP_SCAN_COUNT, DEFAULT_SCAN_LIMIT, MAX_SCAN_LIMIT};
use rustvault_protocol::{ErrorCode, Limits, Reply, Request, glob_literal_prefix};
use rustvault_storage::batch::{BatchStore, KeyUpdate, Op, Outcome};
use tokio::task::yield_now;

use super::arguments::{self, cursor, decimal, integer, refusal, refuse, syntax_error, usage};
use super::reply::{bulk, number, ok, unexpected};
use super::{Answer, Ask, Many, Planned, Refusal, ReplyTo, check_len};
use crate::respond::{PageOf, Responder};
use crate::threads::affinity;

/// The type of all values.
const STRING: &str = "string";

/// A glob that every key matches.
const MATCHES_ALL: &[u8] = b"*";

/// A glob that no key matches: an empty class.
const MATCHES_NOTHING: &[u8] = b"[]";

/// Bits of a cursor.
const CURSOR_BITS: u32 = 53;

pub(super) fn delete<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Delete { key: request.argument(0) }, ok))
}

pub(super) fn del<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(match request.arguments {
        [key] => Ask::One(Op::Delete { key }, number),
        keys => Ask::Many(Many::Count(|keys| Op::DeleteMany { keys }, keys)),
    })
}

pub(super) fn text_exists<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Exists { key: request.argument(0) }, ok))
}

pub(super) fn exists<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(match request.arguments {
        [key] => Ask::One(Op::Exists { key }, number),
        keys => Ask::Many(Many::Count(|keys| Op::CountOf { keys }, keys)),
    })
}

pub(super) fn key_type<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Exists { key: request.argument(0) }, |outcome, _| match outcome {
        Outcome::Exists(true) => Reply::simple(STRING),
        Outcome::Exists(false) => Reply::simple("none"),
        _ => unexpected().into(),
    }))
}

pub(super) fn rename<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(update(request, KeyUpdate::Rename { only_if_new: false }, ok))
}

pub(super) fn rename_nx<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(update(request, KeyUpdate::Rename { only_if_new: true }, number))
}

/// Reads `source destination [DB index] [REPLACE]`; there is one database, 0.
pub(super) fn copy<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    let mut options = request.arguments.iter().skip(2);
    let mut replaces = false;
    while let Some(option) = options.next() {
        match option.to_ascii_uppercase().as_slice() {
            b"REPLACE" => replaces = true,
            b"DB" => {
                if integer("destination-db", options.next().ok_or_else(syntax_error)?)? != 0 {
                    return Err(refuse("ERR DB index is out of range"));
                }
            }
            _ => return Err(syntax_error()),
        }
    }
    if request.argument(0) == request.argument(1) {
        return Err(refuse("ERR source and destination objects are the same"));
    }
    Ok(update(request, KeyUpdate::Copy { replaces }, number))
}

fn update<'b>(request: Request<'b>, update: KeyUpdate, reply: ReplyTo) -> Ask<'b> {
    Ask::One(Op::UpdateKeys { from: request.argument(0), to: request.argument(1), update }, reply)
}

pub(super) fn flush<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    let is_known = |mode: &&[u8]| mode.eq_ignore_ascii_case(b"ASYNC") || mode.eq_ignore_ascii_case(b"SYNC");
    if request.arguments.len() <= 1 && request.arguments.iter().all(is_known) {
        // The store starts a thread that frees the entries. A thread inherits its starter's cores, and this one may use all.
        affinity::unpin();
        Ok(Ask::One(Op::Clear, ok))
    } else {
        Err(syntax_error())
    }
}

pub(super) async fn text_scan<S: BatchStore>(
    responder: &mut Responder<'_, S>,
    request: Request<'_>,
) -> Answer<'static> {
    let page = text_page(request, responder.engine.limits.max_key_bytes)?;
    let (cursor, keys) = responder.page(&page).await?;
    Ok(Reply::Array([bulk(cursor.to_string())].into_iter().chain(keys).collect()))
}

pub(super) async fn scan<S: BatchStore>(
    responder: &mut Responder<'_, S>,
    request: Request<'_>,
) -> Answer<'static> {
    let (cursor, keys) = responder.page(&resp_page(request, responder.engine.limits.max_key_bytes)?).await?;
    Ok(Reply::Array(vec![bulk(cursor.to_string()), Reply::Array(keys)]))
}

/// Reads `cursor [PREFIX prefix] [LIMIT limit]`, each option once.
fn text_page(request: Request<'_>, max_key_bytes: usize) -> Result<PageOf<'_>, Refusal> {
    let usage = || usage(request.command);
    let mut arguments = request.arguments.iter().copied();
    let cursor = arguments.next().and_then(decimal).ok_or_else(usage)?;
    let (mut prefix, mut limit) = (None, None);
    let in_range = |limit: &u64| (1..=MAX_SCAN_LIMIT.into()).contains(limit);
    while let Some(option) = arguments.next() {
        let value = arguments.next();
        match option.to_ascii_uppercase().as_slice() {
            b"PREFIX" if prefix.is_none() => prefix = Some(value.ok_or_else(usage)?),
            b"LIMIT" if limit.is_none() => {
                limit = Some(value.and_then(decimal).filter(in_range).ok_or_else(limit_range)?);
            }
            _ => return Err(usage()),
        }
    }
    let prefix = prefix.unwrap_or_default();
    check_len("prefix", prefix, max_key_bytes)?;
    let limit = limit.unwrap_or(DEFAULT_SCAN_LIMIT.into()) as usize;
    Ok(PageOf { cursor, prefix, limit, glob: MATCHES_ALL })
}

fn limit_range() -> Refusal {
    refusal(ErrorCode::Syntax, format_args!("LIMIT needs a number from 1 to {MAX_SCAN_LIMIT}"))
}

/// Reads `cursor [MATCH pattern] [COUNT count] [TYPE type]`; of a repeated option the last one counts.
fn resp_page(request: Request<'_>, max_key_bytes: usize) -> Result<PageOf<'_>, Refusal> {
    let mut arguments = request.arguments.iter().copied();
    let cursor = cursor(arguments.next().unwrap_or_default())?;
    let (mut glob, mut limit, mut has_type) = (MATCHES_ALL, DEFAULT_RESP_SCAN_COUNT as usize, true);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(syntax_error)?;
        match option.to_ascii_uppercase().as_slice() {
            b"COUNT" => limit = page_limit(value)?,
            b"TYPE" => has_type = value.eq_ignore_ascii_case(STRING.as_bytes()),
            b"MATCH" => glob = arguments::scan_glob(value, max_key_bytes)?,
            _ => return Err(syntax_error()),
        }
    }
    let prefix = glob_literal_prefix(glob);
    // A scan for another type visits all keys, as any scan does, and matches none.
    let glob = if has_type { glob } else { MATCHES_NOTHING };
    Ok(PageOf { cursor, prefix, limit, glob })
}

/// Reads `COUNT`, which is a hint: a number above the largest page is no error.
fn page_limit(text: &[u8]) -> Result<usize, Refusal> {
    match integer("count", text)? {
        ..1 => Err(syntax_error()),
        limit => Ok(usize::try_from(limit).unwrap_or(usize::MAX).min(MAX_SCAN_LIMIT as usize)),
    }
}

/// Returns the first key behind a random position. Positions are hashes, so all keys have about the same chance.
pub(super) async fn random_key<S: BatchStore>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    let (mut cursor, mut may_wrap) = (fastrand::u64(..1 << CURSOR_BITS), true);
    loop {
        let page = PageOf { cursor, prefix: b"", limit: 1, glob: MATCHES_ALL };
        let (next_cursor, keys) = responder.page(&page).await?;
        if let Some(key) = keys.into_iter().next() {
            return Ok(key);
        }
        match next_cursor {
            0 if may_wrap => (cursor, may_wrap) = (0, false),
            0 => return Ok(Reply::Null),
            next => cursor = next,
        }
        // After many removals a scan may return many pages without a key.
        yield_now().await;
    }
}

pub(super) fn keys<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::Many(Many::Matching(arguments::glob(request.argument(0))?)))
}

/// Returns the error for a list of keys that would take more memory than one answer may.
pub(crate) fn too_large_a_list(max_bytes: usize) -> Refusal {
    let message = format_args!(
        "the keys that match take more than {max_bytes} bytes; walk them with SCAN, or raise --max-output-bytes"
    );
    refusal(ErrorCode::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use rustvault_protocol::{Command, glob_matches};

    use super::*;

    fn text(line: &str) -> Result<(u64, String, usize), String> {
        let words: Vec<_> = line.split(' ').skip(1).map(str::as_bytes).collect();
        let page = text_page(Request { command: Command::TextScan, arguments: &words }, 8);
        let page = page.map_err(|refusal| refusal.to_string())?;
        Ok((page.cursor, String::from_utf8_lossy(page.prefix).into_owned(), page.limit))
    }

    fn resp(line: &str) -> Result<(u64, String, usize, String), String> {
        let words: Vec<_> = line.split(' ').skip(1).map(str::as_bytes).collect();
        let page = resp_page(Request { command: Command::Scan, arguments: &words }, 300);
        let page = page.map_err(|refusal| String::from_utf8_lossy(refusal.line()).into_owned())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((page.cursor, text(page.prefix), page.limit, text(page.glob)))
    }

    #[test]
    fn a_scan_in_text_takes_its_options_in_either_order_each_once() {
        let page = |cursor, prefix: &str, limit| Ok((cursor, prefix.to_owned(), limit));
        assert_eq!(text("SCAN 18446744073709551615"), page(u64::MAX, "", 100));
        assert_eq!(text("SCAN 1 PREFIX us LIMIT 10000"), page(1, "us", 10_000));
        assert_eq!(text("SCAN 1 limit 1 prefix us"), page(1, "us", 1));
        assert_eq!(text("SCAN 1 PREFIX "), page(1, "", 100));
        assert_eq!(text("SCAN 1 PREFIX LIMIT"), page(1, "LIMIT", 100));
        let usage = Err("usage: SCAN cursor [PREFIX prefix] [LIMIT limit]".to_owned());
        for bad in [
            "SCAN ",
            "SCAN x",
            "SCAN -1",
            "SCAN +1",
            "SCAN 18446744073709551616",
            "SCAN 1 user",
            "SCAN 1 PREFIX",
            "SCAN 1 PREFIX a PREFIX b",
            "SCAN 1 LIMIT 1 LIMIT 1",
        ] {
            assert_eq!(text(bad), usage, "{bad}");
        }
        for bad in [
            "SCAN 0 LIMIT",
            "SCAN 0 LIMIT 0",
            "SCAN 0 LIMIT 10001",
            "SCAN 0 LIMIT 5x",
            "SCAN 0 LIMIT 99999999999",
        ] {
            assert_eq!(text(bad), Err(format!("LIMIT needs a number from 1 to {MAX_SCAN_LIMIT}")), "{bad}");
        }
        assert_eq!(
            text("SCAN 0 PREFIX 123456789"),
            Err("prefix of 9 bytes is over the limit of 8".to_owned())
        );
    }

    #[test]
    fn a_scan_in_resp_takes_its_options_in_any_order_the_last_one_counting() {
        let page =
            |cursor, prefix: &str, limit, glob: &str| Ok((cursor, prefix.to_owned(), limit, glob.to_owned()));
        assert_eq!(resp("SCAN 0"), page(0, "", 10, "*"));
        assert_eq!(resp("SCAN 7 match us* count 5"), page(7, "us", 5, "us*"));
        assert_eq!(resp("SCAN 7 COUNT 9 MATCH a COUNT 5 MATCH *"), page(7, "", 5, "*"));
        assert_eq!(resp("SCAN 0 TYPE String"), page(0, "", 10, "*"));
        assert_eq!(resp("SCAN 0 MATCH a* TYPE list"), page(0, "a", 10, "[]"));
        assert!(!glob_matches(MATCHES_NOTHING, b"") && !glob_matches(MATCHES_NOTHING, b"[]"));
        assert_eq!(resp("SCAN 0 COUNT 99999999999"), page(0, "", MAX_SCAN_LIMIT as usize, "*"));
        for bad in [
            "SCAN 0 MATCH",
            "SCAN 0 COUNT",
            "SCAN 0 COUNT 0",
            "SCAN 0 COUNT -5",
            "SCAN 0 FOO",
            "SCAN 0 FOO bar",
        ] {
            assert_eq!(resp(bad), Err("ERR syntax error".to_owned()), "{bad}");
        }
        assert_eq!(resp("SCAN x COUNT y"), Err("ERR invalid cursor".to_owned()));
        assert_eq!(resp("SCAN 0 COUNT 1x"), Err("ERR value is not an integer or out of range".to_owned()));
        let long = format!("SCAN 0 MATCH {}", "?".repeat(257));
        assert_eq!(resp(&long), Err("TOOLARGE pattern of 257 bytes is over the limit of 256".to_owned()));
    }

    #[test]
    fn the_pattern_of_a_scan_may_be_as_long_as_a_key_if_it_is_a_prefix() {
        let prefix = "p".repeat(300);
        assert_eq!(resp(&format!("SCAN 0 MATCH {prefix}*")).unwrap().1, prefix);
        assert!(resp(&format!("SCAN 0 MATCH {}*", r"\*".repeat(300))).is_ok());
        for bad in
            [format!("{prefix}p*"), format!("{prefix}?*"), format!(r"{prefix}\*"), format!("{prefix}**")]
        {
            assert!(resp(&format!("SCAN 0 MATCH {bad}")).is_err(), "{bad}");
        }
    }
}
