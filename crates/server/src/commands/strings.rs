//! Commands on values that are byte strings.

use rustvault_protocol::{ErrorCode, ErrorReply, Limits, Reply, Request};
use rustvault_storage::{Op, Outcome};

use super::arguments::syntax_error;
use super::reply::{Payload, integer, ok, unexpected, value};
use super::{Ask, Planned, Refusal, too_long};

pub(super) fn get<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Get { key: request.argument(0) }, value))
}

pub(super) fn set<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    match *request.arguments {
        [key, value] => {
            check_value(value, limits)?;
            Ok(Ask::One(Op::Set { key, value }, ok))
        }
        _ => Err(option_of_set(request.argument(2))),
    }
}

pub(super) fn mget<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::Values(request.arguments))
}

pub(super) fn mset<'b>(request: Request<'b>, limits: &Limits) -> Planned<'b> {
    let (pairs, _) = request.arguments.as_chunks();
    pairs.iter().try_for_each(|[_, value]| check_value(value, limits))?;
    Ok(Ask::One(Op::SetMany { pairs }, ok))
}

pub(super) fn strlen<'b>(request: Request<'b>, _: &Limits) -> Planned<'b> {
    Ok(Ask::One(Op::Get { key: request.argument(0) }, length))
}

fn length<'a>(outcome: Outcome, _: Request<'a>) -> Reply<Payload<'a>> {
    match outcome {
        Outcome::Value(value) => integer(value.map_or(0, |value| value.len())),
        _ => unexpected(),
    }
}

fn check_value(value: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let max_bytes = limits.max_value_bytes;
    if value.len() > max_bytes { Err(too_long("value", value.len(), max_bytes)) } else { Ok(()) }
}

/// Says of an option that Redis has what is missing here: a bare syntax error would send its user looking for a typo.
#[cold]
fn option_of_set(option: &[u8]) -> Refusal {
    let is_one_of = |names: &[&'static str]| {
        names.iter().copied().find(|name| option.eq_ignore_ascii_case(name.as_bytes()))
    };
    let problem = if let Some(name) = is_one_of(&["EX", "PX", "EXAT", "PXAT", "KEEPTTL"]) {
        format!("there is no expiry yet: SET does not take {name}, and nothing was stored")
    } else if let Some(name) = is_one_of(&["NX", "XX", "GET"]) {
        format!("SET does not take {name} yet, and nothing was stored")
    } else {
        return syntax_error();
    };
    Box::new(ErrorReply::new(ErrorCode::Syntax, problem))
}
