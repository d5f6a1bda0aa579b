//! The typed commands, each once for every way to send it.

mod connection;
mod keys;
mod server;
mod set_options;
mod strings;

use std::time::SystemTime;

use bytes::Bytes;
use rustvault_protocol::{Command, Request};

use self::connection::connection_commands;
use self::keys::{key_commands, prefix_glob};
use self::server::server_commands;
pub use self::set_options::SetOptions;
use self::strings::string_commands;
use crate::{FromReply, Reply, ScanPage};

/// The commands of a server, as methods: of a client that awaits each of them ([`Client`](crate::Client)), of one that
/// blocks ([`blocking::Client`](crate::blocking::Client)), and of a [`Pipeline`](crate::Pipeline).
///
/// Keys and values are any bytes. What docs/commands.md says of a command holds for its method.
///
/// # Errors
///
/// Every command can fail in these ways; see [`Error`](crate::Error) for how to tell them apart:
/// - a key, a value or a prefix is over its limit, and nothing was sent;
/// - the server answers with an error, which has a [`code`](crate::Error::code);
/// - there is no answer. Unless the error [is retryable](crate::Error::is_retryable), a command that writes may have taken
///   effect all the same.
///
/// ```no_run
/// # async fn example(client: rustvault_client::Client) -> Result<(), rustvault_client::Error> {
/// use rustvault_client::Commands;
///
/// client.set("user:1", "john").await?;
/// let visits: i64 = client.incr("visits").await?;
/// // Any command, also one that this version does not know.
/// let reply = client.command(["ZADD", "board", "7", "ada"]).await?;
/// # let _ = (visits, reply);
/// # Ok(())
/// # }
/// ```
pub trait Commands: Sized {
    /// What a method returns for the type of its reply: a future, a result, or a handle to the reply.
    type Output<T: FromReply>;

    /// Sends a command of the table whose reply is read as `T`; the other methods call this.
    fn call<T: FromReply>(self, request: Request<'_>) -> Self::Output<T>;

    /// Sends any command by its words, the name first, and returns the reply as it comes.
    ///
    /// A command that this version does not know is sent as it is, and treated as a write: never twice. One that takes
    /// minutes, as `COMPACT` does, has a connection of its own and no timeout, and so cannot stand in a pipeline. Commands
    /// on the connection itself (`AUTH`, `CLIENT SETNAME`, `HELLO`, `MULTI`, …) concern everybody who shares it, and are
    /// forgotten when it breaks: use them with [`Options::one_connection`](crate::Options::one_connection).
    ///
    /// # Errors
    ///
    /// Not sent are `CLIENT REPLY`, `MONITOR`, `SUBSCRIBE` and its like, and `SYNC`: with them answers and requests would
    /// no longer come in pairs.
    fn command<W: AsRef<[u8]>>(self, words: impl IntoIterator<Item = W>) -> Self::Output<Reply>;

    string_commands!();
    key_commands!();
    connection_commands!();
    server_commands!();
}

const fn request<'a>(command: Command, arguments: &'a [&'a [u8]]) -> Request<'a> {
    Request { command, arguments }
}

/// Hands any number of arguments to `send`.
fn with_all<A: AsRef<[u8]>, O>(
    command: Command,
    arguments: impl IntoIterator<Item = A>,
    send: impl FnOnce(Request<'_>) -> O,
) -> O {
    let arguments: Vec<A> = arguments.into_iter().collect();
    let arguments: Vec<&[u8]> = arguments.iter().map(AsRef::as_ref).collect();
    send(request(command, &arguments))
}

/// Hands any number of keys, each with its value, to `send`.
fn with_pairs<K: AsRef<[u8]>, V: AsRef<[u8]>, O>(
    command: Command,
    pairs: impl IntoIterator<Item = (K, V)>,
    send: impl FnOnce(Request<'_>) -> O,
) -> O {
    let pairs: Vec<(K, V)> = pairs.into_iter().collect();
    let arguments: Vec<&[u8]> =
        pairs.iter().flat_map(|(key, value)| [key.as_ref(), value.as_ref()]).collect();
    send(request(command, &arguments))
}

/// The decimal digits of a number, to be an argument.
struct Digits(itoa::Buffer);

impl Digits {
    fn new() -> Self {
        Self(itoa::Buffer::new())
    }

    fn of(&mut self, number: impl itoa::Integer) -> &[u8] {
        self.0.format(number).as_bytes()
    }
}
