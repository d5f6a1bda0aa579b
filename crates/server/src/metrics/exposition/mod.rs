//! Text of `/metrics`: what a scrape asks, and the groups of its families.

mod access;
mod clients;
mod commands;
mod compaction;
mod data;
mod http;
mod log;
mod samples;
mod server;

use std::time::Duration;

use rustvault_storage::Stats;
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use tokio::time::timeout;

use super::family::MetricGroup;
use crate::Lifecycle;
use crate::engine::Engine;
use crate::process_stats::ProcessStats;
use samples::Samples;

/// All families of `/metrics`, in groups.
pub static METRIC_GROUPS: [MetricGroup; 9] = [
    MetricGroup::new("Server", &server::SERVER_FAMILIES),
    MetricGroup::new("Commands", &commands::FAMILIES),
    MetricGroup::new("Connections", &clients::FAMILIES),
    MetricGroup::new("Data", &data::FAMILIES),
    MetricGroup::new("Log", &log::FAMILIES),
    MetricGroup::new("Compaction", &compaction::FAMILIES),
    MetricGroup::new("Logins, reloads and TLS", &access::FAMILIES),
    MetricGroup::new("HTTP", &http::FAMILIES),
    MetricGroup::new("Process", &server::PROCESS_FAMILIES),
];

/// Longest wait of a scrape for the store, as of `INFO`. After it, what could reveal writes that are not durable is left out.
const STORE_PATIENCE: Duration = Duration::from_secs(1);

/// Returns the figures of a server in Prometheus's text format, version 0.0.4.
pub(crate) async fn scrape<S: BatchStore>(engine: &Engine<S>) -> String {
    let (stats, is_durable) = ask_store(&engine.store).await;
    let (metrics, mut samples) = (engine.metrics.snapshot(), Samples::default());
    server::collect(&engine.lifecycle, stats.as_ref(), &mut samples);
    server::collect_serving(engine.config().threads, stats.as_ref(), &mut samples);
    commands::collect(engine, &metrics, &mut samples);
    clients::collect(engine, &metrics, &mut samples);
    data::collect(engine, &mut samples);
    if let Some(stats) = &stats {
        log::collect(engine, stats, &mut samples);
        compaction::collect(stats, &mut samples);
    }
    if let Some(stats) = stats.as_ref().filter(|_| is_durable) {
        data::collect_data(stats, &mut samples);
        compaction::collect_data(stats, &mut samples);
        log::collect_data(stats, &mut samples);
    }
    access::collect(engine, &mut samples);
    http::collect(&engine.http, &mut samples);
    server::collect_process(&ProcessStats::read(), &mut samples);
    samples.into_text()
}

/// Returns the figures of a server that does not serve yet, in the same format.
pub(crate) fn scrape_starting(lifecycle: &Lifecycle) -> String {
    let mut samples = Samples::default();
    server::collect(lifecycle, None, &mut samples);
    server::collect_process(&ProcessStats::read(), &mut samples);
    samples.into_text()
}

/// Returns the store's figures, if they come in time, and whether all writes that they show are durable: the answer to whether the
/// disk hangs must not wait for the disk.
async fn ask_store<S: BatchStore>(store: &S) -> (Option<Stats>, bool) {
    let mut replies = Vec::with_capacity(1);
    let mut stats = None;
    let waiting = async {
        drop(store.submit(&[Op::Stats], usize::MAX, &mut replies).await);
        let reply = replies.pop()?;
        let Ok(Outcome::Stats(found)) = reply.outcome else { return None };
        stats = Some(*found);
        store.wait_for_commit(reply.depends_on).await.ok()
    };
    let is_durable = timeout(STORE_PATIENCE, waiting).await.is_ok_and(|waited| waited.is_some());
    (stats, is_durable)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use rustvault_protocol::{Command, ErrorCode};
    use rustvault_storage::batch::{Completion, Submission};
    use rustvault_storage::{Error, Lsn, MemoryStore, Options};

    use super::*;
    use crate::metrics::{CommandError, ListenerKind, MetricFamily};
    use crate::{Phase, ServerConfig};

    fn families() -> BTreeMap<&'static str, &'static MetricFamily> {
        let all = METRIC_GROUPS.iter().flat_map(|group| group.families);
        all.map(|family| (family.name, *family)).collect()
    }

    /// Returns the families that a text has.
    fn shown(text: &str) -> BTreeSet<&str> {
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
    }

    fn value(text: &str, series: &str) -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// A store whose replies never become durable, or that never answers.
    #[derive(Clone)]
    struct HangingStore {
        memory: MemoryStore,
        answers: bool,
    }

    impl BatchStore for HangingStore {
        async fn submit(
            &self,
            ops: &[Op<'_>],
            max_reply_bytes: usize,
            replies: &mut Vec<Completion>,
        ) -> Submission<'_> {
            if !self.answers {
                std::future::pending::<()>().await;
            }
            self.memory.submit(ops, max_reply_bytes, replies).await
        }

        async fn wait(&self, _: Lsn) -> Result<(), Error> {
            std::future::pending().await
        }

        fn reply_watermark(&self) -> Lsn {
            Lsn::ZERO
        }

        async fn compact(&self) -> Result<(), Error> {
            Ok(())
        }
    }

    fn memory() -> MemoryStore {
        MemoryStore::new(Options::default()).unwrap()
    }

    fn engine<S>(store: S) -> Engine<S> {
        let config = ServerConfig { max_memory_bytes: Some(1 << 30), ..ServerConfig::default() };
        Engine::new(store, &config)
    }

    #[tokio::test]
    async fn a_scrape_shows_every_family_once_with_the_labels_of_the_table_and_no_series_twice() {
        let engine = engine(memory());
        let worker = engine.metrics.worker(0);
        // Every command, because the protocols share some names.
        for command in Command::ALL.iter().copied().map(Some).chain([None]) {
            worker.answered(command, ListenerKind::Tcp, Duration::from_micros(1), 1);
        }
        worker.error(Some(Command::Get), CommandError::Failed, ErrorCode::Storage);
        let text = scrape(&engine).await;
        let without_tls = "rustvault_tls_certificate_not_after_seconds";
        let expected: BTreeSet<_> = families().into_keys().filter(|name| *name != without_tls).collect();
        assert_eq!(shown(&text), expected);
        let (mut series, mut family) = (BTreeSet::new(), None);
        for line in text.lines() {
            if let Some(header) = line.strip_prefix("# TYPE ") {
                family = header.split(' ').next().and_then(|name| families().remove(name));
                assert_eq!(header, format!("{} {}", family.unwrap().name, family.unwrap().kind.name()));
            } else if !line.starts_with('#') {
                let (name, _) = line.rsplit_once(' ').unwrap();
                assert!(series.insert(name), "twice: {name}");
                let labels = name.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
                let names = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0));
                let names: Vec<_> = names.filter(|name| *name != "le").collect();
                assert_eq!(names, family.unwrap().labels, "{line}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_reveal_writes_that_are_not_durable_is_left_out_after_a_second() {
        let of_data = [
            "rustvault_keys",
            "rustvault_memory_used_bytes",
            "rustvault_live_bytes",
            "rustvault_log_bytes",
            "rustvault_log_commit_stage_seconds",
            "rustvault_log_batch_records",
            "rustvault_compaction_written_bytes_total",
            "rustvault_compaction_freed_bytes_total",
        ];
        let all = scrape(&engine(memory())).await;
        let some = scrape(&engine(HangingStore { memory: memory(), answers: true })).await;
        let missing: BTreeSet<_> = shown(&all).difference(&shown(&some)).copied().collect();
        assert_eq!(missing, BTreeSet::from(of_data));
        // A store that does not answer at all hides no figure of the clients.
        let engine = engine(HangingStore { memory: memory(), answers: false });
        let few = scrape(&engine).await;
        assert!(shown(&few).contains("rustvault_connections"), "{few}");
        assert!(!shown(&few).contains("rustvault_read_only"), "{few}");
    }

    #[tokio::test]
    async fn a_server_is_ready_while_it_serves() {
        let engine = engine(memory());
        let starting = scrape_starting(&engine.lifecycle);
        assert_eq!(value(&starting, "rustvault_ready"), Some(0.0));
        assert_eq!(value(&starting, "rustvault_recovery_progress_ratio"), Some(0.0));
        assert!(shown(&starting).contains("process_start_time_seconds"), "{starting}");
        engine.lifecycle.enter(Phase::Serving);
        let serving = scrape(&engine).await;
        assert_eq!(value(&serving, "rustvault_ready"), Some(1.0));
        assert_eq!(value(&serving, "rustvault_recovery_progress_ratio"), Some(1.0));
        engine.lifecycle.enter(Phase::Stopping { has_failed: false });
        assert_eq!(value(&scrape(&engine).await, "rustvault_ready"), Some(0.0));
    }
}
