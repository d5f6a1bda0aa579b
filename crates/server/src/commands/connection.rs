//! Commands on the calling connection.

use rustvault_protocol::limits::MAX_CONNECTION_NAME_BYTES;
use rustvault_protocol::{ErrorCode, ErrorReply, Reply, Request, parse_integer};
use rustvault_users::DEFAULT_USER;

use super::arguments::{integer, refuse, refuse_word, syntax_error};
use super::reply::{Payload, borrowed, bulk};
use super::server::REDIS_VERSION;
use super::{Answer, Refusal};
use crate::closing::CloseReason;
use crate::engine::Engine;
use crate::login::LoginError;
use crate::respond::Responder;
use crate::session::{ReplyMode, Session};

pub(super) fn ping<'b, S>(request: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(request.arguments.first().map_or(Reply::simple("PONG"), |message| borrowed(message)))
}

pub(super) fn echo<'b, S>(request: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(borrowed(request.argument(0)))
}

/// Accepts database 0, the only one, and changes nothing.
pub(super) fn select<'b, S>(request: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    match integer("index", request.argument(0))? {
        0 => Ok(Reply::OK),
        number if i32::try_from(number).is_ok() => Err(refuse("ERR DB index is out of range")),
        _ => Err(refuse("ERR value is out of range, value must between -2147483648 and 2147483647")),
    }
}

/// Handles a container command without a subcommand. Unreachable, because the arity check refuses it first.
pub(super) fn no_subcommand<'b, S>(_: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Err(syntax_error())
}

pub(super) fn get_name<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let name = session.client.names().name;
    Ok(if name.is_empty() { Reply::Null } else { Reply::Bulk(Payload::Owned(name)) })
}

pub(super) fn id<'b, S>(_: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    Ok(super::reply::integer(session.client.id))
}

pub(super) fn set_info<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let (attribute, value) = (request.argument(0), request.argument(1));
    let is = |name: &[u8]| attribute.eq_ignore_ascii_case(name);
    if !is(b"LIB-NAME") && !is(b"LIB-VER") {
        return Err(refuse_word("Unrecognized option", attribute));
    }
    if value.len() > MAX_CONNECTION_NAME_BYTES || !value.iter().all(u8::is_ascii_graphic) {
        let attribute = attribute.to_ascii_lowercase();
        let line = [b"ERR ", &attribute[..], b" cannot contain spaces, newlines or special characters."];
        return Err(Box::new(ErrorReply::with_bytes(ErrorCode::Syntax, line.concat())));
    }
    session.client.set_names(|names| {
        let part = if is(b"LIB-NAME") { &mut names.library_name } else { &mut names.library_version };
        *part = value.to_vec();
    });
    Ok(Reply::OK)
}

pub(super) fn set_name<'b, S>(request: Request<'b>, session: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let name = connection_name(request.argument(0))?.to_vec();
    session.client.set_names(|names| names.name = name);
    Ok(Reply::OK)
}

fn connection_name(name: &[u8]) -> Result<&[u8], Refusal> {
    if name.len() > MAX_CONNECTION_NAME_BYTES {
        return Err(refuse("ERR Client names have at most 1024 bytes."));
    }
    if name.iter().all(u8::is_ascii_graphic) {
        return Ok(name);
    }
    Err(refuse("ERR Client names cannot contain spaces, newlines or special characters."))
}

/// Changes the protocol version. It ends its batch, so that later requests are answered in the new version.
///
/// All arguments are checked, then the login, and only then the session is changed.
pub(super) async fn hello<S>(responder: &mut Responder<'_, S>, request: Request<'_>) -> Answer<'static> {
    let greeting = Greeting::of(request)?;
    match greeting.login {
        Some((user, secret)) => log_in(responder, Some(user), secret).await?,
        None if responder.session.must_log_in() => return Err(hello_before_login()),
        None => {}
    }
    Ok(greeting.obey(responder.session))
}

/// Arguments of `HELLO`.
#[derive(Debug)]
struct Greeting<'a> {
    is_resp3: Option<bool>,
    login: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Greeting<'a> {
    fn of(request: Request<'a>) -> Result<Self, Refusal> {
        let mut arguments = request.arguments.iter().copied();
        let is_resp3 = arguments.next().map(is_resp3).transpose()?;
        let mut greeting = Self { is_resp3, login: None, name: None };
        while let Some(option) = arguments.next() {
            match option.to_ascii_uppercase().as_slice() {
                b"AUTH" if arguments.len() >= 2 => greeting.login = arguments.next().zip(arguments.next()),
                b"SETNAME" if arguments.len() >= 1 => {
                    greeting.name = arguments.next().map(connection_name).transpose()?;
                }
                _ => return Err(refuse_word("Syntax error in HELLO option", option)),
            }
        }
        Ok(greeting)
    }

    fn obey(self, session: &mut Session) -> Reply<Payload<'static>> {
        if let Some(name) = self.name {
            session.client.set_names(|names| names.name = name.to_vec());
        }
        session.is_resp3 = self.is_resp3.unwrap_or(session.is_resp3);
        properties(session)
    }
}

/// Refuses a greeting without a login, with Redis's sentence.
#[cold]
fn hello_before_login() -> Refusal {
    Box::new(ErrorReply::fixed(
        ErrorCode::AuthRequired,
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
        option can be used to authenticate the client and select the RESP protocol version at the same time",
    ))
}

fn is_resp3(version: &[u8]) -> Result<bool, Refusal> {
    match parse_integer(version) {
        Some(2) => Ok(false),
        Some(3) => Ok(true),
        Some(_) => Err(refuse("NOPROTO unsupported protocol version")),
        None => Err(refuse("ERR Protocol version is not an integer or out of range")),
    }
}

fn properties(session: &Session) -> Reply<Payload<'static>> {
    let properties = [
        ("server", bulk("rustvault")),
        ("version", bulk(REDIS_VERSION)),
        ("proto", Reply::Integer(if session.is_resp3 { 3 } else { 2 })),
        ("id", super::reply::integer(session.client.id)),
        ("mode", bulk("standalone")),
        ("role", bulk("master")),
        ("modules", Reply::Array(Vec::new())),
    ];
    Reply::Map(properties.into_iter().map(|(name, value)| (borrowed(name.as_bytes()), value)).collect())
}

/// Logs in. It ends its batch, so that later requests are checked for the new user.
pub(super) async fn auth<S>(responder: &mut Responder<'_, S>, request: Request<'_>) -> Answer<'static> {
    match *request.arguments {
        [user, secret] => log_in(responder, Some(user), secret).await?,
        [secret] => log_in(responder, None, secret).await?,
        _ => return Err(syntax_error()),
    }
    Ok(Reply::OK)
}

/// Makes the client a user, or leaves it what it was.
async fn log_in<S>(
    responder: &mut Responder<'_, S>,
    user: Option<&[u8]>,
    secret: &[u8],
) -> Result<(), Refusal> {
    let (engine, session) = (responder.engine, &mut *responder.session);
    if engine.access.load().is_none() {
        return log_in_without_users(user);
    }
    let claim = (user.unwrap_or(DEFAULT_USER.as_bytes()), secret);
    let user = engine.logins.verify(&engine.access, &session.client, claim, responder.stopping).await?;
    session.log_in(user);
    Ok(())
}

/// Checks the user's name: only `default` exists, without a password, as in a Redis without `requirepass`.
fn log_in_without_users(user: Option<&[u8]>) -> Result<(), Refusal> {
    match user {
        Some(user) if user == DEFAULT_USER.as_bytes() => Ok(()),
        Some(_) => Err(LoginError::Wrong.into()),
        None => Err(Box::new(ErrorReply::fixed(
            ErrorCode::Denied,
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
            configuration is correct?",
        ))),
    }
}

pub(super) async fn quit<S>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    responder.closing = Some(CloseReason::Quit.into());
    Ok(Reply::OK)
}

pub(super) async fn reset<S>(responder: &mut Responder<'_, S>) -> Answer<'static> {
    // Answered even if the reply mode is off.
    responder.is_muted = false;
    let session = &mut *responder.session;
    (session.is_resp3, session.is_in_refused_transaction) = (false, false);
    session.reply_mode = ReplyMode::On;
    session.log_out();
    session.client.set_names(|names| names.name.clear());
    Ok(Reply::simple("RESET"))
}

#[cfg(test)]
mod tests {
    use rustvault_protocol::Command;

    use super::*;

    fn hello_of(line: &str, session: &mut Session) -> Result<(), String> {
        let words: Vec<_> = line.split(' ').skip(1).map(str::as_bytes).collect();
        let greeting = Greeting::of(Request { command: Command::Hello, arguments: &words });
        greeting
            .map(|greeting| drop(greeting.obey(session)))
            .map_err(|refusal| String::from_utf8_lossy(refusal.line()).into_owned())
    }

    #[test]
    fn hello_takes_version_login_and_name_or_changes_nothing() {
        let mut session = Session::for_tests();
        assert_eq!(hello_of("HELLO", &mut session), Ok(()));
        assert!(!session.is_resp3);
        for (line, error) in [
            ("HELLO 4", "NOPROTO unsupported protocol version"),
            ("HELLO SETNAME n", "ERR Protocol version is not an integer or out of range"),
            ("HELLO 3 AUTH u", "ERR Syntax error in HELLO option 'AUTH'"),
            ("HELLO 3 SETNAME", "ERR Syntax error in HELLO option 'SETNAME'"),
            ("HELLO 3 SETNAME n foo", "ERR Syntax error in HELLO option 'foo'"),
        ] {
            assert_eq!(hello_of(line, &mut session), Err(error.to_owned()), "{line}");
            assert!(!session.is_resp3 && session.client.names().name.is_empty(), "{line}");
        }
        assert_eq!(hello_of("HELLO 3 auth default p setname n", &mut session), Ok(()));
        assert_eq!((session.is_resp3, session.client.names().name.as_slice()), (true, &b"n"[..]));
        assert_eq!(hello_of("HELLO", &mut session), Ok(()));
        assert!(session.is_resp3);
    }

    #[test]
    fn a_connections_name_is_printable() {
        assert!(connection_name(b"a!~").is_ok());
        assert!(connection_name(b"").is_ok());
        for bad in [&b"a b"[..], b"\n", b"\x7f", b"\x80", &[b'x'; MAX_CONNECTION_NAME_BYTES + 1]] {
            assert!(connection_name(bad).is_err());
        }
    }
}
