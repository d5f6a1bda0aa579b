//! State of TLS that all connections of a server share: the files in use, the bound on handshakes, counters.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwapOption, Guard};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::warn;

use super::certificate::date;
use super::config::TlsConfig;
use super::load::LoadedTls;
use crate::engine::Counter;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Time before the end of the certificate from which on it is warned about, at the start, at each reload and daily.
const EXPIRY_NOTICE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The files of TLS that new connections use, with what counts and bounds their handshakes.
#[derive(Debug)]
pub(crate) struct TlsState {
    current: ArcSwapOption<LoadedTls>,
    /// A permit for each handshake that may run.
    pub(crate) handshake_permits: Arc<Semaphore>,
    pub(crate) counters: Arc<TlsCounters>,
}

/// Counters of TLS.
#[derive(Debug, Default)]
pub(crate) struct TlsCounters {
    /// Connections whose handshake has ended.
    pub(crate) connections: Counter,
    pub(crate) handshakes: Counter,
    pub(crate) handshake_errors: Counter,
    pub(crate) handshake_timeouts: Counter,
}

impl TlsState {
    pub(crate) fn new(config: &TlsConfig) -> Self {
        Self {
            current: ArcSwapOption::empty(),
            handshake_permits: Arc::new(Semaphore::new(config.max_handshakes)),
            counters: Arc::default(),
        }
    }

    /// Returns what new handshakes use.
    pub(crate) fn load(&self) -> Guard<Option<Arc<LoadedTls>>> {
        self.current.load()
    }

    /// Makes new handshakes use these files, and reports what is unwise about them. Connections go on with what they began with.
    pub(crate) fn replace(&self, loaded: Option<LoadedTls>) {
        for warning in loaded.iter().flat_map(|loaded| &loaded.warnings) {
            warn!("{warning}");
        }
        let is_same = |current: &Arc<LoadedTls>| loaded.as_ref().is_some_and(|new| new.is_same(current));
        // With the same files, sessions can still be resumed.
        if !self.load().as_ref().is_some_and(is_same) {
            self.current.store(loaded.map(Arc::new));
        }
        self.warn_of_expiry();
    }

    /// Returns the end of the certificate in seconds since 1970; 0 without one.
    pub(crate) fn not_after_seconds(&self) -> u64 {
        let not_after = self.load().as_ref().map(|loaded| loaded.not_after);
        not_after.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
    }

    /// Warns daily while the end of the certificate is near; never ends.
    pub(crate) async fn watch_expiry(&self) -> ! {
        loop {
            sleep(DAY).await;
            self.warn_of_expiry();
        }
    }

    fn warn_of_expiry(&self) {
        let loaded = self.load();
        if let Some(notice) = loaded.as_ref().and_then(|loaded| notice(loaded.not_after, SystemTime::now())) {
            warn!("{notice}");
        }
    }
}

/// Returns the sentence about a certificate whose end is near.
fn notice(not_after: SystemTime, now: SystemTime) -> Option<String> {
    let end = date(not_after);
    let Ok(left) = not_after.duration_since(now) else {
        return Some(format!("the TLS certificate has expired, on {end}: clients refuse it; renew it"));
    };
    (left < EXPIRY_NOTICE).then(|| {
        let days = left.as_secs() / DAY.as_secs();
        format!("the TLS certificate expires in {days} days, on {end}: renew it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_announced_from_thirty_days_before_it() {
        let now = UNIX_EPOCH + Duration::from_secs(1_801_387_800);
        assert_eq!(notice(now + EXPIRY_NOTICE, now), None);
        let soon = notice(now + DAY * 7 + DAY / 2, now).unwrap();
        assert_eq!(soon, "the TLS certificate expires in 7 days, on 2027-02-07 21:30:00 UTC: renew it");
        assert!(notice(now - DAY, now).unwrap().contains("has expired, on 2027-01-30 09:30:00 UTC"));
    }
}
