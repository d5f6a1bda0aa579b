//! A server in this process that speaks the protocol, with faults on demand.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use bytes::{Bytes, BytesMut};
use rustvault_protocol::{
    Command as Name, ErrorCode, ErrorReply, Limits, OwnedRequest, Protocol, Reply, ServerCodec, glob_matches,
};
use tokio_util::codec::Decoder;

/// Ends a test that hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Keys of a page of a scan, few enough that tests meet several pages.
const PAGE_KEYS: usize = 3;

/// A key on which `SET` is answered with an error.
pub(crate) const BROKEN_KEY: &str = "broken";

/// A key on which `SET` is left unanswered.
pub(crate) const SILENT_KEY: &str = "silent";

/// A key on which `SET` counts, then the connection is closed instead of an answer.
pub(crate) const HANG_UP_KEY: &str = "hang-up";

/// A key after whose answer the connection is closed.
pub(crate) const FAREWELL_KEY: &str = "farewell";

/// The user that a server with logins takes.
pub(crate) const USER: &str = "app";

/// Its password.
pub(crate) const PASSWORD: &str = "p w:s3cret";

/// What the server does about a request.
enum Answer {
    Reply(Reply),
    ReplyAndClose(Reply),
    Silence,
    Close,
}

/// Keys and counts of a server, shared by its connections.
struct Keyspace {
    keys: Mutex<BTreeMap<Vec<u8>, Bytes>>,
    /// Told of each request that is left unanswered.
    silences: Sender<()>,
}

type Keys = Arc<Keyspace>;

/// Listens on a port of its own until the test process ends.
pub(crate) struct FakeServer {
    addr: SocketAddr,
    keys: Keys,
    silences: Receiver<()>,
}

impl FakeServer {
    /// A server that speaks both protocols.
    pub(crate) fn start() -> Self {
        Self::start_with(|stream, keys| serve(stream, keys, None, answer))
    }

    /// A server that speaks the text protocol alone.
    pub(crate) fn start_text() -> Self {
        Self::start_with(|stream, keys| serve(stream, keys, Some(Protocol::Text), answer))
    }

    /// A port for a server that does not answer yet, or has gone, and its address.
    pub(crate) fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address").to_string();
        (listener, addr)
    }

    /// A server at an address where none listens any more.
    pub(crate) fn start_at(addr: &str) -> Self {
        let listener = TcpListener::bind(addr).expect("the port is free again");
        Self::serve(listener, |stream, keys| serve(stream, keys, None, answer))
    }

    /// A server that closes the connection at the first `GET` of a bench key.
    pub(crate) fn start_hanging_up() -> Self {
        let hang_up = |keys: &Keys, request: OwnedRequest| match is_bench_get(&request) {
            true => Answer::Close,
            false => answer(keys, request),
        };
        Self::start_with(move |stream, keys| serve(stream, keys, None, hang_up))
    }

    /// A server whose answers would control a terminal.
    pub(crate) fn start_hostile() -> Self {
        let taunt = |keys: &Keys, request: OwnedRequest| match request.command {
            Name::Info => Answer::Reply(text("name:\x1b[2Jvalue\u{9b}\r\n")),
            Name::Echo => Answer::Reply(Reply::Simple("\x1b[2J\u{9b}".into())),
            Name::Delete => Answer::Reply(Reply::error(ErrorCode::Storage, "\u{9b}2J no")),
            _ => answer(keys, request),
        };
        Self::start_with(move |stream, keys| serve(stream, keys, None, taunt))
    }

    /// A server that answers only after a login as [`USER`] with [`PASSWORD`].
    pub(crate) fn start_with_login() -> Self {
        let judge = |keys: &Keys, request: OwnedRequest| {
            let login = match (request.command, &request.arguments[..]) {
                (Name::Hello, [_, _, user, password]) | (Name::Auth, [user, password]) => (user, password),
                (Name::Hello, _) => return Answer::Reply(logged_out()),
                _ => return answer(keys, request),
            };
            match (login == (&USER.into(), &PASSWORD.into()), request.command) {
                (true, Name::Auth) => Answer::Reply(Reply::OK),
                (true, _) => answer(keys, request),
                (false, _) => {
                    let line = "WRONGPASS invalid username-password pair or user is disabled.";
                    Answer::Reply(ErrorReply::fixed(ErrorCode::Denied, line).into())
                }
            }
        };
        Self::start_with(move |stream, keys| serve(stream, keys, None, judge))
    }

    /// A server to which everybody is logged out.
    pub(crate) fn start_logged_out() -> Self {
        Self::start_with(|stream, keys| serve(stream, keys, None, |_, _| Answer::Reply(logged_out())))
    }

    /// A server that speaks RESP alone.
    pub(crate) fn start_resp() -> Self {
        Self::start_with(|stream, keys| serve(stream, keys, Some(Protocol::Resp2), answer))
    }

    /// A server whose `GET` of a bench key answers another key's value.
    pub(crate) fn start_mixing_up() -> Self {
        let mix_up = |keys: &Keys, request: OwnedRequest| match is_bench_get(&request) {
            true => Answer::Reply(Reply::Bulk("bench:x".into())),
            false => answer(keys, request),
        };
        Self::start_with(move |stream, keys| serve(stream, keys, None, mix_up))
    }

    fn start_with(serve: impl Fn(TcpStream, &Keys) + Copy + Send + 'static) -> Self {
        Self::serve(Self::listen().0, serve)
    }

    fn serve(listener: TcpListener, serve: impl Fn(TcpStream, &Keys) + Copy + Send + 'static) -> Self {
        let addr = listener.local_addr().expect("an address");
        let (sender, silences) = mpsc::channel();
        let keys = Arc::new(Keyspace { keys: Mutex::default(), silences: sender });
        let server = Self { addr, keys: Arc::clone(&keys), silences };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keys = Arc::clone(&keys);
                thread::spawn(move || serve(stream, &keys));
            }
        });
        server
    }

    pub(crate) fn addr(&self) -> String {
        self.addr.to_string()
    }

    /// Waits for the next request that is left unanswered.
    pub(crate) fn wait_for_silence(&self) {
        self.silences.recv_timeout(DEADLINE).expect("a request that is left unanswered");
    }

    /// The program, told this server's address.
    pub(crate) fn cli(&self) -> Command {
        let mut command = cli();
        command.env("RUSTVAULT_ADDR", self.addr.to_string());
        command
    }

    pub(crate) fn put(&self, key: impl AsRef<[u8]>, value: impl Into<Bytes>) {
        self.keys.keys.lock().unwrap().insert(key.as_ref().to_vec(), value.into());
    }

    pub(crate) fn value(&self, key: impl AsRef<[u8]>) -> Option<Bytes> {
        self.keys.keys.lock().unwrap().get(key.as_ref()).cloned()
    }
}

/// The program, without any setting of the machine's.
pub(crate) fn cli() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rustvault-cli"));
    for variable in ["ADDR", "USER", "PASSWORD", "PASSWORD_FILE"] {
        command.env_remove(format!("RUSTVAULT_{variable}"));
    }
    command.env("RUSTVAULT_HISTORY", "").timeout(DEADLINE);
    command
}

/// An address at which nobody listens.
pub(crate) fn refusing_addr() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

fn logged_out() -> Reply {
    Reply::error(ErrorCode::AuthRequired, "Authentication required.")
}

fn is_bench_get(request: &OwnedRequest) -> bool {
    request.command == Name::Get && request.arguments[0].starts_with(b"bench:")
}

/// Serves a connection, in one protocol if that is given, and otherwise in that of its client.
fn serve(
    mut stream: TcpStream,
    keys: &Keys,
    only: Option<Protocol>,
    answer: fn(&Keys, OwnedRequest) -> Answer,
) {
    let mut codec = ServerCodec::new(Limits::default());
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let (mut chunk, mut first) = ([0; 64 * 1024], [0]);
    let is_resp = stream.peek(&mut first).is_ok() && first == *b"*";
    let mut protocol = if is_resp { Protocol::Resp2 } else { Protocol::Text };
    if only.is_some_and(|only| only != protocol) {
        // In the protocol that the client does not speak.
        let other = only.unwrap_or(protocol);
        other.encode(&Reply::<Bytes>::error(ErrorCode::Syntax, "another protocol"), &mut output);
        let _ = stream.write_all(&output);
        return;
    }
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        let mut open = true;
        input.extend_from_slice(&chunk[..read]);
        while open && let Some(request) = codec.decode(&mut input).expect("commands are not fatal") {
            if request.as_ref().is_ok_and(|request| request.command == Name::Hello) {
                protocol = Protocol::Resp3;
            }
            let answer = match request {
                Ok(request) => answer(keys, request),
                Err(error) => Answer::Reply(error.into()),
            };
            open = matches!(answer, Answer::Reply(_) | Answer::Silence);
            if let Answer::Reply(reply) | Answer::ReplyAndClose(reply) = answer {
                protocol.encode(&reply, &mut output);
            }
        }
        if stream.write_all(&output).is_err() || !open {
            return;
        }
        output.clear();
    }
}

fn answer(keys: &Keys, request: OwnedRequest) -> Answer {
    let silences = &keys.silences;
    let mut keys = keys.keys.lock().unwrap();
    match (request.command, &request.arguments[..]) {
        (Name::Set, [key, _]) if key == SILENT_KEY => {
            // Not every test listens.
            let _ = silences.send(());
            Answer::Silence
        }
        (Name::Set, [key, _]) if key == HANG_UP_KEY => {
            let tries = keys.get(&key[..]).map_or(0, Bytes::len);
            keys.insert(key.to_vec(), vec![b'I'; tries + 1].into());
            Answer::Close
        }
        (Name::Get, [key]) if key == FAREWELL_KEY => Answer::ReplyAndClose(Reply::Null),
        _ => Answer::Reply(reply(&mut keys, &request)),
    }
}

fn reply(keys: &mut BTreeMap<Vec<u8>, Bytes>, request: &OwnedRequest) -> Reply {
    let disk_full = || Reply::error(ErrorCode::ReadOnly, "disk full");
    let bulk = |value: Option<Bytes>| value.map_or(Reply::Null, Reply::Bulk);
    match (request.command, &request.arguments[..]) {
        (Name::Hello, _) => Reply::Map(vec![(Reply::Bulk("proto".into()), Reply::Integer(3))]),
        (Name::Set, [key, ..]) if key == BROKEN_KEY => disk_full(),
        (Name::Set, [key, _, nx]) if nx == "NX" && keys.contains_key(&key[..]) => Reply::Null,
        (Name::Set, [key, value, ..]) => {
            keys.insert(key.to_vec(), value.clone());
            Reply::OK
        }
        (Name::Get, [key]) => bulk(keys.get(&key[..]).cloned()),
        (Name::MGet, names) => {
            Reply::Array(names.iter().map(|key| bulk(keys.get(&key[..]).cloned())).collect())
        }
        (Name::GetDel, [key]) => bulk(keys.remove(&key[..])),
        (Name::StrLen, [key]) => Reply::Integer(keys.get(&key[..]).map_or(0, Bytes::len) as i64),
        (Name::Incr, [_]) => Reply::error(ErrorCode::WrongType, "value is not an integer or out of range"),
        (Name::Delete, [key]) => keys.remove(&key[..]).map_or(Reply::Null, |_| Reply::OK),
        (Name::Del, names) => {
            Reply::Integer(names.iter().filter_map(|key| keys.remove(&key[..])).count() as i64)
        }
        (Name::Exists, names) => {
            Reply::Integer(names.iter().filter(|key| keys.contains_key(&key[..])).count() as i64)
        }
        (Name::DbSize, []) => Reply::Integer(keys.len() as i64),
        (Name::Scan, [cursor, options @ ..]) => scan_page(keys, cursor, options),
        (Name::Ping, []) => Reply::Simple("PONG".into()),
        (Name::Echo, [message]) => Reply::Bulk(message.clone()),
        (Name::Compact, []) if keys.contains_key(BROKEN_KEY.as_bytes()) => disk_full(),
        (Name::Compact, []) => Reply::OK,
        (Name::Info, _) => text("# RustVault\r\nversion:9.9.9\r\nfsync:always\r\n"),
        _ => panic!("no test sends {request:?}"),
    }
}

/// The cursor is how many keys the pages before had.
fn scan_page(keys: &BTreeMap<Vec<u8>, Bytes>, cursor: &[u8], options: &[Bytes]) -> Reply {
    let cursor: usize = std::str::from_utf8(cursor).unwrap().parse().unwrap();
    let pattern = options
        .chunks(2)
        .find(|option| option[0].eq_ignore_ascii_case(b"MATCH"))
        .map_or(&b"*"[..], |option| &option[1]);
    let matching: Vec<_> = keys.keys().filter(|key| glob_matches(pattern, key)).cloned().collect();
    let page = matching.iter().skip(cursor).take(PAGE_KEYS).cloned();
    let items = Reply::Array(page.map(|key| Reply::Bulk(key.into())).collect());
    let end = cursor + PAGE_KEYS;
    let next = if end < matching.len() { end } else { 0 };
    Reply::Array(vec![Reply::Bulk(next.to_string().into()), items])
}

fn text(text: &'static str) -> Reply {
    Reply::Verbatim(text.into())
}
