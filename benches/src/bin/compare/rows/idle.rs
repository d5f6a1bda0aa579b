//! What connections cost that do nothing.

use super::Contest;
use crate::error::Error;
use crate::figures::Figure;
use crate::goals::Goal;
use crate::load::{Load, Work};
use crate::process;
use crate::server::{Peer, Policy, Server};

const CONNECTIONS: u64 = 10_000;

/// Of no consequence to reads; the keys are there sooner.
const POLICY: Policy = Policy::EverySecond;

/// Files that a process has open beside its connections, at most.
const OTHER_FILES: u64 = 600;

const MEMORY_GOAL: Goal = Goal::value_at_most(8.0);

/// "Unchanged", with room for the noise of a 99th percentile.
const LATENCY_GOAL: Goal = Goal::value_at_most(1.1);

/// What the others do, beside the idle connections.
const LOAD: Load = Load { work: Work::Get, connections: 50, pipeline: 1, value_bytes: 64, keys: 100_000 };

/// One server's half of a pair.
#[derive(Debug)]
struct Half {
    kibibytes_per_connection: f64,
    p99_millis_without: f64,
    p99_millis_with: f64,
}

impl Contest {
    pub(super) async fn idle(&self) -> Result<Vec<Figure>, Error> {
        process::check_open_files(CONNECTIONS + OTHER_FILES)?;
        let requests = self.requests().await?;
        let [ours, theirs] = self.peers;
        let mut pairs = Vec::new();
        for index in 0..self.effort.pairs {
            self.say_pair(index);
            pairs.push([self.idle_half(ours, requests).await?, self.idle_half(theirs, requests).await?]);
        }
        Ok(figures(&pairs))
    }

    async fn requests(&self) -> Result<u64, Error> {
        let servers = self.filled_servers(POLICY, &LOAD).await?;
        self.calibrate(&LOAD, &servers).await
    }

    async fn idle_half(&self, peer: Peer, requests: u64) -> Result<Half, Error> {
        let server = self.filled_server(peer, POLICY, &LOAD).await?;
        let p99_millis_without = self.p99_millis(&server, requests).await?;
        let before_bytes = server.resident_bytes()?;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            idle.push(server.connect().await?);
        }
        let p99_millis_with = self.p99_millis(&server, requests).await?;
        let grown_bytes = server.resident_bytes()?.saturating_sub(before_bytes);
        Ok(Half {
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

fn figures(pairs: &[[Half; 2]]) -> Vec<Figure> {
    vec![
        Figure::of("memory each", "KiB", pairs, |half| half.kibibytes_per_connection).with_goal(MEMORY_GOAL),
        Figure::of("others' GET p99 without", "ms", pairs, |half| half.p99_millis_without),
        Figure::of("others' GET p99 with", "ms", pairs, |half| half.p99_millis_with),
        Figure::of("p99 with ÷ without", "", pairs, |half| half.p99_millis_with / half.p99_millis_without)
            .with_goal(LATENCY_GOAL),
    ]
}
