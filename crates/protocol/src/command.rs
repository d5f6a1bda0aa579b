use std::borrow::Cow;

use bytes::Bytes;

/// What a client asks for, generic over how keys and values are held.
///
/// [`Request`] borrows them from the read buffer, which is what a server wants;
/// `Command<Bytes>` (the default) owns them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<B = Bytes> {
    /// Store `value` under `key`, whatever was there before.
    Set {
        /// The key, up to [`Limits::max_key_bytes`](crate::Limits::max_key_bytes); it may be empty.
        key: B,
        /// The value, up to [`Limits::max_value_bytes`](crate::Limits::max_value_bytes).
        value: B,
    },
    /// Read the value of `key`.
    Get {
        /// The key to read.
        key: B,
    },
    /// Remove `key`.
    Delete {
        /// The key to remove.
        key: B,
    },
    /// Ask whether `key` is there.
    Exists {
        /// The key to look for.
        key: B,
    },
    /// Ask for the number of keys.
    Count,
    /// Read one page of keys.
    Scan {
        /// Where to go on: 0 at first, then the cursor of the page before.
        cursor: u64,
        /// Only keys that start with these bytes; empty for all.
        prefix: B,
        /// How many keys at most, 1 to [`MAX_SCAN_LIMIT`](crate::limits::MAX_SCAN_LIMIT).
        limit: u32,
    },
    /// Ask whether the server is there.
    Ping,
    /// Ask for the server's state, as `name=value` lines.
    Info,
    /// Rewrite the log as the live data, and answer once that has ended.
    Compact,
    /// Answer what came before, then close the connection.
    Quit,
}

impl<B> Command<B> {
    /// The same command with its key, value or prefix held another way.
    ///
    /// ```
    /// use rustvault_protocol::{Command, Request};
    ///
    /// let borrowed: Request<'_> = Command::Get { key: b"user:1".into() };
    /// let owned: Command<Vec<u8>> = borrowed.map(|key| key.into_owned());
    /// ```
    pub fn map<C>(self, mut hold: impl FnMut(B) -> C) -> Command<C> {
        match self {
            Self::Set { key, value } => Command::Set { key: hold(key), value: hold(value) },
            Self::Get { key } => Command::Get { key: hold(key) },
            Self::Delete { key } => Command::Delete { key: hold(key) },
            Self::Exists { key } => Command::Exists { key: hold(key) },
            Self::Count => Command::Count,
            Self::Scan { cursor, prefix, limit } => Command::Scan { cursor, prefix: hold(prefix), limit },
            Self::Ping => Command::Ping,
            Self::Info => Command::Info,
            Self::Compact => Command::Compact,
            Self::Quit => Command::Quit,
        }
    }
}

/// A [`Command`] that borrows from the read buffer; only quoted fields with escapes are owned.
pub type Request<'a> = Command<Cow<'a, [u8]>>;
