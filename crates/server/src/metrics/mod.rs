//! Metrics: counters and histograms of each worker, summed when somebody asks for them.

mod counter;
mod exposition;
mod family;
mod histogram;
mod listener_kind;
mod snapshot;
mod worker;

use arc_swap::ArcSwapOption;

pub use exposition::METRIC_GROUPS;
pub(crate) use exposition::{scrape, scrape_starting};
pub use family::{MetricFamily, MetricGroup, MetricKind};
pub(crate) use histogram::HistogramSnapshot;
pub(crate) use listener_kind::ListenerKind;
pub(crate) use snapshot::{CommandSnapshot, MetricsSnapshot};
pub(crate) use worker::{CommandError, WorkerMetrics};

/// Metrics of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    workers: Box<[WorkerMetrics]>,
    /// Figures at the last `CONFIG RESETSTAT`, which `INFO` counts from. Prometheus counts from the start.
    reset_at: ArcSwapOption<MetricsSnapshot>,
}

impl Metrics {
    /// Makes the metrics of a server with so many workers.
    pub(crate) fn new(workers: usize) -> Self {
        let workers = (0..workers.max(1)).map(|_| WorkerMetrics::new()).collect();
        Self { workers, reset_at: ArcSwapOption::empty() }
    }

    /// Returns the metrics of a worker, which that worker alone may change.
    #[inline]
    pub(crate) fn worker(&self, index: usize) -> &WorkerMetrics {
        &self.workers[index]
    }

    /// Returns the sum of all workers' metrics since the start.
    pub(crate) fn snapshot(&self) -> MetricsSnapshot {
        let mut snapshot = MetricsSnapshot::default();
        self.workers.iter().for_each(|worker| worker.add_to(&mut snapshot));
        snapshot
    }

    /// Returns the sum of all workers' metrics since the last [`reset`](Self::reset).
    pub(crate) fn since_reset(&self) -> MetricsSnapshot {
        // Before the figures of now: those of a reset in between would be later ones, and the difference below zero.
        let earlier = self.reset_at.load_full();
        let mut snapshot = self.snapshot();
        if let Some(earlier) = earlier {
            snapshot.subtract(&earlier);
        }
        snapshot
    }

    /// Makes [`since_reset`](Self::since_reset) begin here.
    pub(crate) fn reset(&self) {
        self.reset_at.store(Some(self.snapshot().into()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use rustvault_protocol::{Command, ErrorCode};

    use super::*;

    #[test]
    fn the_figures_of_all_workers_are_summed_and_count_from_the_last_reset() {
        let metrics = Metrics::new(2);
        let answer = |worker: usize, command| {
            metrics.worker(worker).answered(command, ListenerKind::Tls, Duration::from_micros(3), 2);
        };
        answer(0, Some(Command::Get));
        answer(1, Some(Command::Get));
        answer(1, None);
        metrics.worker(1).error(None, CommandError::Rejected, ErrorCode::UnknownCommand);
        let sum = metrics.snapshot();
        assert_eq!((sum.total_commands(), sum.total_errors()), (6, 1));
        let get = |sum: &MetricsSnapshot| {
            let (_, get) = sum.commands().find(|(command, _)| *command == Some(Command::Get)).unwrap();
            (get.answered, get.durations.as_ref().map(|durations| durations.count()))
        };
        assert_eq!(get(&sum), ([0, 4, 0], Some(4)));
        metrics.reset();
        answer(0, Some(Command::Get));
        assert_eq!(get(&metrics.since_reset()), ([0, 2, 0], Some(2)));
        assert_eq!((metrics.since_reset().total_errors(), metrics.snapshot().total_commands()), (0, 8));
    }

    #[test]
    fn a_reset_while_the_figures_are_read_makes_none_of_them_negative() {
        const ANSWERS: u64 = 1_000_000;
        let metrics = Metrics::new(1);
        let is_over = AtomicBool::new(false);
        // The first one of a snapshot: most of it is read after this one.
        let command = Command::ALL[0];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..ANSWERS {
                    metrics.worker(0).answered(Some(command), ListenerKind::Tcp, Duration::from_nanos(1), 1);
                }
                is_over.store(true, Ordering::Relaxed);
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        metrics.reset();
                    }
                });
            }
            while !is_over.load(Ordering::Relaxed) {
                let total = metrics.since_reset().total_commands();
                assert!(total <= ANSWERS, "{total}");
            }
        });
    }
}
