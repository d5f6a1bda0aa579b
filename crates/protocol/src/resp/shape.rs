/// How the response to one RESP command is put on the wire.
///
/// Several Redis commands share one request: `STRLEN` is a `Get` of which only the length is told. An error
/// is an error in every shape, and a response that does not fit the shape is written as in [`Plain`](Self::Plain).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape<'a> {
    /// As it is: `Ok` and `Pong` as status, `Value` as bulk string, `NotFound` as null, `List` as array.
    Plain,
    /// `Ok` as 1, `NotFound` as 0, `Value` as the decimal number that it is.
    Integer,
    /// `Value` as its length in bytes, `NotFound` as 0.
    Length,
    /// `Ok` as `string`, `NotFound` as `none`.
    Type,
    /// `List` as a page of `SCAN`: its first item is the cursor, the others are keys.
    Page {
        /// Only keys that [match](crate::GlobMatch) this glob are asked for; `None` for all. Whoever answers leaves the
        /// others out: that may be long work, so it is not part of encoding.
        glob: Option<&'a [u8]>,
    },
    /// `List` as an array of keys.
    Matching {
        /// Only keys that match this glob are asked for; whoever answers leaves the others out.
        glob: &'a [u8],
    },
    /// `Ok` as Redis's word that a rewrite of the log has begun; the answer does not wait for its end.
    Started,
    /// `List` of `name=value` as one text of lines `name:value`.
    Info,
}
