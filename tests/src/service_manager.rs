//! A stand-in for the service manager: the socket that a daemon reports to.

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Launch, PATIENCE};

/// Longest datagram that a daemon sends.
const MAX_REPORT_BYTES: usize = 4096;

/// A stand-in for systemd, of which a daemon knows no more than the socket that `NOTIFY_SOCKET` names.
#[derive(Debug)]
pub struct ServiceManager {
    folder: TempDir,
    socket: UnixDatagram,
}

/// One datagram of a daemon: names and values, such as `READY` and `1`.
pub type Report = BTreeMap<String, String>;

impl Default for ServiceManager {
    fn default() -> Self {
        Self::new()
    }
}

impl ServiceManager {
    /// Listens at a path in a new folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("it is free");
        Self { folder, socket }
    }

    /// Listens at a name of the abstract namespace, as a container's manager may; returns the value of `NOTIFY_SOCKET` as well.
    pub fn abstract_name() -> (Self, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let name = folder.path().display().to_string();
        let addr = SocketAddr::from_abstract_name(&name).expect("it is short");
        let socket = UnixDatagram::bind_addr(&addr).expect("it is free");
        (Self { folder, socket }, format!("@{name}"))
    }

    /// The path of the socket.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// Starts this daemon as its service manager.
    #[must_use]
    pub fn of(&self, launch: Launch) -> Launch {
        launch.with_variable("NOTIFY_SOCKET", self.path())
    }

    /// Takes the daemon's reports up to the first one that has this line, such as `READY=1`.
    ///
    /// # Panics
    /// It does not come.
    #[track_caller]
    pub fn reports_until(&self, line: &str) -> Vec<Report> {
        let (name, value) = line.split_once('=').expect("a name and a value");
        let mut reports = Vec::new();
        let end = Instant::now() + PATIENCE;
        loop {
            let Some(report) = self.next_report(end) else { panic!("no {line} in {reports:#?}") };
            let is_last = report.get(name).is_some_and(|found| found == value);
            reports.push(report);
            if is_last {
                return reports;
            }
        }
    }

    /// Takes the daemon's reports up to the first one that has this line, and returns that one.
    ///
    /// # Panics
    /// It does not come.
    #[track_caller]
    pub fn report_with(&self, line: &str) -> Report {
        self.reports_until(line).pop().unwrap_or_default()
    }

    /// Takes the daemon's reports until none has come for so long.
    ///
    /// # Panics
    /// They do not end.
    #[track_caller]
    pub fn reports_until_silence(&self, silence: Duration) {
        let end = Instant::now() + PATIENCE;
        while self.next_report(Instant::now() + silence).is_some() {
            assert!(Instant::now() < end, "the daemon goes on reporting");
        }
    }

    /// The next report, if one comes by `end`.
    fn next_report(&self, end: Instant) -> Option<Report> {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(left)).expect("it is not 0");
        let mut buffer = [0; MAX_REPORT_BYTES];
        let len = self.socket.recv(&mut buffer).ok()?;
        let text = str::from_utf8(&buffer[..len]).expect("reports are text");
        assert!(text.ends_with('\n'), "{text:?}");
        let lines = text.lines().map(|line| line.split_once('=').expect("a name and a value"));
        Some(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}
