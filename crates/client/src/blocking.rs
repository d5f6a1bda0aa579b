//! The client for programs without an async runtime: each method returns once the server has answered.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use rustvault_protocol::{Reply, Request};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use crate::error::ErrorKind;
use crate::{Commands, Error, FromReply, Options, Pipeline, Replies};

/// A handle to a server that blocks the thread that asks.
///
/// Clone it, or share it, and use it from many threads at once; it has the connections, options and errors of
/// [`crate::Client`]. It has no threads of its own: the one that asks does the work, for the others as well.
///
/// # Panics
///
/// All methods that ask the server panic in an async task: they would block its runtime. Use [`crate::Client`] there, or
/// call them in `tokio::task::spawn_blocking`.
///
/// ```no_run
/// use rustvault_client::{Commands, blocking};
///
/// # fn main() -> Result<(), rustvault_client::Error> {
/// let client = blocking::Client::connect("127.0.0.1:8080")?;
/// client.set("user:1", "john")?;
/// for entry in client.entries("user:") {
///     let (key, value) = entry?;
///     println!("{} = {}", key.escape_ascii(), value.escape_ascii());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    // Before the runtime that its connections live in.
    client: crate::Client,
    runtime: Arc<OwnRuntime>,
}

impl Client {
    /// Connects with the default [`Options`]; see [`crate::Client::connect_with`] for the forms of `addr`.
    ///
    /// # Errors
    ///
    /// As [`connect_with`](Self::connect_with).
    pub fn connect(addr: impl AsRef<str>) -> Result<Self, Error> {
        Self::connect_with(addr, Options::new())
    }

    /// Connects, once and without trying again.
    ///
    /// # Errors
    ///
    /// As [`crate::Client::connect_with`]; or the system refuses what a runtime needs.
    pub fn connect_with(addr: impl AsRef<str>, options: Options) -> Result<Self, Error> {
        let runtime = Arc::new(OwnRuntime::new()?);
        let client = runtime.block_on(crate::Client::connect_with(addr, options))?;
        Ok(Self { client, runtime })
    }

    /// Returns all keys that start with `prefix`; see [`crate::Client::keys`].
    pub fn keys<K: AsRef<[u8]>>(
        &self,
        prefix: K,
    ) -> impl Iterator<Item = Result<Bytes, Error>> + Send + use<K> {
        let (runtime, mut keys) = (Arc::clone(&self.runtime), self.client.keys(prefix));
        std::iter::from_fn(move || runtime.block_on(keys.try_next()).transpose())
    }

    /// Returns all keys that start with `prefix`, with their values; see [`crate::Client::entries`].
    pub fn entries<K: AsRef<[u8]>>(
        &self,
        prefix: K,
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), Error>> + Send + use<K> {
        let (runtime, mut entries) = (Arc::clone(&self.runtime), self.client.entries(prefix));
        std::iter::from_fn(move || runtime.block_on(entries.try_next()).transpose())
    }

    /// Makes the server rewrite its log as the live data, and returns once that has ended.
    ///
    /// # Errors
    ///
    /// As [`crate::Client::compact`].
    pub fn compact(&self) -> Result<(), Error> {
        self.runtime.block_on(self.client.compact())
    }

    /// Begins a pipeline: add commands, then [`send`](Pipeline::send) them in one piece.
    pub fn pipeline(&self) -> Pipeline<Self> {
        Pipeline::new(self.clone(), self.client.limits())
    }
}

impl Commands for &Client {
    type Output<T: FromReply> = Result<T, Error>;

    fn call<T: FromReply>(self, request: Request<'_>) -> Result<T, Error> {
        self.runtime.block_on(self.client.call(request))
    }

    fn command<W: AsRef<[u8]>>(self, words: impl IntoIterator<Item = W>) -> Result<Reply, Error> {
        self.runtime.block_on(self.client.command(words))
    }
}

impl Pipeline<Client> {
    /// Sends it all and waits for all answers.
    ///
    /// # Errors
    ///
    /// As [`Pipeline::send`] of the async client.
    pub fn send(self) -> Result<Replies, Error> {
        let Client { client, runtime } = self.client().clone();
        runtime.block_on(self.send_over(&client))
    }
}

/// A runtime that any thread drives while it waits; dropping it waits for nothing.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self(Some(runtime.map_err(|source| ErrorKind::Runtime { source })?)))
    }

    fn block_on<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match &self.0 {
            Some(runtime) => runtime.block_on(async {
                // First what has happened since the last call, in which nobody looked at the sockets: a request must not
                // go over a connection that was closed meanwhile.
                yield_now().await;
                future.await
            }),
            None => Err(ErrorKind::RuntimeGone.into()),
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // In the background: a client may be dropped in an async task, which must not block.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for OwnRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnRuntime")
    }
}
