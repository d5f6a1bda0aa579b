//! The async client of a RustVault server, for programs in Rust.
#![doc = include_str!("../README.md")]

mod client;
mod connection;
mod dial;
mod error;
mod keys;
mod options;
mod pipeline;
mod pool;
mod queue;
mod reply;
mod request;
mod scan;
mod session;

pub use bytes::Bytes;
pub use client::Client;
pub use error::Error;
pub use keys::Keys;
pub use options::Options;
pub use pipeline::{MAX_PIPELINE_BYTES, MAX_PIPELINE_COMMANDS, Pipeline};
pub use pool::Pool;
pub use reply::{Reply, ScanPage};
pub use rustvault_protocol::ErrorCode;
