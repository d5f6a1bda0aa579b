//! Commands on the slow log.

use std::sync::Arc;

use rustvault_protocol::{Reply, Request, parse_integer};

use super::Answer;
use super::arguments::refuse;
use super::reply::{Payload, bulk, integer};
use crate::engine::Engine;
use crate::session::Session;
use crate::slow_log::SlowCommand;

/// Commands that `SLOWLOG GET` returns if it is not told how many, as in Redis.
const DEFAULT_COUNT: usize = 10;

/// Returns the newest slow commands. The slow log bounds their bytes.
pub(super) fn get<'b, S>(request: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    let limit = match request.arguments.first() {
        None => DEFAULT_COUNT,
        Some(count) => match parse_integer(count) {
            Some(-1) => usize::MAX,
            Some(count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => return Err(refuse("ERR count should be greater than or equal to -1")),
        },
    };
    Ok(Reply::Array(engine.slow_log.newest(limit).iter().map(entry).collect()))
}

/// Returns an entry in Redis's form.
fn entry<'b>(command: &Arc<SlowCommand>) -> Reply<Payload<'b>> {
    let owned = |bytes: &[u8]| Reply::Bulk(Payload::Owned(bytes.to_vec()));
    Reply::Array(vec![
        integer(command.id),
        integer(command.unix_seconds),
        integer(command.duration.as_micros()),
        Reply::Array(command.words.iter().map(|word| owned(word)).collect()),
        bulk(command.peer.as_str()),
        owned(&command.client_name),
    ])
}

pub(super) fn len<'b, S>(_: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    Ok(integer(engine.slow_log.len()))
}

pub(super) fn reset<'b, S>(_: Request<'b>, _: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    engine.slow_log.clear();
    Ok(Reply::OK)
}
