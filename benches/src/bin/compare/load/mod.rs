//! Load on a server, and what it measured.

mod redis_benchmark;
mod rustvault_bench;

use std::future::pending;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::Error;
use crate::programs::Programs;
use crate::resp::Keys;
use crate::scrape::scrape_for_ever;
use crate::server::{Peer, Server};

/// How long a load generator may take. (redis-benchmark, for one, never ends if its server has gone.)
const LOAD_LIMIT: Duration = Duration::from_secs(300);

/// What the connections do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Set,
    Get,
    Ping,
    /// `GET`s in this many of 100 requests, `SET`s otherwise.
    Mixed {
        reads_percent: u8,
    },
}

/// A load, but for its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) work: Work,
    pub(crate) connections: u32,
    /// Requests that a connection sends before it reads the answers.
    pub(crate) pipeline: u32,
    pub(crate) value_bytes: usize,
    /// Number of different keys.
    pub(crate) keys: u64,
}

/// What a load measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    pub(crate) ops_per_second: f64,
    pub(crate) cpu_micros_per_op: f64,
    pub(crate) latencies: Vec<Latency>,
}

/// How long the answers to one kind of command took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latency {
    pub(crate) command: &'static str,
    pub(crate) p50_millis: f64,
    pub(crate) p99_millis: f64,
    /// `None` if the load generator does not report it.
    pub(crate) p999_millis: Option<f64>,
    pub(crate) max_millis: f64,
}

/// What a load generator tells.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    ops_per_second: f64,
    latencies: Vec<Latency>,
}

impl Load {
    /// The keys that must be there, so that no `GET` misses.
    pub(crate) fn key_style(&self) -> Keys {
        match self.work {
            Work::Mixed { .. } => Keys::RustVaultBench,
            Work::Set | Work::Get | Work::Ping => Keys::RedisBenchmark,
        }
    }

    /// `wanted` requests or a few more: all connections send the same number of full pipelines.
    pub(crate) fn whole_rounds(&self, wanted: u64) -> u64 {
        wanted.max(1).next_multiple_of(u64::from(self.connections) * u64::from(self.pipeline))
    }

    /// Puts the load on a server.
    pub(crate) async fn run(
        &self,
        programs: &Programs,
        server: &Server,
        requests: u64,
    ) -> Result<Measured, Error> {
        let cpu_before = server.cpu_time()?;
        let told = tokio::select! {
            told = self.generate(programs, server, requests) => told?,
            error = work_beside(programs, server) => return Err(error),
        };
        let cpu = server.cpu_time()? - cpu_before;
        Ok(Measured {
            ops_per_second: told.ops_per_second,
            cpu_micros_per_op: cpu.as_secs_f64() * 1e6 / requests as f64,
            latencies: told.latencies,
        })
    }
}

impl Load {
    async fn generate(&self, programs: &Programs, server: &Server, requests: u64) -> Result<Told, Error> {
        let ca = programs.security.has_tls.then(|| programs.security.ca());
        match self.work {
            Work::Set => redis_benchmark::run(self, "SET", server, ca, requests).await,
            Work::Get => redis_benchmark::run(self, "GET", server, ca, requests).await,
            Work::Ping => redis_benchmark::run(self, "PING_MBULK", server, ca, requests).await,
            Work::Mixed { reads_percent } => {
                rustvault_bench::run(self, reads_percent, programs, server, requests).await
            }
        }
    }
}

/// Does what the run wants done beside each load of the measured server, until this is dropped; returns if that fails.
async fn work_beside(programs: &Programs, server: &Server) -> Error {
    let logins = programs.security.logins.filter(|_| server.peer() == Peer::RustVault);
    match (logins, server.scrape_addr()) {
        (Some(logins), _) => programs.security.log_in_for_ever(logins, server.addr()).await,
        (None, Some(addr)) => scrape_for_ever(addr).await,
        (None, None) => pending().await,
    }
}

/// Runs a load generator to its end and returns what it printed.
async fn output_of(program: &'static str, mut command: Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(LOAD_LIMIT, output)
        .await
        .map_err(|_| Error::TimedOut { what: program.to_owned(), limit: LOAD_LIMIT })?
        .map_err(Error::system(format!("run {program}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = said.lines().find(|line| !line.is_empty()).unwrap_or("it said nothing").to_owned();
    Err(Error::ProgramFailed { program, status: output.status, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_sends_the_same_number_of_full_pipelines() {
        let load = Load { work: Work::Set, connections: 50, pipeline: 16, value_bytes: 64, keys: 1 };
        assert_eq!([0, 800, 801].map(|wanted| load.whole_rounds(wanted)), [800, 800, 1600]);
    }
}
