//! What the RESP door says: its commands, and how its answers stand on the wire.

mod command;
mod encode;
mod glob;
mod shape;
mod value;

pub use command::{Credentials, ManyRequest, RespCommand, SessionCommand, TransactionCommand};
pub use encode::{begin_resp_bulk, encode_resp};
pub use glob::{GlobMatch, glob_literal_prefix, glob_matches};
pub use shape::Shape;
pub use value::{RespValue, RespVersion, encode_resp_value};
