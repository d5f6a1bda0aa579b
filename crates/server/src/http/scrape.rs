//! The engine behind HTTP, once there is one: its metrics, of which scrapes at the same time share one text, and its log's state.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use parking_lot::RwLock;
use rustvault_storage::batch::{BatchStore, Op, Outcome};
use rustvault_storage::{Error, Stats};
use tokio::sync::Mutex;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::engine::Engine;
use crate::metrics::scrape;

/// Longest wait for the state of the log.
const STATS_PATIENCE: Duration = Duration::from_secs(1);

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An engine of any store, as HTTP sees it.
trait Scraped: Send + Sync {
    /// Returns the metrics as text.
    fn metrics(&self) -> BoxFuture<'_, String>;

    /// Returns the figures of the store, also of writes that are not durable.
    fn stats(&self) -> BoxFuture<'_, Result<Box<Stats>, Error>>;
}

impl<S: BatchStore> Scraped for Engine<S> {
    fn metrics(&self) -> BoxFuture<'_, String> {
        Box::pin(scrape(self))
    }

    fn stats(&self) -> BoxFuture<'_, Result<Box<Stats>, Error>> {
        Box::pin(async {
            let mut replies = Vec::with_capacity(1);
            drop(self.store.submit(&[Op::Stats], usize::MAX, &mut replies).await);
            match replies.pop().map(|reply| reply.outcome).transpose()? {
                Some(Outcome::Stats(stats)) => Ok(stats),
                // Unreachable: a store answers each operation with its own outcome.
                _ => Ok(Box::default()),
            }
        })
    }
}

/// Access of HTTP to the engine.
#[derive(Default)]
pub(super) struct Scraper {
    engine: RwLock<Option<Arc<dyn Scraped>>>,
    /// The last text, and when it was begun.
    latest: Mutex<Option<(Instant, Bytes)>>,
}

impl fmt::Debug for Scraper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraper").finish_non_exhaustive()
    }
}

impl Scraper {
    pub(super) fn attach<S: BatchStore>(&self, engine: Arc<Engine<S>>) {
        *self.engine.write() = Some(engine);
    }

    pub(super) fn detach(&self) {
        *self.engine.write() = None;
    }

    fn engine(&self) -> Option<Arc<dyn Scraped>> {
        self.engine.read().clone()
    }

    /// Returns the metrics as text; `None` without an engine.
    ///
    /// One text is made at a time. Whoever has asked before it was begun gets the same: a hundred at once cost two at most.
    pub(super) async fn metrics(&self) -> Option<Bytes> {
        let engine = self.engine()?;
        let asked_at = Instant::now();
        let mut latest = self.latest.lock().await;
        if let Some((_, text)) = latest.as_ref().filter(|(began, _)| *began >= asked_at) {
            return Some(text.clone());
        }
        // A text takes a while, and the thread of HTTP has other work, the probes above all: whoever is ready has a turn before
        // each text. Those who ask for one meanwhile get this one.
        yield_now().await;
        let began = Instant::now();
        let text = Bytes::from(engine.metrics().await);
        *latest = Some((began, text.clone()));
        Some(text)
    }

    /// Returns the figures of the store; `None` without an engine, an error if they take too long.
    pub(super) async fn stats(&self) -> Option<Result<Box<Stats>, String>> {
        let engine = self.engine()?;
        Some(match timeout(STATS_PATIENCE, engine.stats()).await {
            Ok(stats) => stats.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the store has not answered for {} s", STATS_PATIENCE.as_secs())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Counts its texts, each of which needs a permit.
    #[derive(Debug)]
    struct CountedTexts {
        begun: AtomicUsize,
        made: AtomicUsize,
        permits: Semaphore,
    }

    impl CountedTexts {
        fn with_permits(permits: usize) -> Arc<Self> {
            let (begun, made) = (AtomicUsize::new(0), AtomicUsize::new(0));
            Arc::new(Self { begun, made, permits: Semaphore::new(permits) })
        }
    }

    impl Scraped for CountedTexts {
        fn metrics(&self) -> BoxFuture<'_, String> {
            Box::pin(async {
                self.begun.fetch_add(1, Ordering::Relaxed);
                self.permits.acquire().await.unwrap().forget();
                self.made.fetch_add(1, Ordering::Relaxed).to_string()
            })
        }

        fn stats(&self) -> BoxFuture<'_, Result<Box<Stats>, Error>> {
            Box::pin(async { Err(Error::Closed) })
        }
    }

    #[tokio::test]
    async fn scrapes_at_the_same_time_share_a_text_that_is_not_older_than_they_are() {
        let texts = CountedTexts::with_permits(0);
        let scraper = Arc::new(Scraper::default());
        assert_eq!(scraper.metrics().await, None);
        *scraper.engine.write() = Some(Arc::clone(&texts) as Arc<dyn Scraped>);
        let scrape = || {
            let scraper = Arc::clone(&scraper);
            tokio::spawn(async move { scraper.metrics().await.unwrap() })
        };
        let first = scrape();
        while texts.begun.load(Ordering::Relaxed) == 0 {
            yield_now().await;
        }
        let scrapes: Vec<_> = std::iter::once(first).chain((1..100).map(|_| scrape())).collect();
        yield_now().await;
        texts.permits.add_permits(100);
        let mut seen = Vec::new();
        for scrape in scrapes {
            seen.push(scrape.await.unwrap());
        }
        assert_eq!((seen[0].as_ref(), texts.made.load(Ordering::Relaxed)), (&b"0"[..], 2));
        assert!(seen[1..].iter().all(|text| text.as_ref() == b"1"), "{seen:?}");
        assert_eq!(scraper.metrics().await.unwrap().as_ref(), b"2");
    }

    #[tokio::test]
    async fn a_client_that_asks_without_a_pause_leaves_others_their_turns() {
        let texts = CountedTexts::with_permits(100);
        let scraper = Arc::new(Scraper::default());
        *scraper.engine.write() = Some(Arc::clone(&texts) as Arc<dyn Scraped>);
        let asking = tokio::spawn(async move {
            for _ in 0..100 {
                scraper.metrics().await;
            }
        });
        // Probes are such others.
        for turns in 1..=10 {
            yield_now().await;
            assert!(texts.made.load(Ordering::Relaxed) <= turns, "after {turns} turns");
        }
        asking.await.unwrap();
        assert_eq!(texts.made.load(Ordering::Relaxed), 100);
    }
}
