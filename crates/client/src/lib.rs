//! The client of a RustVault server, for programs in Rust: async, and blocking for those without a runtime.
#![doc = include_str!("../README.md")]

mod address;
pub mod blocking;
mod call;
mod client;
mod commands;
mod connection;
mod dial;
mod duplex;
mod error;
mod from_reply;
mod iterate;
mod login;
mod options;
mod outgoing;
mod pending;
mod pipeline;
mod pool;
mod queue;
mod tls;

pub use bytes::Bytes;
pub use call::Call;
pub use client::Client;
pub use commands::{Commands, SetOptions};
pub use error::Error;
pub use from_reply::{FromReply, ScanPage};
pub use iterate::{EntryStream, KeyStream, PrefixStream};
pub use login::LoginSecret;
pub use options::Options;
pub use pipeline::{MAX_PIPELINE_BYTES, MAX_PIPELINE_COMMANDS, Pipeline, Replies, ReplyHandle};
pub use pool::Pool;
pub use rustvault_protocol::{Command, ErrorCode, ErrorReply, Reply, Request};
pub use tls::{TlsDialer, TlsOptions};
