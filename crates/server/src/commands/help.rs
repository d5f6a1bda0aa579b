//! `HELP`, made of the command table.

use rustvault_protocol::{Command, ErrorCode, Reply, Request};

use super::Answer;
use super::arguments::{refusal, syntax_error};
use super::reply::bulk;
use crate::engine::Engine;
use crate::session::Session;

/// Returns a line for each command, or all details of one.
pub(super) fn help<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let protocol = session.protocol();
    let Some(name) = request.arguments.first() else {
        let specs = Command::served_with_subcommands(protocol).map(Command::spec);
        let lines = specs.filter(|spec| !spec.is_container).map(|spec| bulk(spec.usage()));
        return Ok(Reply::Array(lines.collect()));
    };
    let command = Command::find(name, protocol).and_then(|command| match request.arguments.get(1) {
        Some(own) => command.find_subcommand(own, protocol),
        None => Some(command),
    });
    let Some(command) = command else {
        let problem = "there is no such command; HELP lists the commands";
        return Err(refusal(ErrorCode::UnknownCommand, problem));
    };
    let spec = command.spec();
    let mut lines = vec![
        bulk(spec.usage()),
        bulk(spec.summary),
        bulk(format!("complexity: {}", spec.complexity)),
        bulk(format!("since: {}", spec.since)),
    ];
    let subcommands = command.served_subcommands(protocol).map(Command::spec);
    lines.extend(subcommands.map(|spec| bulk(format!("see: {}", spec.usage()))));
    Ok(Reply::Array(lines))
}

/// Returns the subcommands of a container in Redis's form: a line with the syntax of each, and an indented line with its summary.
pub(super) fn subcommands<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let protocol = session.protocol();
    let Some(container) = request.command.spec().container() else { return Err(syntax_error()) };
    let mut lines = vec![format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    let command = Command::find(container.as_bytes(), protocol);
    let subcommands = command.into_iter().flat_map(|command| command.served_subcommands(protocol));
    for spec in subcommands.map(Command::spec) {
        lines.push(format!("{} {}", spec.own_name(), spec.syntax).trim_end().to_owned());
        lines.push(format!("    {}", spec.summary));
    }
    Ok(Reply::Array(lines.into_iter().map(bulk).collect()))
}
