//! Commands on values that are byte strings.

use std::ops::Range;

use rustvault_protocol::{ErrorCode, Limits, Reply, Request, parse_integer};
use rustvault_storage::batch::{Condition, Op, Outcome, Pair, StringUpdate};

use super::arguments::{float, integer as integer_argument, refusal, refuse, syntax_error};
use super::reply::{self, Payload, borrowed, bulk, integer, number, ok, unexpected};
use super::{Ask, Many, Planned, Refusal, ReplyTo, check_len, too_long};

pub(super) fn get<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Get { key: request.argument(0) }, reply::value))
}

pub(super) fn set<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    let [key, value, ref options @ ..] = *request.arguments else { return Err(syntax_error()) };
    check_value(value, limits)?;
    if options.is_empty() {
        return Ok(Ask::One(Op::Set { key, value }, ok));
    }
    let (condition, returns_old) = options_of_set(options)?;
    Ok(if returns_old {
        update(key, StringUpdate::Swap { value, condition }, reply::value)
    } else {
        update(key, StringUpdate::SetIf { value, condition }, ok)
    })
}

/// Returns whether a `SET` with these arguments returns the old value, which takes the right to read it.
pub(super) fn set_returns_old(arguments: &[&[u8]]) -> bool {
    arguments.iter().skip(2).any(|option| option.eq_ignore_ascii_case(b"GET"))
}

/// Reads `[NX | XX] [GET]`, in any order.
fn options_of_set(options: &[&[u8]]) -> Result<(Condition, bool), Refusal> {
    let (mut condition, mut returns_old) = (Condition::Always, false);
    for &option in options {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        let new = match condition {
            _ if is("GET") => {
                returns_old = true;
                continue;
            }
            Condition::Always | Condition::IfNew if is("NX") => Condition::IfNew,
            Condition::Always | Condition::IfPresent if is("XX") => Condition::IfPresent,
            _ => return Err(unknown_option_of_set(option)),
        };
        condition = new;
    }
    Ok((condition, returns_old))
}

pub(super) fn set_nx<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    let value = request.argument(1);
    check_value(value, limits)?;
    Ok(update(request.argument(0), StringUpdate::SetIf { value, condition: Condition::IfNew }, number))
}

pub(super) fn get_set<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    let value = request.argument(1);
    check_value(value, limits)?;
    let swap = StringUpdate::Swap { value, condition: Condition::Always };
    Ok(update(request.argument(0), swap, reply::value))
}

pub(super) fn get_del<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(update(request.argument(0), StringUpdate::Take, reply::value))
}

pub(super) fn incr<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(update(request.argument(0), StringUpdate::Add(1), number))
}

pub(super) fn decr<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(update(request.argument(0), StringUpdate::Add(-1), number))
}

pub(super) fn incr_by<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    let by = integer_argument("increment", request.argument(1))?;
    Ok(update(request.argument(0), StringUpdate::Add(by), number))
}

pub(super) fn decr_by<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    let by = integer_argument("decrement", request.argument(1))?.checked_neg();
    let by = by.ok_or_else(|| refusal(ErrorCode::OutOfRange, "decrement would overflow"))?;
    Ok(update(request.argument(0), StringUpdate::Add(by), number))
}

pub(super) fn incr_by_float<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    let add = StringUpdate::AddDecimal(float("increment", request.argument(1))?);
    Ok(update(request.argument(0), add, |outcome, _| match outcome {
        Outcome::Text(sum) => bulk(sum),
        _ => unexpected().into(),
    }))
}

pub(super) fn append<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    check_value(request.argument(1), limits)?;
    Ok(update(request.argument(0), StringUpdate::Append(request.argument(1)), number))
}

pub(super) fn set_range<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    let (offset, bytes) = (integer_argument("offset", request.argument(1))?, request.argument(2));
    let offset = usize::try_from(offset).map_err(|_| refuse("ERR offset is out of range"))?;
    check_value(bytes, limits)?;
    let end = offset.saturating_add(bytes.len());
    if !bytes.is_empty() && end > limits.max_value_bytes {
        return Err(too_long("value", end, limits.max_value_bytes));
    }
    Ok(update(request.argument(0), StringUpdate::SetRange { offset, bytes }, number))
}

pub(super) fn mset_nx<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::SetManyIfNew { pairs: pairs(request, limits)? }, number))
}

const fn update<'b>(key: &'b [u8], update: StringUpdate<'b>, reply: ReplyTo) -> Ask<'b> {
    Ask::One(Op::Update { key, update }, reply)
}

pub(super) fn mget<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::Many(Many::Values(request.arguments)))
}

pub(super) fn mset<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::SetMany { pairs: pairs(request, limits)? }, ok))
}

fn pairs<'b>(request: Request<'b>, limits: &Limits) -> Result<&'b [Pair<'b>], Refusal> {
    let (pairs, _) = request.arguments.as_chunks();
    pairs.iter().try_for_each(|[_, value]| check_value(value, limits))?;
    Ok(pairs)
}

pub(super) fn strlen<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Get { key: request.argument(0) }, |outcome, _| match outcome {
        Outcome::Value(value) => integer(value.map_or(0, |value| value.len())),
        _ => unexpected().into(),
    }))
}

pub(super) fn get_range<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    integer_argument("start", request.argument(1))?;
    integer_argument("end", request.argument(2))?;
    Ok(Ask::One(Op::Get { key: request.argument(0) }, part))
}

fn part<'a>(outcome: Outcome, request: Request<'a>) -> Reply<Payload<'a>> {
    let position = |argument| parse_integer(request.argument(argument)).unwrap_or_default();
    match outcome {
        Outcome::Value(None) => borrowed(b""),
        Outcome::Value(Some(value)) => {
            let range = range_of(position(1), position(2), value.len());
            Reply::Bulk(Payload::Part(value, range))
        }
        _ => unexpected().into(),
    }
}

/// Returns the range from `start` to `end`, both included; negative positions count from the end of `len` bytes.
fn range_of(start: i64, end: i64, len: usize) -> Range<u32> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front =
        |position: i64| if position < 0 { position.saturating_add(len).max(0) } else { position };
    // Of two positions before the first byte, Redis returns nothing in descending order, and the first byte in ascending order.
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let (start, end) = (from_front(start), from_front(end).saturating_add(1).min(len));
    let number = |position: i64| u32::try_from(position).unwrap_or(u32::MAX);
    if start < end { number(start)..number(end) } else { 0..0 }
}

pub(super) fn encoding<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Get { key: request.argument(0) }, |outcome, _| match outcome {
        Outcome::Value(Some(value)) => borrowed(encoding_of(&value).as_bytes()),
        Outcome::Value(None) => Reply::Null,
        _ => unexpected().into(),
    }))
}

/// Returns the encoding in which Redis would store a value.
fn encoding_of(value: &[u8]) -> &'static str {
    /// Longest value that Redis stores in one allocation with its header (`OBJ_ENCODING_EMBSTR_SIZE_LIMIT`).
    const MAX_EMBEDDED_BYTES: usize = 44;
    if parse_integer(value).is_some() {
        "int"
    } else if value.len() <= MAX_EMBEDDED_BYTES {
        "embstr"
    } else {
        "raw"
    }
}

/// Returns the memory of a key and its value. `SAMPLES` has no effect, because strings have no elements to sample.
pub(super) fn memory_usage<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    match *request.arguments {
        [_] => {}
        [_, option, samples] if option.eq_ignore_ascii_case(b"SAMPLES") => {
            if integer_argument("count", samples)? < 0 {
                return Err(syntax_error());
            }
        }
        _ => return Err(syntax_error()),
    }
    Ok(Ask::One(Op::Get { key: request.argument(0) }, |outcome, _| match outcome {
        Outcome::Value(Some(value)) => integer(value.memory_bytes()),
        Outcome::Value(None) => Reply::Null,
        _ => unexpected().into(),
    }))
}

fn check_value(value: &[u8], limits: &Limits) -> Result<(), Refusal> {
    check_len("value", value, limits.max_value_bytes)
}

/// Returns the error for an option of Redis that is not served. A bare syntax error would make its user look for a typo.
#[cold]
fn unknown_option_of_set(option: &[u8]) -> Refusal {
    let expiry = ["EX", "PX", "EXAT", "PXAT", "KEEPTTL"];
    match expiry.into_iter().find(|name| option.eq_ignore_ascii_case(name.as_bytes())) {
        Some(name) => refusal(
            ErrorCode::Syntax,
            format_args!("there is no expiry yet: SET does not take {name}, and nothing was stored"),
        ),
        None => syntax_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_redis_takes_it_for() {
        let part = |start, end| {
            let range = range_of(start, end, 5);
            "hello".get(range.start as usize..range.end as usize).unwrap()
        };
        for (start, end, expected) in [
            (0, 0, "h"),
            (0, -1, "hello"),
            (1, 3, "ell"),
            (-3, -2, "ll"),
            (-100, 1, "he"),
            (3, 100, "lo"),
            (i64::MIN, i64::MAX, "hello"),
            (3, 2, ""),
            (5, 9, ""),
            (-1, -3, ""),
            (-8, -9, ""),
            (-9, -8, "h"),
            (i64::MAX, i64::MIN, ""),
        ] {
            assert_eq!(part(start, end), expected, "{start} {end}");
        }
        assert_eq!(range_of(0, -1, 0), 0..0);
    }

    #[test]
    fn an_encoding_is_what_redis_would_choose() {
        for (value, expected) in [
            ("1", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "embstr"),
            ("01", "embstr"),
            ("", "embstr"),
        ] {
            assert_eq!(encoding_of(value.as_bytes()), expected, "{value}");
        }
        assert_eq!((encoding_of(&[b'x'; 44]), encoding_of(&[b'x'; 45])), ("embstr", "raw"));
    }
}
