//! Arguments of the load generator.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use super::values::parse_size;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BenchArgs {
    /// What the server speaks
    #[arg(long, value_enum, default_value_t = BenchProtocol::Text, value_name = "PROTOCOL")]
    pub(crate) protocol: BenchProtocol,

    /// Connections, each with its own loop
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) clients: u32,

    /// Requests that a connection sends before it reads the answers
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) pipeline: u32,

    /// Requests in all, split over the connections
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests: u64,

    /// Size of the values written, such as 64, 16KiB or 1MiB
    #[arg(long, default_value = "64", value_name = "SIZE", value_parser = parse_size)]
    pub(crate) value_bytes: usize,

    /// Number of different keys
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    pub(crate) keys: u64,

    /// How many of 100 requests are GET, the others are SET
    #[arg(long, default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) reads: u8,
}

/// A wire protocol of the load generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BenchProtocol {
    /// RustVault's own
    Text,
    /// Redis's; any server of it can be loaded
    Resp,
}

impl fmt::Display for BenchProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Resp => "resp",
        })
    }
}
