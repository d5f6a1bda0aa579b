//! Refuses transactions, which are not served yet, with all that belongs to them.

use rustvault_protocol::{Command, RespValue, SessionCommand, TransactionCommand};

use super::Incoming;

const NOT_SERVED: &str =
    "ERR transactions are not served yet: nothing is carried out up to EXEC, DISCARD or RESET";
const NOT_CARRIED_OUT: &str = "ERR not carried out: MULTI came before it and was refused, because transactions are not \
    served yet; EXEC, DISCARD or RESET ends that";
const ABORTED: &str = "EXECABORT Transaction discarded because of previous errors: transactions are not served yet, and \
    nothing of it was carried out";

/// The transaction of a connection that was refused and has not ended.
///
/// Clients send `MULTI`, its commands and `EXEC` in one packet. Carrying out those commands after refusing `MULTI`
/// would report a failure that has happened.
#[derive(Debug, Default)]
pub(super) struct Refused {
    is_open: bool,
}

impl Refused {
    /// Answers a command of transactions, in Redis's words where it has some.
    pub(super) fn answer(&mut self, command: TransactionCommand) -> RespValue<'static> {
        let was_open = self.is_open;
        match (command, was_open) {
            (TransactionCommand::Multi, false) => {
                self.is_open = true;
                error(NOT_SERVED)
            }
            (TransactionCommand::Multi, true) => error("ERR MULTI calls can not be nested"),
            (TransactionCommand::Exec, true) => {
                self.is_open = false;
                error(ABORTED)
            }
            (TransactionCommand::Exec, false) => error("ERR EXEC without MULTI"),
            (TransactionCommand::Discard, true) => {
                self.is_open = false;
                RespValue::Status("OK")
            }
            (TransactionCommand::Discard, false) => error("ERR DISCARD without MULTI"),
            (TransactionCommand::Watch, true) => error("ERR WATCH inside MULTI is not allowed"),
            (TransactionCommand::Watch, false) => {
                error("ERR transactions are not served yet: WATCH watches nothing")
            }
            // Nothing is watched, so there is nothing to do.
            (TransactionCommand::Unwatch, false) => RespValue::Status("OK"),
            _ => error(NOT_CARRIED_OUT),
        }
    }

    /// Returns whether a transaction was begun, whose commands are refused.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Refuses a request as a part of the transaction. `RESET` ends that, `QUIT` the connection.
    #[cold]
    pub(super) fn refuse<'a>(&mut self, incoming: Incoming<'a>) -> Incoming<'a> {
        match incoming {
            Incoming::Session(SessionCommand::Reset) => {
                self.is_open = false;
                incoming
            }
            Incoming::One(Command::Quit, _) | Incoming::Answered(RespValue::Error(_)) => incoming,
            _ => Incoming::Answered(error(NOT_CARRIED_OUT)),
        }
    }
}

fn error(message: &'static str) -> RespValue<'static> {
    RespValue::Error(message.as_bytes().into())
}
