//! Reports to the service manager that started the daemon, such as systemd: progress of the start, reloads, the stop, and
//! signs of life.
//!
//! The protocol is that of sd_notify(3). Nothing here waits for the service manager for longer than a moment, and the
//! daemon serves on if it has gone.

use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustvault_server::{ConfigSource, Lifecycle, Phase, ReloadCounts};
use sd_notify::NotifyState;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};
use tracing::debug;

/// Interval at which the progress of the start is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Time by which each report of progress extends the service manager's limit on the start, in microseconds.
const START_EXTENSION_US: u32 = 30_000_000;

/// Most attempts to send a change of the state while the service manager's queue is full.
const SEND_ATTEMPTS: u32 = 50;

/// Pause between two of these attempts.
const SEND_RETRY: Duration = Duration::from_millis(100);

/// The service manager that started the daemon and wants reports.
#[derive(Debug)]
pub(super) struct ServiceManager {
    socket: UnixDatagram,
    addr: SocketAddr,
    /// Time without a sign of life after which it ends the daemon; `None` if it needs none.
    watchdog: Option<Duration>,
    /// Set once it could not be reached, which one message says.
    is_unreachable: bool,
}

impl ServiceManager {
    /// Returns the service manager that `NOTIFY_SOCKET` names, if it names one.
    pub(super) fn from_environment() -> Option<Self> {
        let name = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
        match Self::new(&name, sd_notify::watchdog_enabled()) {
            Ok(manager) => Some(manager),
            Err(error) => {
                debug!(socket = %name.display(), %error, "the service manager gets no reports: NOTIFY_SOCKET cannot be used");
                None
            }
        }
    }

    fn new(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // The daemon must not wait for a service manager that does not read.
        socket.set_nonblocking(true)?;
        let watchdog = watchdog.filter(|limit| !limit.is_zero());
        Ok(Self { socket, addr: address(name)?, watchdog, is_unreachable: false })
    }

    /// Reports what happens to the daemon from now on.
    ///
    /// It runs on the main runtime, so that the signs of life end when that one hangs.
    pub(super) fn follow(self, lifecycle: &Lifecycle, source: &ConfigSource) {
        // Here and not in the task, which may begin after the first changes.
        let (phases, reloads) = (lifecycle.watch(), source.watch_reloads());
        tokio::spawn(self.report(lifecycle.clone(), phases, reloads));
    }

    async fn report(
        mut self,
        lifecycle: Lifecycle,
        mut phases: watch::Receiver<Phase>,
        mut reloads: watch::Receiver<ReloadCounts>,
    ) {
        let mut progress = interval_at(Instant::now(), PROGRESS_INTERVAL);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut signs_of_life = self.watchdog.map(|limit| interval_at(Instant::now(), limit / 2));
        let mut reported_reloads = 0;
        loop {
            let is_starting = lifecycle.phase() == Phase::Starting;
            select! {
                _ = progress.tick(), if is_starting => self.report_progress(&lifecycle),
                () = next(&mut signs_of_life) => self.report_once(&[NotifyState::Watchdog]),
                Ok(()) = phases.changed() => {
                    let phase = *phases.borrow_and_update();
                    self.report_phase(phase).await;
                }
                Ok(()) = reloads.changed(), if lifecycle.phase() == Phase::Serving => {
                    let counts = *reloads.borrow_and_update();
                    if counts.begun > reported_reloads {
                        self.report_reload().await;
                        reported_reloads = counts.begun;
                    }
                    if counts.ended == counts.begun {
                        self.report_phase(lifecycle.phase()).await;
                    }
                }
            }
        }
    }

    fn report_progress(&mut self, lifecycle: &Lifecycle) {
        let recovery = lifecycle.recovery();
        let status = match recovery.len_bytes() {
            0 => "starting".to_owned(),
            _ => {
                format!("recovering the log: {} % read, {} records", recovery.percent(), recovery.records())
            }
        };
        self.report_once(&[NotifyState::Status(&status), NotifyState::ExtendTimeoutUsec(START_EXTENSION_US)]);
    }

    async fn report_phase(&mut self, phase: Phase) {
        match phase {
            Phase::Serving => self.report_change(&[NotifyState::Ready, NotifyState::Status("serving")]).await,
            Phase::Stopping { has_failed } => {
                let status = if has_failed {
                    "stopping, because the log has failed: see the messages"
                } else {
                    "stopping: answering what has arrived, and closing the log"
                };
                self.report_change(&[NotifyState::Stopping, NotifyState::Status(status)]).await;
            }
            _ => {}
        }
    }

    /// Reports a reload that begins. Its time tells the service manager which of its requests this reload comes after.
    async fn report_reload(&mut self) {
        let Ok(now) = NotifyState::monotonic_usec_now() else { return };
        self.report_change(&[
            NotifyState::Reloading,
            now,
            NotifyState::Status("reloading the configuration"),
        ])
        .await;
    }

    /// Reports a change that the service manager waits for: it has some seconds to empty a full queue.
    async fn report_change(&mut self, states: &[NotifyState<'_>]) {
        for _ in 1..SEND_ATTEMPTS {
            match self.send(states) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(SEND_RETRY).await,
                sent => return self.note(sent),
            }
        }
        self.report_once(states);
    }

    /// Reports what a later report makes up for.
    fn report_once(&mut self, states: &[NotifyState<'_>]) {
        let sent = self.send(states);
        self.note(sent);
    }

    fn send(&self, states: &[NotifyState<'_>]) -> io::Result<()> {
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        self.socket.send_to_addr(lines.as_bytes(), &self.addr).map(drop)
    }

    fn note(&mut self, sent: io::Result<()>) {
        match sent {
            Ok(()) => self.is_unreachable = false,
            Err(error) if !self.is_unreachable => {
                self.is_unreachable = true;
                debug!(%error, "the service manager cannot be reached at NOTIFY_SOCKET; the server serves on");
            }
            Err(_) => {}
        }
    }
}

/// Waits for the next tick, for ever if there is no interval.
async fn next(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// Returns the address of a socket: a path in full, or `@` and a name in the abstract namespace.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name),
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a path in full nor @ and a name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_that_does_not_read_blocks_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _unread = UnixDatagram::bind(&path).unwrap();
        let mut manager = ServiceManager::new(path.as_os_str(), None).unwrap();
        let is_full = |manager: &ServiceManager| {
            manager.send(&[NotifyState::Watchdog]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        };
        assert!((0..100_000).any(|_| is_full(&manager)), "its queue is bounded");
        manager.report_once(&[NotifyState::Watchdog]);
        assert!(manager.is_unreachable);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_the_state_arrives_once_a_full_queue_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let queue = UnixDatagram::bind(&path).unwrap();
        let mut manager = ServiceManager::new(path.as_os_str(), None).unwrap();
        while manager.send(&[NotifyState::Watchdog]).is_ok() {}
        let reader = async {
            sleep(SEND_RETRY * 3).await;
            queue.set_nonblocking(true).unwrap();
            let mut buffer = [0; 64];
            while queue.recv(&mut buffer).is_ok() {}
            sleep(SEND_RETRY * 2).await;
            let len = queue.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"READY=1\n");
        };
        tokio::join!(manager.report_change(&[NotifyState::Ready]), reader);
    }

    #[test]
    fn a_socket_is_a_path_in_full_or_an_abstract_name() {
        assert_eq!(address(OsStr::new("/run/notify")).unwrap().as_pathname(), Some("/run/notify".as_ref()));
        assert_eq!(address(OsStr::new("@notify")).unwrap().as_abstract_name(), Some(b"notify".as_slice()));
        for bad in ["notify", "./notify", "vsock:2:1234"] {
            assert!(address(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
