//! The typed commands, each once for every way to send it.

mod arguments;
mod set_options;

use std::time::SystemTime;

use bytes::Bytes;
use rustvault_protocol::{Command, Request};

use self::arguments::{Digits, prefix_glob, request, with_all, with_pairs};
pub use self::set_options::SetOptions;
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
    /// The type that a method returns for a reply of type `T`: a future, a result, or a handle to the reply.
    type Output<T: FromReply>;

    /// Sends a command of the table whose reply is read as `T`; the other methods call this.
    fn call<T: FromReply>(self, request: Request<'_>) -> Self::Output<T>;

    /// Sends any command by its words, the name first, and returns the reply as it comes.
    ///
    /// A command that this version does not know is sent as it is, and treated as a write: never twice. Without an answer in
    /// time, the connection that it was sent on is given up, since it may be a command that has none.
    ///
    /// `COMPACT` takes minutes: it has a connection of its own and no timeout, and cannot stand in a pipeline. Commands on the
    /// connection itself (`AUTH`, `CLIENT SETNAME`, `HELLO`, `MULTI`, …) concern everybody who shares it, and are forgotten
    /// when it breaks: use them with [`Options::one_connection`](crate::Options::one_connection).
    ///
    /// # Errors
    ///
    /// Not sent are `CLIENT REPLY`, `MONITOR`, `SUBSCRIBE`, `UNSUBSCRIBE` and their like, `SYNC` and `REPLCONF`: with them
    /// answers and requests would no longer come in pairs.
    ///
    /// Inside a transaction a command is answered with `QUEUED`, which no typed method takes for its reply: it would report
    /// as done what is not. Use `command` for all of it, up to `EXEC`.
    fn command<W: AsRef<[u8]>>(self, words: impl IntoIterator<Item = W>) -> Self::Output<Reply>;

    // Values.

    /// Returns the value of `key`, or `None` if there is no such key.
    fn get(self, key: impl AsRef<[u8]>) -> Self::Output<Option<Bytes>> {
        self.call(request(Command::Get, &[key.as_ref()]))
    }

    /// Stores `value` under `key`. Done means durable under the server's sync policy, as with every write.
    fn set(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<()> {
        self.call(request(Command::Set, &[key.as_ref(), value.as_ref()]))
    }

    /// Stores `value` under `key` if the options allow it; true if it was stored.
    fn set_with(
        self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        options: SetOptions,
    ) -> Self::Output<bool> {
        options.with_arguments(key.as_ref(), value.as_ref(), false, |arguments| {
            self.call(request(Command::Set, arguments))
        })
    }

    /// Stores `value` under `key` if the options allow it, and returns what was there before, whether it was replaced
    /// or not.
    fn set_with_get(
        self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        options: SetOptions,
    ) -> Self::Output<Option<Bytes>> {
        options.with_arguments(key.as_ref(), value.as_ref(), true, |arguments| {
            self.call(request(Command::Set, arguments))
        })
    }

    /// Returns the values of `keys`, in their order; those of up to 10,000 keys as they were at one moment.
    fn mget<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<Vec<Option<Bytes>>> {
        with_all(Command::MGet, keys, |request| self.call(request))
    }

    /// Stores several values, all or none.
    fn mset<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self::Output<()> {
        with_pairs(Command::MSet, pairs, |request| self.call(request))
    }

    /// Stores several values if none of the keys is there, all or none; true if they were stored.
    fn mset_nx<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self::Output<bool> {
        with_pairs(Command::MSetNx, pairs, |request| self.call(request))
    }

    /// Stores `value` under `key` if the key is missing; true if it was stored.
    fn set_nx(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<bool> {
        self.call(request(Command::SetNx, &[key.as_ref(), value.as_ref()]))
    }

    /// Stores `value` under `key` and returns what was there before.
    fn get_set(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<Option<Bytes>> {
        self.call(request(Command::GetSet, &[key.as_ref(), value.as_ref()]))
    }

    /// Removes `key` and returns the value that it had.
    fn get_del(self, key: impl AsRef<[u8]>) -> Self::Output<Option<Bytes>> {
        self.call(request(Command::GetDel, &[key.as_ref()]))
    }

    /// Adds 1 to the number in `key`, which counts as 0 if it is missing; returns the sum.
    fn incr(self, key: impl AsRef<[u8]>) -> Self::Output<i64> {
        self.call(request(Command::Incr, &[key.as_ref()]))
    }

    /// Subtracts 1 from the number in `key`, which counts as 0 if it is missing; returns the difference.
    fn decr(self, key: impl AsRef<[u8]>) -> Self::Output<i64> {
        self.call(request(Command::Decr, &[key.as_ref()]))
    }

    /// Adds `by` to the number in `key`, which counts as 0 if it is missing; returns the sum.
    fn incr_by(self, key: impl AsRef<[u8]>, by: i64) -> Self::Output<i64> {
        self.call(request(Command::IncrBy, &[key.as_ref(), Digits::new().of(by)]))
    }

    /// Subtracts `by` from the number in `key`, which counts as 0 if it is missing; returns the difference.
    fn decr_by(self, key: impl AsRef<[u8]>, by: i64) -> Self::Output<i64> {
        self.call(request(Command::DecrBy, &[key.as_ref(), Digits::new().of(by)]))
    }

    /// Adds `by` to the decimal number in `key`, which counts as 0 if it is missing, to 17 decimal places; returns the
    /// nearest number to the sum.
    fn incr_by_float(self, key: impl AsRef<[u8]>, by: f64) -> Self::Output<f64> {
        self.call(request(Command::IncrByFloat, &[key.as_ref(), by.to_string().as_bytes()]))
    }

    /// Adds `value` to the end of that of `key`; returns the length then, in bytes. The whole value goes to the log.
    fn append(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<u64> {
        self.call(request(Command::Append, &[key.as_ref(), value.as_ref()]))
    }

    /// Overwrites the value of `key` with `part`, beginning at byte `offset`, with zeros in a gap; returns the length
    /// then, in bytes. The whole value goes to the log.
    fn set_range(self, key: impl AsRef<[u8]>, offset: u64, part: impl AsRef<[u8]>) -> Self::Output<u64> {
        let mut from = Digits::new();
        self.call(request(Command::SetRange, &[key.as_ref(), from.of(offset), part.as_ref()]))
    }

    /// Returns the length of the value of `key` in bytes; 0 if there is no such key.
    fn strlen(self, key: impl AsRef<[u8]>) -> Self::Output<u64> {
        self.call(request(Command::StrLen, &[key.as_ref()]))
    }

    /// Returns the bytes of a value from `start` to `end`, both included; a negative position counts from the end,
    /// which is -1. Empty if there is no such key.
    fn get_range(self, key: impl AsRef<[u8]>, start: i64, end: i64) -> Self::Output<Bytes> {
        let (mut first, mut last) = (Digits::new(), Digits::new());
        self.call(request(Command::GetRange, &[key.as_ref(), first.of(start), last.of(end)]))
    }

    // Keys, whatever their values are.

    /// Removes `key`; true if it was there.
    fn delete(self, key: impl AsRef<[u8]>) -> Self::Output<bool> {
        self.call(request(Command::Delete, &[key.as_ref()]))
    }

    /// Removes `keys`, up to 10,000 in one step; returns how many were there.
    fn del<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
        with_all(Command::Del, keys, |request| self.call(request))
    }

    /// Removes `keys` as [`del`](Self::del) does; both free memory in the background.
    fn unlink<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
        with_all(Command::Unlink, keys, |request| self.call(request))
    }

    /// Returns how many of `keys` are there.
    fn touch<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
        with_all(Command::Touch, keys, |request| self.call(request))
    }

    /// Returns whether `key` is there.
    fn exists(self, key: impl AsRef<[u8]>) -> Self::Output<bool> {
        self.call(request(Command::Exists, &[key.as_ref()]))
    }

    /// Returns how many of `keys` are there, up to 10,000 looked up in one step; one that is named twice counts twice.
    fn count_existing<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
        with_all(Command::Exists, keys, |request| self.call(request))
    }

    /// Renames `key`; `new_key` is replaced if it is there. An error if there is no `key`.
    fn rename(self, key: impl AsRef<[u8]>, new_key: impl AsRef<[u8]>) -> Self::Output<()> {
        self.call(request(Command::Rename, &[key.as_ref(), new_key.as_ref()]))
    }

    /// Renames `key` if `new_key` is missing; true if it did. An error if there is no `key`.
    fn rename_nx(self, key: impl AsRef<[u8]>, new_key: impl AsRef<[u8]>) -> Self::Output<bool> {
        self.call(request(Command::RenameNx, &[key.as_ref(), new_key.as_ref()]))
    }

    /// Stores the value of `source` under `destination` as well, if that is missing; true if it did.
    fn copy(self, source: impl AsRef<[u8]>, destination: impl AsRef<[u8]>) -> Self::Output<bool> {
        self.call(request(Command::Copy, &[source.as_ref(), destination.as_ref()]))
    }

    /// Stores the value of `source` under `destination` as well, whatever is there; true if there is a `source`.
    fn copy_replace(self, source: impl AsRef<[u8]>, destination: impl AsRef<[u8]>) -> Self::Output<bool> {
        self.call(request(Command::Copy, &[source.as_ref(), destination.as_ref(), b"REPLACE"]))
    }

    /// Returns what kind of value `key` has: `string`, or `none` if there is no such key.
    fn type_of(self, key: impl AsRef<[u8]>) -> Self::Output<String> {
        self.call(request(Command::Type, &[key.as_ref()]))
    }

    /// Returns how Redis would keep the value of `key`: `int`, `embstr` or `raw`; `None` if there is no such key.
    fn object_encoding(self, key: impl AsRef<[u8]>) -> Self::Output<Option<String>> {
        self.call(request(Command::ObjectEncoding, &[key.as_ref()]))
    }

    /// Returns some key, or `None` if there is none.
    fn random_key(self) -> Self::Output<Option<Bytes>> {
        self.call(request(Command::RandomKey, &[]))
    }

    /// Returns a page of the keys that start with `prefix`, at most `count` of them (1 to 10,000).
    ///
    /// Begin with cursor 0 and go on with [`ScanPage::next_cursor`] until that is 0; a page may be short,
    /// or empty, before the last one. A key that is there all the while is returned at least once.
    /// [`Client::keys`](crate::Client::keys) follows the cursor for you.
    fn scan(self, cursor: u64, prefix: impl AsRef<[u8]>, count: u32) -> Self::Output<ScanPage> {
        let (mut from, mut most, glob) = (Digits::new(), Digits::new(), prefix_glob(prefix.as_ref()));
        let arguments: [&[u8]; 5] = [from.of(cursor), b"MATCH", &glob, b"COUNT", most.of(count)];
        self.call(request(Command::Scan, &arguments))
    }

    /// Returns all keys that match a pattern, a million at most, in one answer; the server looks at every key.
    ///
    /// `*` stands for any bytes, `?` for any one byte, `[a-z]` for one of a class, `\` before a byte for itself; the
    /// pattern has at most 256 bytes. To go through many keys use [`Client::keys`](crate::Client::keys) instead.
    fn keys_matching(self, pattern: impl AsRef<[u8]>) -> Self::Output<Vec<Bytes>> {
        self.call(request(Command::Keys, &[pattern.as_ref()]))
    }

    // The connection.

    /// Asks whether the server answers.
    fn ping(self) -> Self::Output<()> {
        self.call(request(Command::Ping, &[]))
    }

    /// Returns `message`, from the server.
    fn echo(self, message: impl AsRef<[u8]>) -> Self::Output<Bytes> {
        self.call(request(Command::Echo, &[message.as_ref()]))
    }

    /// Returns the number of the connection.
    fn client_id(self) -> Self::Output<u64> {
        self.call(request(Command::ClientId, &[]))
    }

    /// Returns the line of [`client_list`](Self::client_list) on the connection.
    fn client_info(self) -> Self::Output<String> {
        self.call(request(Command::ClientInfo, &[]))
    }

    /// Returns a line on each client that is connected.
    fn client_list(self) -> Self::Output<String> {
        self.call(request(Command::ClientList, &[]))
    }

    /// Disconnects the client of this address, `ip:port`. An error if there is none.
    fn client_kill(self, addr: impl AsRef<[u8]>) -> Self::Output<()> {
        self.call(request(Command::ClientKill, &[addr.as_ref()]))
    }

    /// Disconnects the client of this number; returns how many there were, 0 or 1.
    fn client_kill_id(self, id: u64) -> Self::Output<u64> {
        self.call(request(Command::ClientKill, &[b"ID", Digits::new().of(id)]))
    }

    /// Returns the name of the connection.
    fn client_get_name(self) -> Self::Output<Option<String>> {
        self.call(request(Command::ClientGetName, &[]))
    }

    /// Names the connection, until it breaks; [`Options::client_name`](crate::Options::client_name) names all.
    fn client_set_name(self, name: impl AsRef<[u8]>) -> Self::Output<()> {
        self.call(request(Command::ClientSetName, &[name.as_ref()]))
    }

    /// Tells the server the name (`LIB-NAME`) or the version (`LIB-VER`) of a library, for
    /// [`client_list`](Self::client_list).
    fn client_set_info(self, attribute: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<()> {
        self.call(request(Command::ClientSetInfo, &[attribute.as_ref(), value.as_ref()]))
    }

    /// Does nothing: no client is disconnected to make room.
    fn client_no_evict(self, on: bool) -> Self::Output<()> {
        let mode: &[u8] = if on { b"ON" } else { b"OFF" };
        self.call(request(Command::ClientNoEvict, &[mode]))
    }

    // The server.

    /// Returns the number of keys.
    fn count(self) -> Self::Output<u64> {
        self.call(request(Command::DbSize, &[]))
    }

    /// Returns the server's state as names and values, in the server's order.
    fn info(self) -> Self::Output<Vec<(String, String)>> {
        self.call(request(Command::Info, &[b"rustvault"]))
    }

    /// Removes all keys.
    fn flush_all(self) -> Self::Output<()> {
        self.call(request(Command::FlushAll, &[]))
    }

    /// Removes all keys: there is one database.
    fn flush_db(self) -> Self::Output<()> {
        self.call(request(Command::FlushDb, &[]))
    }

    /// Returns the server's time.
    fn time(self) -> Self::Output<SystemTime> {
        self.call(request(Command::Time, &[]))
    }

    /// Returns how many bytes of memory `key` takes with its value, or `None` if there is no such key.
    fn memory_usage(self, key: impl AsRef<[u8]>) -> Self::Output<Option<u64>> {
        self.call(request(Command::MemoryUsage, &[key.as_ref()]))
    }

    /// Returns the settings, in Redis's terms, whose names match a pattern.
    fn config_get(self, pattern: impl AsRef<[u8]>) -> Self::Output<Vec<(String, String)>> {
        self.call(request(Command::ConfigGet, &[pattern.as_ref()]))
    }

    /// Changes settings of the running server, all or none, until its next reload or restart.
    fn config_set<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        self,
        settings: impl IntoIterator<Item = (N, V)>,
    ) -> Self::Output<()> {
        with_pairs(Command::ConfigSet, settings, |request| self.call(request))
    }

    /// Makes the server load its configuration again, all or nothing, and returns what has become of each setting.
    fn config_reload(self) -> Self::Output<Vec<(String, String)>> {
        self.call(request(Command::ConfigReload, &[]))
    }

    /// Sets the server's counters of connections, commands and errors to 0.
    fn config_reset_stat(self) -> Self::Output<()> {
        self.call(request(Command::ConfigResetStat, &[]))
    }

    /// Returns the name of the user that the connection acts as.
    fn acl_whoami(self) -> Self::Output<String> {
        self.call(request(Command::AclWhoAmI, &[]))
    }

    /// Returns the names of the users.
    fn acl_users(self) -> Self::Output<Vec<String>> {
        self.call(request(Command::AclUsers, &[]))
    }

    /// Returns a line with the rights of each user.
    fn acl_list(self) -> Self::Output<Vec<String>> {
        self.call(request(Command::AclList, &[]))
    }

    /// Begins to rewrite the log as the live data, and returns at once; `compact` of a client waits for the end.
    fn bg_rewrite_aof(self) -> Self::Output<()> {
        self.call(request(Command::BgRewriteAof, &[]))
    }

    /// Returns the number of commands that the server has.
    fn command_count(self) -> Self::Output<u64> {
        self.call(request(Command::CommandCount, &[]))
    }

    /// Returns the names of the commands that the server has.
    fn command_list(self) -> Self::Output<Vec<String>> {
        self.call(request(Command::CommandList, &[]))
    }

    /// Returns arity, flags and keys of commands as Redis does, `Null` for one that is not there; of all if none is
    /// named.
    fn command_info<N: AsRef<[u8]>>(self, names: impl IntoIterator<Item = N>) -> Self::Output<Vec<Reply>> {
        with_all(Command::CommandInfo, names, |request| self.call(request))
    }

    /// Returns the documentation of commands as Redis does; of all if none is named.
    fn command_docs<N: AsRef<[u8]>>(self, names: impl IntoIterator<Item = N>) -> Self::Output<Reply> {
        with_all(Command::CommandDocs, names, |request| self.call(request))
    }

    /// Returns the keys in a whole command, its name first.
    fn command_get_keys<W: AsRef<[u8]>>(
        self,
        words: impl IntoIterator<Item = W>,
    ) -> Self::Output<Vec<Bytes>> {
        with_all(Command::CommandGetKeys, words, |request| self.call(request))
    }
}
