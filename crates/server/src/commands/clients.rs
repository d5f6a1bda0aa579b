//! Commands on connected clients.

mod line;

use std::collections::BTreeSet;
use std::sync::Arc;

use rustvault_protocol::{ErrorCode, Reply, Request, parse_integer};
use rustvault_users::DEFAULT_USER;
use tokio::task::yield_now;

use super::arguments::{refusal, refuse, refuse_word, syntax_error};
use super::reply::{Payload, integer};
use super::{Answer, Refusal, check_len};
use crate::addr::Addr;
use crate::clients::{Clients, ConnectedClient};
use crate::closing::CloseReason;
use crate::engine::Engine;
use crate::respond::Responder;
use crate::session::{ReplyMode, Session};
use line::line;

/// Clients that are listed before other connections have a turn.
const CLIENTS_PER_TURN: usize = 256;

/// Most ids in one `CLIENT LIST ID`.
const MAX_LISTED_IDS: usize = 10_000;

/// Redis's types of clients; all clients of this server have the first.
const TYPES: [&[u8]; 5] = [b"normal", b"master", b"replica", b"slave", b"pubsub"];

pub(super) fn info<'b, S>(_: Request<'b>, session: &mut Session, engine: &Engine<S>) -> Answer<'b> {
    let line = line(&session.client, nobody(engine));
    Ok(Reply::Verbatim(Payload::Owned(line.into_bytes())))
}

pub(super) async fn list<S>(responder: &mut Responder<'_, S>, request: Request<'_>) -> Answer<'static> {
    let lines = lines(&ListFilter::parse(request.arguments)?, responder.engine).await?;
    Ok(Reply::Verbatim(Payload::Owned(lines.into_bytes())))
}

/// The filter of a `CLIENT LIST`.
enum ListFilter {
    All,
    Nobody,
    Ids(BTreeSet<u64>),
}

impl ListFilter {
    fn parse(arguments: &[&[u8]]) -> Result<Self, Refusal> {
        match arguments {
            [] => Ok(Self::All),
            [option, kind] if option.eq_ignore_ascii_case(b"TYPE") => {
                Ok(if is_normal(kind)? { Self::All } else { Self::Nobody })
            }
            [option, ids @ ..] if option.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
                if ids.len() > MAX_LISTED_IDS {
                    return Err(too_many_ids());
                }
                ids.iter()
                    .map(|id| client_id(id, "ERR Invalid client ID"))
                    .collect::<Result<_, _>>()
                    .map(Self::Ids)
            }
            _ => Err(syntax_error()),
        }
    }

    /// Returns the next clients with ids above `after`, and the id to continue from, if there are more.
    fn page(&self, after: u64, clients: &Clients) -> (Vec<Arc<ConnectedClient>>, Option<u64>) {
        match self {
            Self::Nobody => (Vec::new(), None),
            Self::All => {
                let page = clients.page(after, CLIENTS_PER_TURN);
                let next = page.last().map(|last| last.id);
                (page, next)
            }
            Self::Ids(ids) => {
                let ids = ids.range(after.saturating_add(1)..).take(CLIENTS_PER_TURN);
                let (page, next) = (ids.clone().filter_map(|id| clients.get(*id)).collect(), ids.last());
                (page, next.copied())
            }
        }
    }
}

async fn lines<S>(filter: &ListFilter, engine: &Engine<S>) -> Result<String, Refusal> {
    let (mut lines, mut after, nobody) = (String::new(), 0, nobody(engine));
    loop {
        let (page, next) = filter.page(after, &engine.clients);
        lines.extend(page.iter().map(|client| line(client, nobody)));
        check_len("a list of clients", lines.as_bytes(), engine.config().max_output_bytes)?;
        let Some(next) = next else { return Ok(lines) };
        after = next;
        yield_now().await;
    }
}

fn too_many_ids() -> Refusal {
    let message = format_args!("at most {MAX_LISTED_IDS} clients are listed by their numbers at a time");
    refusal(ErrorCode::TooLarge, message)
}

/// Returns whether this is the type that all clients have.
fn is_normal(kind: &[u8]) -> Result<bool, Refusal> {
    match TYPES.iter().position(|known| known.eq_ignore_ascii_case(kind)) {
        Some(position) => Ok(position == 0),
        None => Err(refuse_word("Unknown client type", kind)),
    }
}

/// Returns a client's id, or `error` for text that is no id.
fn client_id(text: &[u8], error: &'static str) -> Result<u64, Refusal> {
    let id = parse_integer(text).and_then(|id| u64::try_from(id).ok()).filter(|id| *id > 0);
    id.ok_or_else(|| refuse(error))
}

/// Returns the name of the user of a client that has not logged in: an empty one, unless nobody has to.
fn nobody<S>(engine: &Engine<S>) -> &'static str {
    if engine.access.load().is_none() { DEFAULT_USER } else { "" }
}

/// The filter of a `CLIENT KILL`.
#[derive(Default)]
struct Filter<'r> {
    id: Option<u64>,
    peer: Option<&'r [u8]>,
    local: Option<&'r [u8]>,
    user: Option<&'r [u8]>,
    /// Set if the filter names a type that no client has.
    matches_nobody: bool,
    min_age: Option<u32>,
    skips_oneself: bool,
}

impl<'r> Filter<'r> {
    fn parse<S>(arguments: &[&'r [u8]], engine: &Engine<S>) -> Result<Self, Refusal> {
        let mut filter = Self { skips_oneself: true, ..Self::default() };
        let (options, rest) = arguments.as_chunks();
        if !rest.is_empty() {
            return Err(syntax_error());
        }
        for &[option, value] in options {
            match option.to_ascii_uppercase().as_slice() {
                b"ID" => filter.id = Some(client_id(value, "ERR client-id should be greater than 0")?),
                b"ADDR" => filter.peer = Some(value),
                b"LADDR" => filter.local = Some(value),
                b"TYPE" => filter.matches_nobody |= !is_normal(value)?,
                b"USER" if is_user(value, engine) => filter.user = Some(value),
                b"USER" => return Err(refuse_word("No such user", value)),
                b"MAXAGE" => filter.min_age = Some(max_age(value)?),
                b"SKIPME" => filter.skips_oneself = yes_or_no(value)?,
                _ => return Err(syntax_error()),
            }
        }
        Ok(filter)
    }

    /// Returns whether it takes a client; `nobody` is the user of those that have not logged in.
    fn matches(&self, client: &ConnectedClient, own_id: u64, nobody: &str) -> bool {
        let is = |wanted: Option<&[u8]>, addr: &Addr| {
            wanted.is_none_or(|wanted| addr.to_string().as_bytes() == wanted)
        };
        !self.matches_nobody
            && self.id.is_none_or(|id| id == client.id)
            && is(self.peer, &client.peer)
            && is(self.local, &client.local)
            && self.user.is_none_or(|wanted| {
                let user = client.user();
                user.as_ref().map_or(nobody, |user| &user.name).as_bytes() == wanted
            })
            && self.min_age.is_none_or(|age| client.age_and_idle().0 >= age)
            && !(self.skips_oneself && client.id == own_id)
    }
}

fn is_user<S>(name: &[u8], engine: &Engine<S>) -> bool {
    match engine.access.load() {
        None => name == DEFAULT_USER.as_bytes(),
        Some(users) => str::from_utf8(name).is_ok_and(|name| users.get(name).is_some()),
    }
}

fn max_age(text: &[u8]) -> Result<u32, Refusal> {
    let age = parse_integer(text).ok_or_else(|| refuse("ERR maxage is not an integer or out of range"))?;
    if age <= 0 {
        return Err(refuse("ERR maxage should be greater than 0"));
    }
    Ok(u32::try_from(age).unwrap_or(u32::MAX))
}

fn yes_or_no(text: &[u8]) -> Result<bool, Refusal> {
    match text.to_ascii_uppercase().as_slice() {
        b"YES" => Ok(true),
        b"NO" => Ok(false),
        _ => Err(syntax_error()),
    }
}

/// Disconnects the client with an address, which must exist, or all that match a filter. A client that disconnects itself gets
/// the answer first.
pub(super) async fn kill<S>(responder: &mut Responder<'_, S>, request: Request<'_>) -> Answer<'static> {
    let own_id = responder.session.client.id;
    let (filter, must_be_there) = match *request.arguments {
        [peer] => (Filter { peer: Some(peer), ..Filter::default() }, true),
        ref options => (Filter::parse(options, responder.engine)?, false),
    };
    let (killed, has_killed_itself) = kill_all(&filter, own_id, responder.engine).await;
    if has_killed_itself {
        responder.closing = Some(CloseReason::Killed.into());
    }
    match killed {
        0 if must_be_there => Err(refuse("ERR No such client")),
        _ if must_be_there => Ok(Reply::OK),
        killed => Ok(integer(killed)),
    }
}

/// Disconnects all matching clients but the calling one; returns the number of matches, and whether the caller is among them.
async fn kill_all<S>(filter: &Filter<'_>, own_id: u64, engine: &Engine<S>) -> (usize, bool) {
    let nobody = nobody(engine);
    let (mut killed, mut has_killed_itself, mut after) = (0, false, 0);
    loop {
        let page = engine.clients.page(after, CLIENTS_PER_TURN);
        let Some(last) = page.last() else { return (killed, has_killed_itself) };
        after = last.id;
        for client in page.iter().filter(|client| filter.matches(client, own_id, nobody)) {
            killed += 1;
            if client.id == own_id {
                has_killed_itself = true;
            } else {
                client.kill();
            }
        }
        yield_now().await;
    }
}

/// Accepts the command and does nothing: this server never disconnects clients to free memory.
pub(super) fn no_evict<'b, S>(request: Request<'b>, _: &mut Session, _: &Engine<S>) -> Answer<'b> {
    let mode = request.argument(0);
    let is_known = mode.eq_ignore_ascii_case(b"ON") || mode.eq_ignore_ascii_case(b"OFF");
    if is_known { Ok(Reply::OK) } else { Err(syntax_error()) }
}

/// Sets the reply mode. Only `ON` and errors are answered.
pub(super) async fn reply<S>(responder: &mut Responder<'_, S>, request: Request<'_>) -> Answer<'static> {
    let mode = &mut responder.session.reply_mode;
    *mode = match request.argument(0).to_ascii_uppercase().as_slice() {
        b"ON" => ReplyMode::On,
        b"OFF" => ReplyMode::Off,
        // With replies off, SKIP changes nothing.
        b"SKIP" if *mode == ReplyMode::Off => ReplyMode::Off,
        b"SKIP" => ReplyMode::SkipNext,
        _ => return Err(syntax_error()),
    };
    responder.is_muted = *mode != ReplyMode::On;
    Ok(Reply::OK)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rustvault_users::{Rights, User, Users};

    use super::*;
    use crate::ServerConfig;
    use crate::metrics::ListenerKind;

    fn killed(arguments: &[&[u8]]) -> Result<Vec<u64>, String> {
        killed_of(arguments, &Engine::new((), &ServerConfig::default()), &[])
    }

    /// Returns those of three clients that are killed; the first ones are these users.
    fn killed_of(arguments: &[&[u8]], engine: &Engine<()>, users: &[&str]) -> Result<Vec<u64>, String> {
        let clients = Arc::new(Clients::default());
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port)).into();
        let connected: Vec<_> =
            (1..4).map(|port| clients.add(addr(port), addr(9), ListenerKind::Tcp)).collect();
        for (client, name) in connected.iter().zip(users) {
            client.set_user(engine.access.load().unwrap().get(name).cloned());
        }
        let filter = Filter::parse(arguments, engine)
            .map_err(|refusal| String::from_utf8_lossy(refusal.line()).into_owned())?;
        Ok(connected
            .iter()
            .filter(|client| filter.matches(client, 3, nobody(engine)))
            .map(|client| client.id)
            .collect())
    }

    #[test]
    fn a_kill_takes_the_clients_of_a_user() {
        let user =
            |name: &str| User { name: name.to_owned(), credentials: Vec::new(), rights: Rights::default() };
        let users = Some(Arc::new(Users::new([user("ada"), user("ben")]).unwrap()));
        let config = ServerConfig { users, ..ServerConfig::default() };
        let engine = Engine::new((), &config);
        let killed = |name: &str| killed_of(&[b"USER", name.as_bytes()], &engine, &["ben", "ada"]);
        assert_eq!((killed("ada"), killed("ben")), (Ok(vec![2]), Ok(vec![1])));
        assert_eq!(killed("default"), Err("ERR No such user 'default'".to_owned()));
    }

    #[test]
    fn a_kill_takes_whom_its_filter_takes() {
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
