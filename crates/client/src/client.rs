//! The client: a handle that is cheap to clone, and what can be asked of a server.

use std::borrow::Cow;
use std::io;
use std::slice;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustvault_protocol::{Command, ErrorReply, Limits, encode_request};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::connection::{self, Handle};
use crate::dial::{Target, dial};
use crate::error::ErrorKind;
use crate::reply::{read, unexpected};
use crate::request::{Answer, Request};
use crate::scan::with_scan_arguments;
use crate::{Error, Keys, Options, Pipeline, Reply, ScanPage};

/// Room in a frame for the name and what stands around the arguments, as much as the encoder asks for: without escapes,
/// a frame is allocated once.
const FRAME_OVERHEAD_BYTES: usize = 128;

/// A handle to a server: clone it, share it, use it from many tasks at once.
///
/// All clones share two connections, one for reads and one for writes, so that a read never waits for the
/// syncs of other callers' writes. Requests that are made at the same time are sent together. A read that
/// is made after a write was answered sees that write.
///
/// Its methods belong to the tokio runtime that it was connected in, and its connections end with the last
/// clone. Dropping the future of a request takes the request back if it was not sent yet; otherwise the
/// answer is discarded when it comes, and a write takes effect.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Arc<Target>,
    reads: Handle,
    writes: Handle,
    /// Ends the connections' tasks, whatever they are doing.
    _stop: DropGuard,
}

impl Client {
    /// Connects with the default [`Options`]; `addr` is `host:port`, or `unix:` and the path of a Unix socket.
    ///
    /// # Errors
    ///
    /// As [`connect_with`](Self::connect_with).
    pub async fn connect(addr: impl Into<String>) -> Result<Self, Error> {
        Self::connect_with(addr, Options::new()).await
    }

    /// Connects, once and without trying again; `addr` is `host:port`, or `unix:` and the path of a Unix socket.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, does not answer within the connect timeout, refuses the connection
    /// ([`code`](Error::code) tells why, for example `TOO_MANY_CONNECTIONS`) or is not a RustVault server.
    pub async fn connect_with(addr: impl Into<String>, options: Options) -> Result<Self, Error> {
        let target = Arc::new(Target { addr: addr.into(), options });
        let wire = dial(&target).await?;
        let stop = CancellationToken::new();
        let reads = connection::spawn(Arc::clone(&target), Some(wire), stop.clone());
        let writes = connection::spawn(Arc::clone(&target), None, stop.clone());
        Ok(Self { shared: Arc::new(Shared { target, reads, writes, _stop: stop.drop_guard() }) })
    }

    /// The value of `key`, or `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// The key is over its limit, the server answers with an error, or there is no answer;
    /// see [`Error`] for how to tell them apart. All requests can fail in these ways.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        match self.one(Command::Get, &[key.as_ref()]).await? {
            Reply::Value(value) => Ok(value),
            other => Err(mismatch(&other)),
        }
    }

    /// Stores `value` under `key`; done means durable under the server's sync policy.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), and the value may be over its limit. Unless the error
    /// [is retryable](Error::is_retryable), the value may have been stored all the same.
    pub async fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.one(Command::Set, &[key.as_ref(), value.as_ref()]).await.map(drop)
    }

    /// Removes `key`; true if it was there.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get). Unless the error [is retryable](Error::is_retryable),
    /// the key may have been removed all the same.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.existed(Command::Delete, key.as_ref()).await
    }

    /// Returns whether `key` exists.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn exists(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.existed(Command::TextExists, key.as_ref()).await
    }

    /// The number of keys.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn count(&self) -> Result<u64, Error> {
        match self.one(Command::DbSize, &[]).await? {
            Reply::Count(count) => Ok(count),
            other => Err(mismatch(&other)),
        }
    }

    /// Returns a page of the keys that start with `prefix`, at most `limit` of them (1 to 10,000).
    ///
    /// Begin with cursor 0 and go on with [`ScanPage::next_cursor`] until that is 0; a page may be short,
    /// or empty, before the last one. A key that is there all the while is returned at least once.
    /// [`keys`](Self::keys) follows the cursor for you.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn scan(&self, cursor: u64, prefix: impl AsRef<[u8]>, limit: u32) -> Result<ScanPage, Error> {
        let frame = with_scan_arguments(cursor, prefix.as_ref(), limit, |arguments| {
            self.frame(Command::TextScan, arguments)
        });
        match self.ask(Command::TextScan, frame?).await? {
            Reply::Page(page) => Ok(page),
            other => Err(mismatch(&other)),
        }
    }

    /// All keys that start with `prefix`, in no order that means anything; a key may come more than once.
    pub fn keys(&self, prefix: impl AsRef<[u8]>) -> Keys {
        Keys::new(self.clone(), Bytes::copy_from_slice(prefix.as_ref()))
    }

    /// The server's state as names and values, in the server's order.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn info(&self) -> Result<Vec<(String, String)>, Error> {
        match self.one(Command::TextInfo, &[]).await? {
            Reply::Info(info) => Ok(info),
            other => Err(mismatch(&other)),
        }
    }

    /// Asks whether the server answers.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn ping(&self) -> Result<(), Error> {
        self.one(Command::Ping, &[]).await.map(drop)
    }

    /// Makes the server rewrite its log as the live data, and returns once that has ended.
    ///
    /// That may take minutes, so the request timeout does not apply: put a timeout around it if you want one.
    /// Without a timeout this never returns if the server's machine disappears meanwhile. The call has a connection of
    /// its own, and the client's other requests go on meanwhile. Dropping the future ends the wait, not the compaction.
    ///
    /// # Errors
    ///
    /// As [`connect_with`](Self::connect_with); the connection may break before the answer comes. If the
    /// server answers with an error, the compaction was abandoned and the log is as it was; it does so at once
    /// when it stops.
    pub async fn compact(&self) -> Result<(), Error> {
        let mut wire = dial(&self.shared.target).await?;
        let reply = wire.ask(Command::Compact).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => ErrorKind::Protocol { source: error.into() },
            _ => ErrorKind::Lost { is_write: false, source: error.into() },
        })?;
        read(Command::Compact, reply).map_err(|error| ErrorKind::Protocol { source: error.into() })?.map(drop)
    }

    /// Waits until requests wait for a connection, because it broke or cannot be had, and returns why they do.
    ///
    /// For programs that tell somebody what they wait for. The requests themselves wait as long as
    /// [`Options::connect_timeout`] says, and need nobody to look after them. Cancel safe.
    pub async fn outage(&self) -> Error {
        tokio::select! {
            error = self.shared.reads.outage() => error,
            error = self.shared.writes.outage() => error,
        }
    }

    /// An empty pipeline: add commands, then [`send`](Pipeline::send) them in one piece.
    pub fn pipeline(&self) -> Pipeline {
        Pipeline::new(self.clone())
    }

    async fn existed(&self, command: Command, key: &[u8]) -> Result<bool, Error> {
        match self.one(command, &[key]).await? {
            Reply::Existed(existed) => Ok(existed),
            other => Err(mismatch(&other)),
        }
    }

    async fn one(&self, command: Command, arguments: &[&[u8]]) -> Result<Reply, Error> {
        self.ask(command, self.frame(command, arguments)?).await
    }

    /// Checks and encodes one request.
    fn frame(&self, command: Command, arguments: &[&[u8]]) -> Result<Bytes, Error> {
        self.check(command, arguments)?;
        let argument_bytes: usize = arguments.iter().map(|argument| argument.len()).sum();
        let mut frame = BytesMut::with_capacity(argument_bytes + FRAME_OVERHEAD_BYTES);
        encode_request(command, arguments, &mut frame);
        Ok(frame.freeze())
    }

    async fn ask(&self, command: Command, frame: Bytes) -> Result<Reply, Error> {
        // The table has each command at a place that lives for ever, so a list of one takes no memory.
        let commands = slice::from_ref(&command.spec().command);
        let replies = self.request(frame, Cow::Borrowed(commands)).await?;
        replies.into_iter().next().unwrap_or_else(|| Err(protocol_error("no answer".into())))
    }

    /// Sends commands that are [checked](Self::check) and encoded, and waits for their answers.
    pub(crate) async fn request(&self, frame: Bytes, commands: Cow<'static, [Command]>) -> Answer {
        let after = self.shared.target.options.request_timeout;
        let now = Instant::now();
        let (request, answer) = Request::new(frame, commands, now, now + after);
        let deadline = request.deadline;
        let connection = if request.is_write() { &self.shared.writes } else { &self.shared.reads };
        match connection.requests.try_send(request) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(request)) => {
                timeout_at(deadline, connection.requests.send(request))
                    .await
                    .map_err(|_| ErrorKind::NotSent { after })?
                    .map_err(|_| ErrorKind::RuntimeGone)?;
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(ErrorKind::RuntimeGone.into()),
        }
        // The connection's task watches the deadline, because only it knows whether the request was sent.
        answer.await.unwrap_or_else(|_| Err(ErrorKind::RuntimeGone.into()))
    }

    /// Refuses what the server would refuse, before it is sent.
    pub(crate) fn check(&self, command: Command, arguments: &[&[u8]]) -> Result<(), Error> {
        let limits = &self.shared.target.options.limits;
        match (command, arguments) {
            (Command::Set, [key, value]) => check_key(key, limits)
                .and_then(|()| check_length("value", value.len(), limits.max_value_bytes)),
            (Command::Get | Command::Delete | Command::TextExists, [key])
            | (Command::TextScan, [_, b"PREFIX", key, ..]) => check_key(key, limits),
            _ => Ok(()),
        }
    }
}

fn check_key(key: &[u8], limits: &Limits) -> Result<(), Error> {
    check_length("key", key.len(), limits.max_key_bytes)
}

fn check_length(what: &str, len_bytes: usize, max_bytes: usize) -> Result<(), Error> {
    if len_bytes <= max_bytes {
        return Ok(());
    }
    Err(ErrorKind::Invalid(ErrorReply::over_limit(what, len_bytes, max_bytes)).into())
}

/// Not to be met: the connection's task has held the answer against what was asked.
fn mismatch(reply: &Reply) -> Error {
    protocol_error(format!("unexpected {reply:?}"))
}

fn protocol_error(what: String) -> Error {
    let source: Arc<io::Error> = Arc::new(unexpected(what));
    ErrorKind::Protocol { source }.into()
}
