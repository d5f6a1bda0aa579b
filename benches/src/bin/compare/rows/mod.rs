//! The rows of the table, and how each is measured.

mod compaction;
mod idle;
mod list;
mod memory;
mod start;
mod steady;

use std::path::PathBuf;
use std::time::Instant;

use crate::effort::Effort;
use crate::error::Error;
use crate::figures::Figure;
use crate::load::Load;
use crate::programs::Programs;
use crate::server::{Peer, Policy, Server, Site};

use start::Before;
use steady::Steady;

/// Who is compared, and how thoroughly.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) programs: Programs,
    pub(crate) effort: Effort,
    /// Who is measured, and against whom.
    pub(crate) peers: [Peer; 2],
    /// Where the servers' folders are made.
    pub(crate) scratch: PathBuf,
}

/// A row of the table, or a part of one that is measured by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) number: u8,
    pub(crate) work: &'static str,
    task: Task,
}

/// What came out of a row.
#[derive(Debug)]
pub(crate) enum Outcome {
    Measured(Vec<Figure>),
    Failed(Error),
}

#[derive(Debug, Clone, Copy)]
enum Task {
    Steady(Steady),
    Memory,
    Start(Before),
    Compaction,
    Idle,
}

impl Contest {
    /// Measures the rows of these numbers, or all if there are none. A row that fails keeps no other back.
    pub(crate) async fn run(&self, numbers: &[u8]) -> Vec<(Row, Outcome)> {
        let is_wanted = |row: &&Row| numbers.is_empty() || numbers.contains(&row.number);
        let mut outcomes = Vec::new();
        for row in list::ROWS.iter().filter(is_wanted) {
            eprintln!("row {}: {}", row.number, row.work);
            let start = Instant::now();
            let outcome = self.outcome(row.task).await;
            match &outcome {
                Outcome::Measured(_) => eprintln!("  done in {:.1} s", start.elapsed().as_secs_f64()),
                Outcome::Failed(error) => eprintln!("  failed: {error}"),
            }
            outcomes.push((*row, outcome));
        }
        outcomes
    }

    async fn outcome(&self, task: Task) -> Outcome {
        let figures = match task {
            Task::Steady(steady) => self.steady(&steady).await,
            Task::Memory => self.memory().await,
            Task::Start(before) => self.start(before).await,
            Task::Compaction => self.compaction().await,
            Task::Idle => self.idle().await,
        };
        figures.map_or_else(Outcome::Failed, Outcome::Measured)
    }

    /// Both servers, each with the keys of the load.
    async fn filled_servers(&self, policy: Policy, load: &Load) -> Result<[Server; 2], Error> {
        let [ours, theirs] = self.peers;
        let both = tokio::try_join!(
            self.filled_server(ours, policy, load),
            self.filled_server(theirs, policy, load)
        );
        both.map(<[Server; 2]>::from)
    }

    /// A server on a fresh folder, with the keys of the load.
    async fn filled_server(&self, peer: Peer, policy: Policy, load: &Load) -> Result<Server, Error> {
        let server = self.server(peer, policy).await?;
        server.fill(load.key_style(), 0..load.keys, load.value_bytes).await?;
        Ok(server)
    }

    /// A server on a fresh folder.
    async fn server(&self, peer: Peer, policy: Policy) -> Result<Server, Error> {
        Site::new(peer, policy, &self.scratch)?.start(&self.programs).await
    }

    /// How many requests keep the slower of the servers under load as long as a measurement shall take.
    async fn calibrate(&self, load: &Load, servers: &[Server]) -> Result<u64, Error> {
        let mut slowest = f64::INFINITY;
        for server in servers {
            slowest = slowest.min(self.ops_per_second(load, server).await?);
        }
        Ok(load.whole_rounds((slowest * self.effort.measurement.as_secs_f64()) as u64))
    }

    /// A rough measurement, which also warms the server up.
    async fn ops_per_second(&self, load: &Load, server: &Server) -> Result<f64, Error> {
        const FIRST_TRY_REQUESTS: u64 = 1000;
        let mut requests = load.whole_rounds(FIRST_TRY_REQUESTS);
        loop {
            let rate = load.run(&self.programs, server, requests).await?.ops_per_second;
            if requests as f64 / rate >= self.effort.measurement.as_secs_f64() / 10.0 {
                return Ok(rate);
            }
            requests = load.whole_rounds(requests * 4);
        }
    }

    fn say_pair(&self, index: u32) {
        eprintln!("  pair {} of {}", index + 1, self.effort.pairs);
    }
}
