//! A daemon under attack, with a client beside that does nothing wrong.

use std::time::Duration;

use rustvault_tests::{Daemon, WellBehaved, Wire, until};

/// How long the well-behaved client may wait for an answer.
const WAIT_LIMIT: Duration = Duration::from_secs(2);

/// By how much the daemon's memory may grow.
const GROWTH_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

pub(crate) struct Siege {
    daemon: Daemon,
    client: WellBehaved,
    before_bytes: u64,
    growth_limit_bytes: u64,
}

impl Siege {
    /// Begins. What the daemon has in memory is no growth.
    pub(crate) fn begin(daemon: Daemon) -> Self {
        let before_bytes = daemon.resident_bytes();
        let client = WellBehaved::begin(daemon.addr(), daemon.pid());
        Self { daemon, client, before_bytes, growth_limit_bytes: GROWTH_LIMIT_BYTES }
    }

    /// With another limit on the memory.
    pub(crate) fn with_growth_limit(mut self, bytes: u64) -> Self {
        self.growth_limit_bytes = bytes;
        self
    }

    pub(crate) fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Judges: nobody waited long, little memory was taken, and after a restart every acknowledged write is there.
    #[track_caller]
    pub(crate) fn end(self, attack: &str) {
        let experience = self.client.end();
        let grown_bytes = experience.peak_bytes.saturating_sub(self.before_bytes);
        println!(
            "{attack}: {} answers, p99 {:.1?}, longest {:.1?}; memory grew by {:.1} MiB",
            experience.answers(),
            experience.p99(),
            experience.longest(),
            grown_bytes as f64 / (1024.0 * 1024.0),
        );
        assert!(experience.answers() > 0, "the client had no time");
        assert!(experience.longest() <= WAIT_LIMIT, "{attack}: an answer took {:?}", experience.longest());
        assert!(grown_bytes <= self.growth_limit_bytes, "{attack}: memory grew by {grown_bytes} bytes");
        until("there is room for another client", || is_served(&self.daemon));
        experience.check(&mut self.daemon.wire());
        let launch = self.daemon.launch().clone();
        self.daemon.kill();
        let daemon = launch.start();
        experience.check(&mut daemon.wire());
        daemon.stop();
    }
}

/// Returns whether a new client is served: so many may have come that those who have left still have their places.
pub(crate) fn is_served(daemon: &Daemon) -> bool {
    Wire::try_connect(daemon.addr()).is_ok_and(|mut wire| {
        wire.send("PING\r\n");
        wire.try_line().is_some_and(|line| line == b"PONG")
    })
}
