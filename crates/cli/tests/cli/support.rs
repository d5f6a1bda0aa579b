//! A server in this process that speaks the protocol, with faults on demand.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use bytes::{Buf, Bytes, BytesMut};
use rustvault_protocol::{
    Command as Request, ErrorCode, Limits, RespCommand, RespParser, RespStep, RespVersion, Response,
    ServerCodec, encode_resp,
};
use tokio_util::codec::{Decoder, Encoder};

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

/// What the server does about a request.
enum Answer {
    Reply(Response),
    ReplyAndClose(Response),
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
    pub(crate) fn start() -> Self {
        Self::start_with(|stream, keys| serve(stream, keys, answer))
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
        Self::serve(listener, |stream, keys| serve(stream, keys, answer))
    }

    /// A server that closes the connection at the first `GET` of a bench key.
    pub(crate) fn start_hanging_up() -> Self {
        let hang_up = |keys: &Keys, request: Request| match request {
            Request::Get { key } if key.starts_with(b"bench:") => Answer::Close,
            request => answer(keys, request),
        };
        Self::start_with(move |stream, keys| serve(stream, keys, hang_up))
    }

    /// A server whose answers would control a terminal.
    pub(crate) fn start_hostile() -> Self {
        let taunt = |keys: &Keys, request: Request| match request {
            Request::Info => Answer::Reply(Response::List(vec![Some("name=\x1b[2Jvalue\u{9b}".into())])),
            Request::Delete { .. } => {
                let message = "\u{9b}2J no".to_owned();
                Answer::Reply(Response::Error { code: ErrorCode::Storage, message })
            }
            request => answer(keys, request),
        };
        Self::start_with(move |stream, keys| serve(stream, keys, taunt))
    }

    /// A server that speaks RESP.
    pub(crate) fn start_resp() -> Self {
        Self::start_with(serve_resp)
    }

    /// A server whose `GET` of a bench key answers another key's value.
    pub(crate) fn start_mixing_up() -> Self {
        let mix_up = |keys: &Keys, request: Request| match request {
            Request::Get { key } if key.starts_with(b"bench:") => {
                Answer::Reply(Response::Value("bench:x".into()))
            }
            request => answer(keys, request),
        };
        Self::start_with(move |stream, keys| serve(stream, keys, mix_up))
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
    command.env_remove("RUSTVAULT_ADDR").env("RUSTVAULT_HISTORY", "").timeout(DEADLINE);
    command
}

/// An address at which nobody listens.
pub(crate) fn refusing_addr() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

fn serve(mut stream: TcpStream, keys: &Keys, answer: fn(&Keys, Request) -> Answer) {
    let mut codec = ServerCodec::new(Limits::default());
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let mut chunk = [0; 64 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        input.extend_from_slice(&chunk[..read]);
        let mut open = true;
        while open && let Some(request) = codec.decode(&mut input).expect("commands are not fatal") {
            let answer = match request {
                Ok(request) => answer(keys, request),
                Err(error) => {
                    Answer::Reply(Response::Error { code: error.code(), message: error.to_string() })
                }
            };
            open = matches!(answer, Answer::Reply(_) | Answer::Silence);
            if let Answer::Reply(response) | Answer::ReplyAndClose(response) = answer {
                codec.encode(response, &mut output).expect("a buffer takes everything");
            }
        }
        if stream.write_all(&output).is_err() || !open {
            return;
        }
        output.clear();
    }
}

fn serve_resp(mut stream: TcpStream, keys: &Keys) {
    let mut parser = RespParser::new(Limits::default());
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let mut chunk = [0; 64 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        input.extend_from_slice(&chunk[..read]);
        while let RespStep::Command { command, consumed_bytes } = parser.next(&input) {
            let RespCommand::One { request, shape } = command else { panic!("{command:?}") };
            let request = request.map(|field| Bytes::copy_from_slice(&field));
            encode_resp(
                &reply(&mut keys.keys.lock().unwrap(), request),
                &shape,
                RespVersion::V2,
                &mut output,
            );
            input.advance(consumed_bytes);
        }
        if stream.write_all(&output).is_err() {
            return;
        }
        output.clear();
    }
}

fn answer(keys: &Keys, request: Request) -> Answer {
    let silences = &keys.silences;
    let mut keys = keys.keys.lock().unwrap();
    match request {
        Request::Set { key, .. } if key == SILENT_KEY => {
            // Not every test listens.
            let _ = silences.send(());
            Answer::Silence
        }
        Request::Set { key, .. } if key == HANG_UP_KEY => {
            let tries = keys.get(&key[..]).map_or(0, Bytes::len);
            keys.insert(key.to_vec(), vec![b'I'; tries + 1].into());
            Answer::Close
        }
        Request::Get { key } if key == FAREWELL_KEY => Answer::ReplyAndClose(Response::NotFound),
        request => Answer::Reply(reply(&mut keys, request)),
    }
}

fn reply(keys: &mut BTreeMap<Vec<u8>, Bytes>, request: Request) -> Response {
    match request {
        Request::Set { key, .. } if key == BROKEN_KEY => {
            Response::Error { code: ErrorCode::ReadOnly, message: "disk full".to_owned() }
        }
        Request::Set { key, value } => {
            keys.insert(key.to_vec(), value);
            Response::Ok
        }
        Request::Get { key } => keys.get(&key[..]).cloned().map_or(Response::NotFound, Response::Value),
        Request::Delete { key } => keys.remove(&key[..]).map_or(Response::NotFound, |_| Response::Ok),
        Request::Exists { key } => keys.get(&key[..]).map_or(Response::NotFound, |_| Response::Ok),
        Request::Count => Response::Value(keys.len().to_string().into()),
        Request::Scan { cursor, prefix, .. } => scan_page(keys, cursor, &prefix),
        Request::Ping => Response::Pong,
        Request::Compact if keys.contains_key(BROKEN_KEY.as_bytes()) => {
            Response::Error { code: ErrorCode::ReadOnly, message: "disk full".to_owned() }
        }
        Request::Compact => Response::Ok,
        Request::Info => {
            Response::List(["version=9.9.9", "fsync=always"].map(|line| Some(line.into())).into())
        }
        other => panic!("the program never sends {other:?}"),
    }
}

/// The cursor is how many keys the pages before had.
fn scan_page(keys: &BTreeMap<Vec<u8>, Bytes>, cursor: u64, prefix: &[u8]) -> Response {
    let matching = keys.keys().filter(|key| key.starts_with(prefix));
    let page: Vec<_> =
        matching.clone().skip(cursor as usize).take(PAGE_KEYS).cloned().map(Bytes::from).collect();
    let end = cursor as usize + page.len();
    let next = if end < matching.count() { end } else { 0 };
    Response::List([Bytes::from(next.to_string())].into_iter().chain(page).map(Some).collect())
}
