//! The wire protocols of RustVault: commands, requests and replies, with parsers and encoders.
#![doc = include_str!("../README.md")]

mod codec;
mod command;
mod encode;
mod error;
mod error_line;
mod glob;
pub mod limits;
mod number;
mod parse;
mod protocol;
mod reply;
mod request;

pub use codec::{ClientCodec, ServerCodec};
pub use command::{
    Argument, ArgumentKind, Arity, Category, Command, CommandSpec, Flags, Group, KeyAccess, KeySpec,
    Protocols, SecretArguments,
};
pub use encode::{BulkEncoder, encode_request, encode_resp_request, encode_resp_words, needs_quotes};
pub use error::ErrorCode;
pub use glob::{GlobMatch, glob_literal_prefix, glob_matches};
pub use limits::Limits;
pub use number::parse_integer;
pub use parse::{Fatal, RequestParser, Step};
pub use protocol::Protocol;
pub use reply::{ErrorReply, Reply};
pub use request::{OwnedRequest, Request};
