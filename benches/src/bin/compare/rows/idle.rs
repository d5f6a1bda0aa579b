//! What connections cost that do nothing.

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::load::{Load, Work};
use crate::process;
use crate::server::{Peer, Policy, Server};

const CONNECTIONS: u64 = 10_000;

/// Of no consequence to reads; the keys are there sooner.
const POLICY: Policy = Policy::EverySecond;

/// Files that a process has open beside its connections, at most.
const OTHER_FILES: u64 = 600;

/// What the others do, beside the idle connections.
const LOAD: Load = Load { work: Work::Get, connections: 50, pipeline: 1, value_bytes: 64, keys: 100_000 };

/// One server's part of a round.
#[derive(Debug)]
struct Part {
    kibibytes_per_connection: f64,
    p99_millis_without: f64,
    p99_millis_with: f64,
}

impl Contest {
    pub(super) async fn idle(&self, sides: &[Peer]) -> Result<Vec<Figure>, Error> {
        process::check_open_files(CONNECTIONS + OTHER_FILES)?;
        let requests = self.requests(sides).await?;
        let rounds = self.rounds(sides, async |side| self.idle_part(*side, requests).await).await?;
        Ok(figures(&rounds))
    }

    async fn requests(&self, sides: &[Peer]) -> Result<u64, Error> {
        let servers = self.filled_servers(sides, POLICY, &LOAD).await?;
        self.calibrate(&LOAD, &servers).await
    }

    async fn idle_part(&self, peer: Peer, requests: u64) -> Result<Part, Error> {
        let server = self.filled_server(peer, POLICY, &LOAD).await?;
        let p99_millis_without = self.p99_millis(&server, requests).await?;
        let before_bytes = server.resident_bytes()?;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            idle.push(server.connect().await?);
        }
        let p99_millis_with = self.p99_millis(&server, requests).await?;
        let grown_bytes = server.resident_bytes()?.saturating_sub(before_bytes);
        Ok(Part {
            kibibytes_per_connection: grown_bytes as f64 / 1024.0 / CONNECTIONS as f64,
            p99_millis_without,
            p99_millis_with,
        })
    }

    async fn p99_millis(&self, server: &Server, requests: u64) -> Result<f64, Error> {
        let measured = LOAD.run(&self.programs, server, requests).await?;
        Ok(measured.latencies.first().map_or(f64::NAN, |latency| latency.p99_millis))
    }
}

fn figures(rounds: &[Vec<Part>]) -> Vec<Figure> {
    let of = |name: &str, unit, value: fn(&Part) -> f64| Figure::of(name, unit, rounds, value);
    vec![
        of("memory each", "KiB", |part| part.kibibytes_per_connection),
        of("others' GET p99 without", "ms", |part| part.p99_millis_without),
        of("others' GET p99 with", "ms", |part| part.p99_millis_with),
        of("p99 with ÷ without", "", |part| part.p99_millis_with / part.p99_millis_without),
    ]
}
