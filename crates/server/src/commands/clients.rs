//! Commands on the clients that are connected.

use std::fmt::Write;
use std::sync::Arc;

use rustvault_protocol::{ErrorCode, ErrorReply, Reply, Request, parse_integer};
use rustvault_storage::Store;

use super::arguments::{refuse, refuse_word, syntax_error};
use super::reply::{Payload, integer};
use super::{Answer, Answering, Refusal};
use crate::clients::{Client, Clients};
use crate::closing::CloseReason;
use crate::respond::Responder;
use crate::session::{Replies, Session};
use crate::shared::Shared;

/// The only user that there is.
const USER: &[u8] = b"default";

/// Types of clients that Redis knows; all of ours are the first.
const TYPES: [&[u8]; 5] = [b"normal", b"master", b"replica", b"slave", b"pubsub"];

pub(super) fn info<'b, S>(_: Request<'b>, session: &mut Session, _: &Shared<S>) -> Answer<'b> {
    Ok(Reply::Verbatim(Payload::Owned(line(&session.client).into_bytes())))
}

pub(super) fn list<'b, S>(request: Request<'b>, _: &mut Session, shared: &Shared<S>) -> Answer<'b> {
    let clients = match request.arguments {
        [] => shared.clients.all(),
        [option, kind] if option.eq_ignore_ascii_case(b"TYPE") => {
            if is_normal(kind)? {
                shared.clients.all()
            } else {
                Vec::new()
            }
        }
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
            let mut found = Vec::new();
            for id in ids {
                found.extend(shared.clients.get(client_id(id)?));
            }
            found
        }
        _ => return Err(syntax_error()),
    };
    let lines: String = clients.iter().map(|client| line(client)).collect();
    Ok(Reply::Verbatim(Payload::Owned(lines.into_bytes())))
}

/// Returns whether this is the type that all clients have.
fn is_normal(kind: &[u8]) -> Result<bool, Refusal> {
    match TYPES.iter().position(|known| known.eq_ignore_ascii_case(kind)) {
        Some(position) => Ok(position == 0),
        None => Err(refuse_word("Unknown client type", kind)),
    }
}

fn client_id(text: &[u8]) -> Result<u64, Refusal> {
    let id = parse_integer(text).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or_else(|| refuse("ERR Invalid client ID"))
}

/// Returns what is told of a client: the fields of Redis's line that mean something here.
fn line(client: &Client) -> String {
    let told = client.told();
    let (age, idle) = client.age_and_idle();
    let command = client.last_command().map_or("NULL".to_owned(), |command| command.name().to_lowercase());
    let mut line = format!("id={} addr={} laddr={}", client.id, client.peer, client.local);
    // Writing to a string does not fail.
    let _ = write!(line, " name={} age={age} idle={idle} flags=N db=0 multi=-1", printable(&told.name));
    let _ = write!(line, " cmd={command} user=default resp={}", client.resp_version());
    let (name, version) = (printable(&told.library_name), printable(&told.library_version));
    let _ = writeln!(line, " lib-name={name} lib-ver={version}");
    line
}

fn printable(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}

/// Whom a `CLIENT KILL` disconnects.
#[derive(Default)]
struct Filter<'r> {
    id: Option<u64>,
    peer: Option<&'r [u8]>,
    local: Option<&'r [u8]>,
    /// Whether the type and the user are those that all clients have.
    is_of_none: bool,
    min_age: Option<u32>,
    spares_oneself: bool,
}

impl<'r> Filter<'r> {
    fn parse(arguments: &[&'r [u8]]) -> Result<Self, Refusal> {
        let mut filter = Self { spares_oneself: true, ..Self::default() };
        let (options, rest) = arguments.as_chunks();
        if !rest.is_empty() {
            return Err(syntax_error());
        }
        for &[option, value] in options {
            let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
            if is(b"ID") {
                filter.id = Some(kill_id(value)?);
            } else if is(b"ADDR") {
                filter.peer = Some(value);
            } else if is(b"LADDR") {
                filter.local = Some(value);
            } else if is(b"TYPE") {
                filter.is_of_none |= !is_normal(value)?;
            } else if is(b"USER") {
                if value != USER {
                    return Err(no_user(value));
                }
            } else if is(b"MAXAGE") {
                filter.min_age = Some(max_age(value)?);
            } else if is(b"SKIPME") {
                filter.spares_oneself = yes_or_no(value)?;
            } else {
                return Err(syntax_error());
            }
        }
        Ok(filter)
    }

    fn takes(&self, client: &Client, own_id: u64) -> bool {
        let is = |wanted: Option<&[u8]>, addr: std::net::SocketAddr| {
            wanted.is_none_or(|wanted| addr.to_string().as_bytes() == wanted)
        };
        !self.is_of_none
            && self.id.is_none_or(|id| id == client.id)
            && is(self.peer, client.peer)
            && is(self.local, client.local)
            && self.min_age.is_none_or(|age| client.age_and_idle().0 >= age)
            && !(self.spares_oneself && client.id == own_id)
    }
}

fn kill_id(text: &[u8]) -> Result<u64, Refusal> {
    let id = parse_integer(text).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or_else(|| refuse("ERR client-id should be greater than 0"))
}

fn max_age(text: &[u8]) -> Result<u32, Refusal> {
    let age = parse_integer(text).ok_or_else(|| refuse("ERR maxage is not an integer or out of range"))?;
    if age <= 0 {
        return Err(refuse("ERR maxage should be greater than 0"));
    }
    Ok(u32::try_from(age).unwrap_or(u32::MAX))
}

fn no_user(name: &[u8]) -> Refusal {
    let line = [b"ERR No such user '", name, b"'"].concat();
    Box::new(ErrorReply::with_bytes(ErrorCode::Syntax, line))
}

fn yes_or_no(text: &[u8]) -> Result<bool, Refusal> {
    match text {
        yes if yes.eq_ignore_ascii_case(b"YES") => Ok(true),
        no if no.eq_ignore_ascii_case(b"NO") => Ok(false),
        _ => Err(syntax_error()),
    }
}

/// Disconnects clients. Whoever disconnects itself is told so first.
pub(super) fn kill<'r, S: Store>(responder: &'r mut Responder<'_, S>, request: Request<'r>) -> Answering<'r> {
    Box::pin(async move {
        let own_id = responder.session.client.id;
        let killed = find(request, &responder.shared.clients, own_id);
        let answer = match killed {
            Ok(killed) => {
                killed.iter().filter(|client| client.id != own_id).for_each(|client| client.kill());
                if killed.iter().any(|client| client.id == own_id) {
                    responder.closing = Some(CloseReason::Killed.into());
                }
                if request.arguments.len() == 1 { Reply::OK } else { integer(killed.len()) }
            }
            Err(refusal) => refusal.into(),
        };
        responder.put(answer).await
    })
}

/// Returns whom to disconnect: the client of an address, which must be there, or all that a filter takes.
fn find(request: Request<'_>, clients: &Clients, own_id: u64) -> Result<Vec<Arc<Client>>, Refusal> {
    let (filter, must_be_there) = match *request.arguments {
        [peer] => (Filter { peer: Some(peer), ..Filter::default() }, true),
        ref options => (Filter::parse(options)?, false),
    };
    let mut found = clients.all();
    found.retain(|client| filter.takes(client, own_id));
    if found.is_empty() && must_be_there {
        return Err(refuse("ERR No such client"));
    }
    Ok(found)
}

/// Nobody is disconnected here to make room, so there is nothing to spare a client from.
pub(super) fn no_evict<'b, S>(request: Request<'b>, _: &mut Session, _: &Shared<S>) -> Answer<'b> {
    let mode = request.argument(0);
    let is_known = mode.eq_ignore_ascii_case(b"ON") || mode.eq_ignore_ascii_case(b"OFF");
    if is_known { Ok(Reply::OK) } else { Err(syntax_error()) }
}

/// Switches the answers to what follows off and on. Only `ON` and errors are answered.
pub(super) fn reply<'r, S: Store>(
    responder: &'r mut Responder<'_, S>,
    request: Request<'r>,
) -> Answering<'r> {
    Box::pin(async move {
        let mode = request.argument(0);
        responder.session.replies = if mode.eq_ignore_ascii_case(b"ON") {
            Replies::On
        } else if mode.eq_ignore_ascii_case(b"OFF") {
            Replies::Off
        } else if mode.eq_ignore_ascii_case(b"SKIP") {
            // Where there are none, one is not left out.
            if responder.session.replies == Replies::Off { Replies::Off } else { Replies::SkipNext }
        } else {
            return responder.put(syntax_error().into()).await;
        };
        responder.is_muted = responder.session.replies != Replies::On;
        responder.put(Reply::OK).await
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rustvault_protocol::Command;

    use super::*;

    fn killed(arguments: &[&[u8]]) -> Result<Vec<u64>, String> {
        let clients = Arc::new(Clients::default());
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let _connected: Vec<_> = (1..4).map(|port| clients.add(addr(port), addr(9))).collect();
        let found = find(Request { command: Command::ClientKill, arguments }, &clients, 3);
        found
            .map(|found| found.iter().map(|client| client.id).collect())
            .map_err(|refusal| String::from_utf8_lossy(refusal.line()).into_owned())
    }

    #[test]
    fn a_kill_takes_whom_its_filter_takes() {
        assert_eq!(killed(&[b"127.0.0.1:3"]), Ok(vec![3]));
        assert_eq!(killed(&[b"127.0.0.1:4"]), Err("ERR No such client".to_owned()));
        assert_eq!(killed(&[b"ID", b"2"]), Ok(vec![2]));
        assert_eq!(killed(&[b"ID", b"3"]), Ok(vec![]));
        assert_eq!(killed(&[b"id", b"3", b"skipme", b"no"]), Ok(vec![3]));
        assert_eq!(killed(&[b"LADDR", b"127.0.0.1:9"]), Ok(vec![1, 2]));
        assert_eq!(killed(&[b"ADDR", b"127.0.0.1:1", b"ID", b"2"]), Ok(vec![]));
        assert_eq!(killed(&[b"TYPE", b"pubsub"]), Ok(vec![]));
        assert_eq!(killed(&[b"USER", b"default"]), Ok(vec![1, 2]));
        assert_eq!(killed(&[b"MAXAGE", b"1000"]), Ok(vec![]));
        assert_eq!(killed(&[b"USER", b"ada"]), Err("ERR No such user 'ada'".to_owned()));
        assert_eq!(killed(&[b"ID", b"0"]), Err("ERR client-id should be greater than 0".to_owned()));
        for bad in [&[&b"ID"[..], b"1", b"x"][..], &[b"SKIPME", b"maybe"], &[b"FOO", b"bar"]] {
            assert_eq!(killed(bad), Err("ERR syntax error".to_owned()));
        }
    }
}
