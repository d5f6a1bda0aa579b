//! The client: a handle to a server that is cheap to clone.

use std::io;
use std::sync::Arc;

use rustvault_protocol::{Command, Limits, Request};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::address::Target;
use crate::connection::{self, ConnectionHandle};
use crate::dial::dial;
use crate::error::ErrorKind;
use crate::outgoing::Outgoing;
use crate::pending::{Answered, Answers, Prepared};
use crate::{Call, Commands, EntryStream, Error, FromReply, KeyStream, Options, Pipeline, Reply};

/// A handle to a server: clone it, share it, use it from many tasks at once.
///
/// Its commands are the methods of [`Commands`]. All clones share two connections, one for reads and one for writes,
/// so that a read never waits for the syncs of other callers' writes. Requests that are made at the same time are sent
/// together. A read that is made after a write was answered sees that write.
///
/// Its methods belong to the tokio runtime that it was connected in, and its connections end with the last
/// clone and the last [`Call`] that waits for its answer. Dropping the future of a request takes the request back if it
/// was not sent yet; otherwise the answer is discarded when it comes, and a write takes effect.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<ClientInner>,
}

/// The connections of a client and its clones.
#[derive(Debug)]
pub(crate) struct ClientInner {
    pub(crate) target: Arc<Target>,
    reads: ConnectionHandle,
    /// `None` if everything goes over one connection.
    writes: Option<ConnectionHandle>,
    /// Ends the connections' tasks, whatever they are doing.
    _stop: DropGuard,
}

impl ClientInner {
    pub(crate) fn connection(&self, is_write: bool) -> &ConnectionHandle {
        self.writes.as_ref().filter(|_| is_write).unwrap_or(&self.reads)
    }

    /// Sends one command over a connection of its own, and waits for the answer, however long that takes.
    pub(crate) async fn ask_alone(&self, prepared: &Prepared) -> Answered {
        let mut dialed = dial(&self.target).await?;
        let reply = dialed.ask(&prepared.frame).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => ErrorKind::Protocol { source: error.into() },
            _ => ErrorKind::Lost { is_write: prepared.is_write, source: error.into() },
        })?;
        prepared
            .expected
            .check_first(&reply)
            .map_err(|error| ErrorKind::Protocol { source: error.into() })?;
        Ok(Answers::One(reply))
    }
}

impl Client {
    /// Connects with the default [`Options`]; see [`connect_with`](Self::connect_with) for the forms of `addr`.
    ///
    /// # Errors
    ///
    /// Fails as [`connect_with`](Self::connect_with) does.
    pub async fn connect(addr: impl AsRef<str>) -> Result<Self, Error> {
        Self::connect_with(addr, Options::new()).await
    }

    /// Connects, once and without trying again.
    ///
    /// The address is one of
    /// - `host:port`;
    /// - `unix:` and the path of a Unix socket;
    /// - `rustvault://host:port`, without `:port` for port 8080. Behind `?` options may follow, with `&` between them,
    ///   named as the methods of [`Options`], and taking precedence over `options`:
    ///   `rustvault://db.example?request_timeout=2s&connect_timeout=500ms`;
    /// - `rustvaults://host:port`, for TLS.
    ///
    /// In a URL `user:password@` may stand before the host, percent-encoded.
    ///
    /// # Errors
    ///
    /// The address has another form; the server cannot be reached, does not answer within the connect timeout, refuses
    /// the connection or the login ([`code`](Error::code) says why, for example `TOO_MANY_CONNECTIONS`), shows a certificate
    /// that is not accepted, or is not a RustVault server.
    pub async fn connect_with(addr: impl AsRef<str>, options: Options) -> Result<Self, Error> {
        let target = Arc::new(Target::parse(addr.as_ref(), options)?);
        let dialed = dial(&target).await?;
        let stop = CancellationToken::new();
        let has_two = !target.options.one_connection;
        let reads = connection::spawn(Arc::clone(&target), Some(dialed), stop.clone());
        let writes = has_two.then(|| connection::spawn(Arc::clone(&target), None, stop.clone()));
        Ok(Self { shared: Arc::new(ClientInner { target, reads, writes, _stop: stop.drop_guard() }) })
    }

    /// Streams all keys that start with `prefix`, in no order that means anything; a key may come more than once.
    ///
    /// A key that is there all the while comes at least once. The stream ends with its first error.
    pub fn keys(&self, prefix: impl AsRef<[u8]>) -> KeyStream {
        KeyStream::new(self.clone(), prefix.as_ref())
    }

    /// Streams all keys that start with `prefix`, with their values; see [`keys`](Self::keys).
    ///
    /// Keys that are deleted meanwhile are left out. Values are fetched in groups of up to 64, fewer where they are
    /// large; one group is in memory at a time.
    pub fn entries(&self, prefix: impl AsRef<[u8]>) -> EntryStream {
        EntryStream::new(self.clone(), prefix.as_ref())
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
    pub fn compact(&self) -> Call<()> {
        self.call(Request { command: Command::Compact, arguments: &[] })
    }

    /// Waits until requests wait for a connection, because it broke or cannot be had, and returns why they do.
    ///
    /// For programs that report what they wait for. The requests themselves wait as long as
    /// [`Options::connect_timeout`] says, and need nobody to look after them. Cancel safe.
    pub async fn outage(&self) -> Error {
        let Some(writes) = &self.shared.writes else { return self.shared.reads.outage().await };
        tokio::select! {
            error = self.shared.reads.outage() => error,
            error = writes.outage() => error,
        }
    }

    /// Begins a pipeline: add commands, then [`send`](Pipeline::send) them in one piece.
    pub fn pipeline(&self) -> Pipeline {
        Pipeline::new(self.clone(), self.limits())
    }

    pub(crate) fn limits(&self) -> Limits {
        self.shared.target.options.limits
    }

    pub(crate) fn shared(&self) -> &Arc<ClientInner> {
        &self.shared
    }
}

impl Commands for &Client {
    type Output<T: FromReply> = Call<T>;

    fn call<T: FromReply>(self, request: Request<'_>) -> Call<T> {
        Call::new(&self.shared, Outgoing::from(request).prepare(&self.limits(), T::matches))
    }

    fn command<W: AsRef<[u8]>>(self, words: impl IntoIterator<Item = W>) -> Call<Reply> {
        let words: Vec<W> = words.into_iter().collect();
        let words: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
        let prepared =
            Outgoing::of_words(&words).and_then(|outgoing| outgoing.prepare(&self.limits(), Reply::matches));
        Call::new(&self.shared, prepared)
    }
}
