//! Commands of transactions.

use super::command::Parsed;
use super::frame::Arguments;
use crate::{Limits, RespCommand, TransactionCommand};

pub(super) fn multi<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::Transaction(TransactionCommand::Multi))
}

pub(super) fn exec<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::Transaction(TransactionCommand::Exec))
}

pub(super) fn discard<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::Transaction(TransactionCommand::Discard))
}

pub(super) fn watch<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::Transaction(TransactionCommand::Watch))
}

pub(super) fn unwatch<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::Transaction(TransactionCommand::Unwatch))
}
