//! The settings of a history, drawn from a seed.

use std::time::Duration;

use fastrand::Rng;
use rustvault_storage::{LogFormat, SyncPolicy};

use crate::disk::{DiskKind, Fault, FaultKind};
use crate::history::MAX_CLIENTS;

/// Operations of a history at least, all runs together.
pub(crate) const MIN_OPERATIONS: usize = 500;

const MIN_CLIENTS: usize = 8;

const MAX_DELAY_US: u64 = 20_000;

/// One history.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The disk of a server in this process; `None`: the server is a process of its own.
    pub(crate) disk: Option<DiskKind>,
    pub(crate) clients: usize,
    pub(crate) policy: SyncPolicy,
    pub(crate) threads: usize,
    pub(crate) format: LogFormat,
    pub(crate) has_large_values: bool,
    pub(crate) has_compactions: bool,
    pub(crate) runs: Vec<Run>,
}

/// The time between a start of the server and its end.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) phases: Vec<Phase>,
    /// The abrupt end; `None` for the last run, which is stopped in order.
    pub(crate) ending: Option<Ending>,
}

/// A part of a run in which the same clients are connected.
#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) clients: Vec<usize>,
    /// The number of answers after which it ends.
    pub(crate) operations: usize,
}

/// An abrupt end.
#[derive(Debug)]
pub(crate) enum Ending {
    Kill {
        /// A start that is killed as well, so long after it has opened the log.
        second_delay: Option<Duration>,
    },
    Fault {
        fault: Fault,
        /// The time for which the server goes on after its log has failed.
        linger: Duration,
    },
}

impl Plan {
    /// Draws the history of a seed. Of four neighbouring seeds one is about a disk that fails.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let disk = seed.is_multiple_of(4).then(|| rng.choice([DiskKind::Folder, DiskKind::Memory]));
        let disk = disk.flatten();
        let is_power_lost = disk == Some(DiskKind::Memory);
        let interval = SyncPolicy::Interval(Duration::from_millis(rng.u64(1..10)));
        let policies = [SyncPolicy::Always, SyncPolicy::Always, interval, SyncPolicy::Never];
        // A power loss takes what was not synced, and of lines it may make others.
        let policy = if is_power_lost { SyncPolicy::Always } else { policies[rng.usize(..4)] };
        let is_json = !is_power_lost && rng.u8(..5) == 0;
        let clients = rng.usize(MIN_CLIENTS..=MAX_CLIENTS);
        let restarts = rng.usize(1..=3);
        let mut plan = Self {
            seed,
            disk,
            clients,
            policy,
            threads: [1, 2, 2, 4][rng.usize(..4)],
            format: if is_json { LogFormat::Json } else { LogFormat::Binary },
            has_large_values: rng.u8(..4) == 0,
            has_compactions: rng.bool(),
            runs: Vec::new(),
        };
        for _ in 0..restarts {
            let ending = Some(if disk.is_some() { fault(policy, &mut rng) } else { kill(&mut rng) });
            plan.runs.push(Run { phases: plan.phases(&mut rng), ending });
        }
        let operations = plan.runs.iter().flat_map(|run| &run.phases).map(|phase| phase.operations).sum();
        let operations = MIN_OPERATIONS.saturating_sub(operations) + rng.usize(50..150);
        let phases = vec![Phase { clients: (0..clients).collect(), operations }];
        plan.runs.push(Run { phases, ending: None });
        plan
    }

    /// Draws the connected clients: all, or first one alone and then two. A client that is alone on a thread of the
    /// server writes the log on that thread, and a second one then gets another thread.
    fn phases(&self, rng: &mut Rng) -> Vec<Phase> {
        let everybody: Vec<_> = (0..self.clients).collect();
        let mut pair = rng.choose_multiple(everybody.iter().copied(), 2);
        rng.shuffle(&mut pair);
        let alone = Phase { clients: pair[..1].to_vec(), operations: rng.usize(5..30) };
        let two = Phase { clients: pair, operations: rng.usize(20..120) };
        let crowd = Phase { clients: everybody, operations: rng.usize(50..250) };
        match rng.u8(..8) {
            0..2 => vec![crowd],
            2..6 => vec![alone, two],
            _ => vec![alone, two, crowd],
        }
    }

    /// The options of a server that is a process.
    pub(crate) fn server_args(&self) -> String {
        format!("--fsync {} --threads {} --wal-format {}", self.policy, self.threads, self.format)
    }
}

fn kill(rng: &mut Rng) -> Ending {
    let second_delay = (rng.u8(..8) == 0).then(|| Duration::from_micros(rng.u64(..5000)));
    Ending::Kill { second_delay }
}

fn fault(policy: SyncPolicy, rng: &mut Rng) -> Ending {
    let kinds = match policy {
        // It syncs when there is a pause.
        SyncPolicy::Never => &[FaultKind::Write, FaultKind::TornWrite][..],
        _ => &[FaultKind::Write, FaultKind::TornWrite, FaultKind::Sync],
    };
    let fault = Fault {
        kind: kinds[rng.usize(..kinds.len())],
        is_lasting: rng.u8(..3) == 0,
        delay: if rng.u8(..4) == 0 { Duration::ZERO } else { Duration::from_micros(rng.u64(..MAX_DELAY_US)) },
        calls_before: if policy == SyncPolicy::Always { rng.u32(..6) } else { rng.u32(..2) },
    };
    Ending::Fault { fault, linger: Duration::from_micros(rng.u64(..3000)) }
}
