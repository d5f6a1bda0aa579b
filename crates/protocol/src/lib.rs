#![doc = include_str!("../README.md")]

mod codec;
mod command;
mod encode;
mod error;
pub mod limits;
mod parse;
mod resp;
mod response;

pub use codec::{ClientCodec, ServerCodec};
pub use command::{Command, Request};
pub use encode::{encode_command, encode_response, encode_value_chunk, needs_quotes};
pub use error::{ErrorCode, ProtocolError};
pub use limits::Limits;
pub use parse::{RequestParser, RespParser, RespStep, Step};
pub use resp::{
    Credentials, GlobMatch, ManyRequest, RespCommand, RespValue, RespVersion, SessionCommand, Shape,
    TransactionCommand, begin_resp_bulk, encode_resp, encode_resp_value, glob_literal_prefix, glob_matches,
};
pub use response::Response;
