//! Limits on the length of keys, values, lines and globs, in bytes, and on the number of keys and arguments.

/// Default limit on the length of keys, in bytes.
pub const DEFAULT_MAX_KEY_BYTES: usize = 64 * 1024;

/// Default limit on the length of values, in bytes.
pub const DEFAULT_MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// Default number of keys in a page of a scan.
pub const DEFAULT_SCAN_LIMIT: u32 = 100;

/// Most keys that a client may request in a page of a scan.
pub const MAX_SCAN_LIMIT: u32 = 10_000;

/// Most items that a client accepts in one `LIST`: a full page of a scan, its cursor, and keys that have to share a page.
pub const MAX_LIST_ITEMS: usize = 65_536;

/// Most elements that a client takes in one reply of RESP, those of all its levels together: a name and a value for as many
/// keys as a request may name.
pub const MAX_REPLY_ELEMENTS: usize = 2 * MAX_ARGUMENTS;

/// Deepest nesting of arrays, sets and maps that a client accepts in a reply of RESP.
pub const MAX_REPLY_DEPTH: usize = 32;

/// Longest line that a client accepts in a reply of RESP, in bytes; byte strings are not lines.
pub const MAX_REPLY_LINE_BYTES: usize = 64 * 1024;

/// Default number of keys in a page of RESP's `SCAN`, as in Redis.
pub const DEFAULT_RESP_SCAN_COUNT: u32 = 10;

/// Most arguments of a RESP command, its name included.
pub const MAX_ARGUMENTS: usize = 1024 * 1024;

/// Longest glob of a RESP command, in bytes. Matching takes up to the glob's length times the key's length.
pub const MAX_GLOB_BYTES: usize = 256;

/// Most bytes that the globs of one `CONFIG GET` have together, with spaces between them. Matching is done in one turn, and
/// takes up to this length times that of the settings' names.
pub const MAX_CONFIG_GET_BYTES: usize = 1024;

/// Longest value in a `CONFIG SET`, in bytes.
pub const MAX_CONFIG_VALUE_BYTES: usize = 4096;

/// Longest name of a RESP connection, in bytes, because it stays in memory as long as the connection.
pub const MAX_CONNECTION_NAME_BYTES: usize = 1024;

/// Most bytes of a quoted byte (`\xhh`).
const MAX_ESCAPED_BYTES_PER_BYTE: usize = 4;

/// Room in a line for the verb, the spaces, the quotes and the numbers.
const LINE_OVERHEAD_BYTES: usize = 64;

/// Limits of a parser on its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest key, in bytes after unquoting.
    pub max_key_bytes: usize,
    /// Longest value, in bytes after unquoting.
    pub max_value_bytes: usize,
}

impl Limits {
    /// Longest line of the text protocol without escapes, in bytes without its line end: the longest key and value. An
    /// escape takes a backslash and up to three bytes more than what it stands for, so what has arrived of a line may be
    /// longer by three bytes for each backslash in it.
    pub const fn max_plain_line_bytes(&self) -> usize {
        self.max_key_bytes.saturating_add(self.max_value_bytes).saturating_add(LINE_OVERHEAD_BYTES)
    }

    /// Longest line of the text protocol, in bytes without its line end: the longest key and value, every byte
    /// of them escaped. No command of RESP is longer either.
    pub const fn max_line_bytes(&self) -> usize {
        self.max_key_bytes
            .saturating_add(self.max_value_bytes)
            .saturating_mul(MAX_ESCAPED_BYTES_PER_BYTE)
            .saturating_add(LINE_OVERHEAD_BYTES)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_key_bytes: DEFAULT_MAX_KEY_BYTES, max_value_bytes: DEFAULT_MAX_VALUE_BYTES }
    }
}
