//! How a daemon is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::daemon::{Daemon, send_signal};
use crate::log::Log;
use crate::programs::server_binary;
use crate::{PATIENCE, open_files, until, wait_for_exit};

/// The daemon's options, and a folder of its own for its log; starting twice is a restart.
///
/// The folder goes when the last clone and the last daemon of it have gone.
#[derive(Debug, Clone)]
pub struct Launch {
    folder: Arc<TempDir>,
    wal: PathBuf,
    bind: String,
    args: Vec<OsString>,
    /// Another program than the workspace's own.
    program: Option<PathBuf>,
    tracer: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

/// How a daemon ended that did not want to start.
#[derive(Debug)]
pub struct Refusal {
    /// Its exit code.
    pub code: i32,
    /// What it said on standard error.
    pub lines: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Default for Launch {
    fn default() -> Self {
        Self::new()
    }
}

impl Launch {
    /// The defaults, but for a free port of 127.0.0.1 and `vault.log` in a new folder.
    pub fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let wal = folder.path().join("vault.log");
        Self {
            folder,
            wal,
            bind: "127.0.0.1:0".to_owned(),
            args: Vec::new(),
            program: None,
            tracer: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// With another log.
    #[must_use]
    pub fn with_wal(mut self, wal: impl Into<PathBuf>) -> Self {
        self.wal = wal.into();
        self
    }

    /// With another program than the workspace's own.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// With another address.
    #[must_use]
    pub fn with_bind(mut self, bind: impl ToString) -> Self {
        self.bind = bind.to_string();
        self
    }

    /// With further arguments, separated by spaces.
    #[must_use]
    pub fn with_args(mut self, args: &str) -> Self {
        self.args.extend(args.split_whitespace().map(OsString::from));
        self
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn with_variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Under strace, which writes the named system calls of all threads to `output`.
    #[must_use]
    pub fn traced(mut self, calls: &str, output: &Path) -> Self {
        let trace = format!("trace={calls}");
        self.tracer = ["strace", "-f", "-s", "64", "-e", &trace, "-o"].map(OsString::from).to_vec();
        self.tracer.push(output.into());
        self
    }

    /// Under strace, which has system calls fail: `fdatasync:error=EIO:when=7` is the seventh `fdatasync` of
    /// each thread. It writes all calls of that name to `output`.
    #[must_use]
    pub fn with_fault(self, fault: &str, output: &Path) -> Self {
        let calls = fault.split(':').next().unwrap_or_default();
        self.with_fault_and_trace(fault, calls, output)
    }

    /// As [`with_fault`](Self::with_fault), but the calls that it writes to `output` are named.
    #[must_use]
    pub fn with_fault_and_trace(mut self, fault: &str, calls: &str, output: &Path) -> Self {
        let (trace, inject) = (format!("trace={calls}"), format!("inject={fault}"));
        let line = ["strace", "-f", "--seccomp-bpf", "-e", &trace, "-e", &inject, "-o"];
        self.tracer = line.map(OsString::from).to_vec();
        self.tracer.push(output.into());
        self
    }

    /// As [`with_fault`](Self::with_fault), of calls alone that are about `path`.
    #[must_use]
    pub fn with_fault_at(self, path: &Path, fault: &str, output: &Path) -> Self {
        let mut launch = self.with_fault(fault, output);
        launch.tracer.splice(1..1, ["-P".into(), path.into()]);
        launch
    }

    /// With a soft limit on the size of each file that the daemon writes (`RLIMIT_FSIZE`), which prlimit sets.
    #[must_use]
    pub fn with_file_size_limit(mut self, limit_bytes: u64) -> Self {
        self.tracer = vec!["prlimit".into(), format!("--fsize={limit_bytes}:").into()];
        self
    }

    /// With a limit on the files that the daemon may have open, which it cannot raise.
    #[must_use]
    pub fn with_open_files_limit(mut self, limit: usize) -> Self {
        self.tracer = vec!["prlimit".into(), format!("--nofile={limit}:{limit}").into()];
        self
    }

    /// The folder that the log lies in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The log.
    pub fn wal(&self) -> &Path {
        &self.wal
    }

    /// Starts the daemon and waits until it serves.
    ///
    /// # Panics
    /// It ends instead.
    #[track_caller]
    pub fn start(&self) -> Daemon {
        let (mut process, log) = self.spawn();
        let Some(ready) = log.wait_for(is_ready) else {
            let status = wait_for_exit(&mut process, PATIENCE);
            panic!("the daemon does not start: {status}, {:#?}", log.so_far());
        };
        Daemon::new(self.clone(), process, log, ready, !self.tracer.is_empty())
    }

    /// Starts a daemon that has a reason not to serve, and waits for its end.
    ///
    /// # Panics
    /// It serves.
    #[track_caller]
    pub fn refused(&self) -> Refusal {
        let start = Instant::now();
        let (mut process, log) = self.spawn();
        let code = wait_for_exit(&mut process, PATIENCE).code().expect("no signal ends it");
        Refusal { code, elapsed: start.elapsed(), lines: log.whole() }
    }

    /// Starts a daemon, and kills it so long after it has opened its log; tells whether it served by then.
    pub fn start_and_kill(&self, delay: Duration) -> bool {
        let (mut process, log) = self.spawn();
        let wal = self.wal.canonicalize().expect("there is a log");
        until("the daemon opens its log", || open_files(process.id()).iter().any(|file| file.name == wal));
        thread::sleep(delay);
        send_signal(process.id(), Signal::KILL);
        wait_for_exit(&mut process, PATIENCE);
        log.whole().iter().any(|line| is_ready(line))
    }

    /// The daemon's command line, with nothing of this process's settings for it.
    pub fn command(&self) -> Command {
        let mut command = self.program_command();
        command.arg("--bind").arg(&self.bind).arg("--wal").arg(&self.wal).args(&self.args);
        command.stdout(Stdio::null());
        command
    }

    /// The daemon's program without arguments, with nothing of this process's settings for it; all that it prints is kept.
    pub fn program_command(&self) -> Command {
        let server = self.program.clone().unwrap_or_else(server_binary);
        let line = self.tracer.iter().cloned().chain([server.into()]).collect::<Vec<_>>();
        let (program, first_args) = line.split_first().expect("it names a program");
        let mut command = Command::new(program);
        command.args(first_args);
        let names = std::env::vars_os().map(|(name, _)| name);
        for name in names.filter(|name| name.to_string_lossy().starts_with("RUSTVAULT_")) {
            command.env_remove(name);
        }
        command.env_remove("NOTIFY_SOCKET").envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn spawn(&self) -> (Child, Log) {
        let mut process = self.command().spawn().expect("the program can be run");
        let log = Log::collect(process.stderr.take().expect("it is piped"));
        (process, log)
    }
}

/// Whether this is the line that says that the daemon serves.
fn is_ready(line: &str) -> bool {
    line.contains("ready") && line.contains("address")
}
