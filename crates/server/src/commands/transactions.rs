//! Refuses transactions, which are not served yet, and their commands.
//!
//! Clients send `MULTI`, its commands and `EXEC` in one packet. If the commands were executed after `MULTI` is refused, the
//! client would believe that they were not.

use rustvault_protocol::{Command, ErrorCode, ErrorReply, Reply, Request};

use super::{Answer, Refusal};
use crate::engine::Engine;
use crate::session::Session;

/// Checks whether a command may be executed inside a refused transaction.
#[cold]
pub(super) fn admit(command: Command) -> Result<(), Refusal> {
    let is_about_transactions = matches!(
        command,
        Command::Multi | Command::Exec | Command::Discard | Command::Watch | Command::Reset | Command::Quit
    );
    if is_about_transactions {
        return Ok(());
    }
    Err(refuse(
        "ERR not carried out: MULTI came before it and was refused, because transactions are not served yet; EXEC, DISCARD or \
        RESET ends that",
    ))
}

pub(super) fn multi<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    if session.is_in_refused_transaction {
        return Err(refuse("ERR MULTI calls can not be nested"));
    }
    session.is_in_refused_transaction = true;
    Err(refuse("ERR transactions are not served yet: nothing is carried out up to EXEC, DISCARD or RESET"))
}

pub(super) fn exec<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    if !std::mem::take(&mut session.is_in_refused_transaction) {
        return Err(refuse("ERR EXEC without MULTI"));
    }
    Err(refuse(
        "EXECABORT Transaction discarded because of previous errors: transactions are not served yet, and nothing of it was \
        carried out",
    ))
}

pub(super) fn discard<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    if !std::mem::take(&mut session.is_in_refused_transaction) {
        return Err(refuse("ERR DISCARD without MULTI"));
    }
    Ok(Reply::OK)
}

pub(super) fn watch<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    if session.is_in_refused_transaction {
        return Err(refuse("ERR WATCH inside MULTI is not allowed"));
    }
    Err(refuse("ERR transactions are not served yet: WATCH watches nothing"))
}

/// Accepts the command and does nothing: no keys are watched.
pub(super) fn unwatch<'b, S>(_: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(Reply::OK)
}

fn refuse(line: &'static str) -> Refusal {
    Box::new(ErrorReply::fixed(ErrorCode::UnknownCommand, line))
}
