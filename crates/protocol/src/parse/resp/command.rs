//! From a name to its command.

use std::ops::RangeInclusive;

use super::fault::Refusal;
use super::frame::Arguments;
use super::{keyspace, session, transaction};
use crate::parse::is_word_of_http;
use crate::{Limits, RespCommand, RespValue};

/// A command or subcommand that is served.
pub(super) struct Spec {
    /// In lower case; `client|id` for a subcommand.
    pub(super) name: &'static str,
    /// How many arguments may follow the name.
    pub(super) arguments: RangeInclusive<usize>,
    pub(super) parse: Parse,
}

pub(super) type Parse = for<'a> fn(Arguments<'a>, &Limits) -> Parsed<'a>;

pub(super) type Parsed<'a> = Result<RespCommand<'a>, Refusal>;

/// How many arguments a command takes that has no upper limit of its own.
pub(super) const ANY: usize = usize::MAX;

pub(super) const fn spec(name: &'static str, arguments: RangeInclusive<usize>, parse: Parse) -> Spec {
    Spec { name, arguments, parse }
}

/// Looked through from the front, so the frequent ones come first.
pub(super) static COMMANDS: [Spec; 30] = [
    spec("get", 1..=1, keyspace::get),
    spec("set", 2..=ANY, keyspace::set),
    spec("mget", 1..=ANY, keyspace::mget),
    spec("mset", 2..=ANY, keyspace::mset),
    spec("del", 1..=ANY, keyspace::del),
    spec("exists", 1..=ANY, keyspace::exists),
    spec("strlen", 1..=1, keyspace::strlen),
    spec("type", 1..=1, keyspace::key_type),
    spec("scan", 1..=ANY, keyspace::scan),
    spec("keys", 1..=1, keyspace::keys),
    spec("dbsize", 0..=0, keyspace::dbsize),
    spec("flushall", 0..=ANY, keyspace::flush),
    spec("flushdb", 0..=ANY, keyspace::flush),
    spec("info", 0..=ANY, keyspace::info),
    spec("bgrewriteaof", 0..=0, keyspace::rewrite),
    spec("ping", 0..=1, session::ping),
    spec("echo", 1..=1, session::echo),
    spec("hello", 0..=ANY, session::hello),
    spec("auth", 1..=ANY, session::auth),
    spec("select", 1..=1, session::select),
    spec("client", 1..=ANY, session::client),
    spec("command", 0..=ANY, session::command),
    spec("config", 1..=ANY, session::config),
    spec("quit", 0..=ANY, session::quit),
    spec("reset", 0..=0, session::reset),
    spec("multi", 0..=0, transaction::multi),
    spec("exec", 0..=0, transaction::exec),
    spec("discard", 0..=0, transaction::discard),
    spec("watch", 1..=ANY, transaction::watch),
    spec("unwatch", 0..=0, transaction::unwatch),
];

const HTTP: &[u8] = b"ERR this is a request of HTTP, which is not spoken here; the connection is closed";

/// What a command asks for, or the error that it is answered with.
pub(super) fn parse<'a>(mut arguments: Arguments<'a>, limits: &Limits) -> RespCommand<'a> {
    let name = arguments.next().unwrap_or_default();
    let parsed = match find(&COMMANDS, |spec| spec.name, name) {
        Some(spec) => call(spec, arguments, limits),
        None if is_word_of_http(name) => Ok(RespCommand::Foreign { message: HTTP }),
        None => Err(Refusal::unknown_command(name, arguments)),
    };
    parsed.unwrap_or_else(|Refusal(line)| RespCommand::Answered(RespValue::Error(line)))
}

/// The same for the subcommands of `command`.
pub(super) fn parse_subcommand<'a>(
    command: &'static str,
    subcommands: &'static [Spec],
    mut arguments: Arguments<'a>,
    limits: &Limits,
) -> Parsed<'a> {
    let name = arguments.next().unwrap_or_default();
    let last_part = |spec: &Spec| spec.name.split_once('|').map_or(spec.name, |(_, last)| last);
    match find(subcommands, last_part, name) {
        Some(spec) => call(spec, arguments, limits),
        None => Err(Refusal::unknown_subcommand(command, name)),
    }
}

fn find<'s>(specs: &'s [Spec], called: impl Fn(&'s Spec) -> &'s str, name: &[u8]) -> Option<&'s Spec> {
    specs.iter().find(|spec| called(spec).as_bytes().eq_ignore_ascii_case(name))
}

fn call<'a>(spec: &Spec, arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    if !spec.arguments.contains(&arguments.len()) {
        return Err(Refusal::wrong_number_of_arguments(spec.name));
    }
    (spec.parse)(arguments, limits)
}

#[cfg(test)]
mod tests {
    use super::super::support::{error, error_of, parse, parse_arguments};
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_only_whole() {
        assert_eq!(parse("get k"), parse("gEt k"));
        for other in ["GE", "GETS", "GET\0", "", "client|id"] {
            let shown = other.trim_end_matches('\0');
            let expected = format!("ERR unknown command '{shown}', with args beginning with: ");
            assert_eq!(error(other), expected);
        }
    }

    #[test]
    fn an_unknown_command_is_shown_as_redis_does() {
        let shown = |name: &str, arguments: &str| {
            format!("ERR unknown command '{name}', with args beginning with: {arguments}")
        };
        assert_eq!(error("FOO a b"), shown("FOO", "'a' 'b' "));
        let arguments = [&b"f\xff\0x"[..], b"\r\n", b""];
        assert_eq!(error_of(parse_arguments(&arguments)), shown("f\\xff", "'\\r\\n' '' "));
        let long = format!("{} {} {} z", "f".repeat(200), "x".repeat(100), "y".repeat(100));
        let arguments = format!("'{}' '{}' ", "x".repeat(100), "y".repeat(25));
        assert_eq!(error(&long), shown(&"f".repeat(128), &arguments));
    }

    #[test]
    fn each_command_takes_so_many_arguments() {
        for spec in &COMMANDS {
            let (least, most) = (*spec.arguments.start(), *spec.arguments.end());
            let wrong = format!("ERR wrong number of arguments for '{}' command", spec.name);
            if let Some(too_few) = least.checked_sub(1) {
                assert_eq!(error(&format!("{}{}", spec.name, " a".repeat(too_few))), wrong);
            }
            if most < ANY {
                assert_eq!(error(&format!("{}{}", spec.name, " a".repeat(most + 1))), wrong);
            }
        }
    }

    #[test]
    fn subcommands_have_errors_of_their_own() {
        let wrong = |name: &str| format!("ERR wrong number of arguments for '{name}' command");
        assert_eq!(error("CLIENT id x"), wrong("client|id"));
        assert_eq!(error("CLIENT SETNAME"), wrong("client|setname"));
        assert_eq!(error("CLIENT SETINFO LIB-NAME"), wrong("client|setinfo"));
        assert_eq!(error("COMMAND COUNT x"), wrong("command|count"));
        assert_eq!(error("CONFIG GET"), wrong("config|get"));
        assert_eq!(error("CLIENT Foo bar"), "ERR unknown subcommand 'Foo'. Try CLIENT HELP.");
        assert_eq!(error("CONFIG SET a b"), "ERR unknown subcommand 'SET'. Try CONFIG HELP.");
    }
}
