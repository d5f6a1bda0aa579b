//! Commands on the connection.

use super::command::{ANY, COMMANDS, Parsed, Spec, parse_subcommand, spec};
use super::fault::Refusal;
use super::frame::Arguments;
use super::number::integer;
use crate::limits::{MAX_CONNECTION_NAME_BYTES, MAX_GLOB_BYTES, MAX_GLOBS_BYTES};
use crate::{Command, Credentials, Limits, RespCommand, RespValue, RespVersion, SessionCommand, Shape};

pub(super) fn ping<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(match arguments.next() {
        None => RespCommand::One { request: Command::Ping, shape: Shape::Plain },
        Some(message) => RespCommand::Answered(RespValue::Bulk(message.into())),
    })
}

pub(super) fn echo<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    answered(RespValue::Bulk(arguments.next().unwrap_or_default().into()))
}

pub(super) fn hello<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let version = arguments.next().map(version).transpose()?;
    let (mut credentials, mut name) = (None, None);
    while let Some(option) = arguments.next() {
        if option.eq_ignore_ascii_case(b"AUTH") && arguments.len() >= 2 {
            let user = arguments.next();
            credentials = Some(Credentials { user, password: arguments.next().unwrap_or_default() });
        } else if option.eq_ignore_ascii_case(b"SETNAME") && arguments.len() >= 1 {
            name = Some(connection_name(arguments.next().unwrap_or_default())?);
        } else {
            return Err(Refusal::hello_option(option));
        }
    }
    Ok(RespCommand::Session(SessionCommand::Hello { version, credentials, name }))
}

pub(super) fn auth<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let credentials = match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(password), None, _) => Credentials { user: None, password },
        (user, Some(password), None) => Credentials { user, password },
        _ => return Err(Refusal::SYNTAX),
    };
    Ok(RespCommand::Session(SessionCommand::Auth(credentials)))
}

/// There is one database, so choosing it changes nothing.
pub(super) fn select<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    match integer(arguments.next().unwrap_or_default()) {
        None => Err(Refusal::NOT_AN_INTEGER),
        Some(0) => answered(RespValue::Status("OK")),
        Some(number) if i32::try_from(number).is_ok() => Err(Refusal::fixed("ERR DB index is out of range")),
        Some(_) => {
            Err(Refusal::fixed("ERR value is out of range, value must between -2147483648 and 2147483647"))
        }
    }
}

pub(super) fn client<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    static SUBCOMMANDS: [Spec; 4] = [
        spec("client|setname", 1..=1, set_name),
        spec("client|getname", 0..=0, |_, _| Ok(RespCommand::Session(SessionCommand::GetName))),
        spec("client|id", 0..=0, |_, _| Ok(RespCommand::Session(SessionCommand::Id))),
        spec("client|setinfo", 2..=2, set_info),
    ];
    parse_subcommand("client", &SUBCOMMANDS, arguments, limits)
}

/// Clients that ask do without what the answers leave out.
pub(super) fn command<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    static SUBCOMMANDS: [Spec; 2] = [
        spec("command|count", 0..=0, |_, _| answered(RespValue::Integer(COMMANDS.len() as i64))),
        spec("command|docs", 0..=ANY, |_, _| answered(RespValue::Map(Vec::new()))),
    ];
    if arguments.len() == 0 {
        return answered(RespValue::Array(Vec::new()));
    }
    parse_subcommand("command", &SUBCOMMANDS, arguments, limits)
}

pub(super) fn config<'a>(arguments: Arguments<'a>, limits: &Limits) -> Parsed<'a> {
    static SUBCOMMANDS: [Spec; 1] = [spec("config|get", 1..=ANY, config_get)];
    parse_subcommand("config", &SUBCOMMANDS, arguments, limits)
}

pub(super) fn quit<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::One { request: Command::Quit, shape: Shape::Plain })
}

pub(super) fn reset<'a>(_: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    Ok(RespCommand::Session(SessionCommand::Reset))
}

fn config_get<'a>(arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let patterns: Vec<_> = arguments.collect();
    if let Some(pattern) = patterns.iter().find(|pattern| pattern.len() > MAX_GLOB_BYTES) {
        return Err(Refusal::glob_too_long(pattern.len()));
    }
    let bytes = patterns.iter().map(|pattern| pattern.len() + 1).sum();
    if bytes > MAX_GLOBS_BYTES {
        return Err(Refusal::globs_too_long(bytes));
    }
    Ok(RespCommand::Session(SessionCommand::ConfigGet { patterns }))
}

fn set_name<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let name = connection_name(arguments.next().unwrap_or_default())?;
    Ok(RespCommand::Session(SessionCommand::SetName { name }))
}

/// A library's name and version are of no use here, but clients send them as they connect.
fn set_info<'a>(mut arguments: Arguments<'a>, _: &Limits) -> Parsed<'a> {
    let attribute = arguments.next().unwrap_or_default();
    if [b"LIB-NAME", &b"LIB-VER"[..]].iter().any(|known| attribute.eq_ignore_ascii_case(known)) {
        return answered(RespValue::Status("OK"));
    }
    Err(Refusal::unrecognized_option(attribute))
}

fn version(text: &[u8]) -> Result<RespVersion, Refusal> {
    match integer(text) {
        Some(2) => Ok(RespVersion::V2),
        Some(3) => Ok(RespVersion::V3),
        Some(_) => Err(Refusal::fixed("NOPROTO unsupported protocol version")),
        None => Err(Refusal::fixed("ERR Protocol version is not an integer or out of range")),
    }
}

fn connection_name(name: &[u8]) -> Result<&[u8], Refusal> {
    if name.len() > MAX_CONNECTION_NAME_BYTES {
        return Err(Refusal::fixed("ERR Client names have at most 1024 bytes."));
    }
    if name.iter().all(u8::is_ascii_graphic) {
        return Ok(name);
    }
    Err(Refusal::fixed("ERR Client names cannot contain spaces, newlines or special characters."))
}

fn answered<'a>(value: RespValue<'a>) -> Parsed<'a> {
    Ok(RespCommand::Answered(value))
}

#[cfg(test)]
mod tests {
    use super::super::support::{error, parse, parse_arguments};
    use super::*;

    fn session(command: SessionCommand<'_>) -> RespCommand<'_> {
        RespCommand::Session(command)
    }

    fn status_ok() -> RespCommand<'static> {
        RespCommand::Answered(RespValue::Status("OK"))
    }

    #[test]
    fn what_needs_nobody_is_answered_at_once() {
        let bulk = |bytes: &'static [u8]| RespCommand::Answered(RespValue::Bulk(bytes.into()));
        assert_eq!(parse("ECHO hi"), bulk(b"hi"));
        assert_eq!(parse("PING hi"), bulk(b"hi"));
        assert_eq!(parse("PING"), RespCommand::One { request: Command::Ping, shape: Shape::Plain });
        assert_eq!(parse("QUIT x"), RespCommand::One { request: Command::Quit, shape: Shape::Plain });
        assert_eq!(parse("SELECT 0"), status_ok());
        assert_eq!(parse("CLIENT SETINFO lib-ver 1"), status_ok());
        assert_eq!(parse("COMMAND"), RespCommand::Answered(RespValue::Array(vec![])));
        assert_eq!(parse("COMMAND DOCS get"), RespCommand::Answered(RespValue::Map(vec![])));
        assert_eq!(parse("COMMAND COUNT"), RespCommand::Answered(RespValue::Integer(30)));
    }

    #[test]
    fn hello_takes_version_login_and_name() {
        let hello =
            |version, credentials, name| session(SessionCommand::Hello { version, credentials, name });
        assert_eq!(parse("HELLO"), hello(None, None, None));
        assert_eq!(parse("HELLO 3"), hello(Some(RespVersion::V3), None, None));
        let credentials = Some(Credentials { user: Some(b"u"), password: b"p" });
        assert_eq!(
            parse("HELLO 2 auth u p setname n"),
            hello(Some(RespVersion::V2), credentials, Some(b"n"))
        );
        assert_eq!(error("HELLO 4"), "NOPROTO unsupported protocol version");
        assert_eq!(error("HELLO SETNAME n"), "ERR Protocol version is not an integer or out of range");
        assert_eq!(error("HELLO 3 AUTH u"), "ERR Syntax error in HELLO option 'AUTH'");
        assert_eq!(error("HELLO 3 SETNAME"), "ERR Syntax error in HELLO option 'SETNAME'");
        assert_eq!(error("HELLO 3 foo"), "ERR Syntax error in HELLO option 'foo'");
    }

    #[test]
    fn auth_takes_a_password_with_or_without_user() {
        let auth = |user, password| session(SessionCommand::Auth(Credentials { user, password }));
        assert_eq!(parse("AUTH p"), auth(None, b"p"));
        assert_eq!(parse("AUTH u p"), auth(Some(b"u"), b"p"));
        assert_eq!(error("AUTH u p x"), "ERR syntax error");
    }

    #[test]
    fn passwords_are_not_printed() {
        for line in ["AUTH u hunter2", "AUTH hunter2", "HELLO 3 AUTH u hunter2"] {
            let printed = format!("{:?}", parse(line));
            assert!(!printed.contains(&format!("{:?}", b"hunter2")), "{printed}");
        }
    }

    #[test]
    fn the_patterns_of_config_get_are_limited_together() {
        let ask = |patterns: usize| format!("CONFIG GET{}", " *a*".repeat(patterns));
        assert!(matches!(parse(&ask(256)), RespCommand::Session(SessionCommand::ConfigGet { .. })));
        let line = "ERR patterns of 1028 bytes, with spaces between them, are over the limit of 1024";
        assert_eq!(error(&ask(257)), line);
    }

    #[test]
    fn there_is_one_database() {
        assert_eq!(error("SELECT 1"), "ERR DB index is out of range");
        assert_eq!(error("SELECT -1"), "ERR DB index is out of range");
        assert_eq!(error("SELECT x"), "ERR value is not an integer or out of range");
        let too_large = "ERR value is out of range, value must between -2147483648 and 2147483647";
        assert_eq!(error("SELECT 2147483648"), too_large);
    }

    #[test]
    fn a_connections_name_is_printable() {
        assert_eq!(parse("CLIENT SETNAME a!~"), session(SessionCommand::SetName { name: b"a!~" }));
        assert_eq!(parse("CLIENT SETNAME "), session(SessionCommand::SetName { name: b"" }));
        for bad in [&b"a b"[..], b"\n", b"\x7f", b"\x80"] {
            let line = b"ERR Client names cannot contain spaces, newlines or special characters.";
            let refused = RespCommand::Answered(RespValue::Error(line.into()));
            assert_eq!(parse_arguments(&[b"CLIENT", b"SETNAME", bad]), refused);
        }
    }

    #[test]
    fn the_other_commands_on_the_connection() {
        assert_eq!(parse("CLIENT GETNAME"), session(SessionCommand::GetName));
        assert_eq!(parse("client id"), session(SessionCommand::Id));
        let patterns = vec![&b"save"[..], b"app*"];
        assert_eq!(parse("CONFIG GET save app*"), session(SessionCommand::ConfigGet { patterns }));
        assert_eq!(parse("RESET"), session(SessionCommand::Reset));
        assert_eq!(error("CLIENT SETINFO foo 1"), "ERR Unrecognized option 'foo'");
    }
}
