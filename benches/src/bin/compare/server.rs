//! The servers that are compared.

mod compaction;

use std::fmt::Debug;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustvault_protocol::Reply;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::error::Error;
use crate::process;
use crate::programs::Programs;
use crate::resp::{Connection, Keys};
use crate::security::{Security, USER};

/// How long a server may take to serve, the reading of its log included.
const START_LIMIT: Duration = Duration::from_secs(300);

/// How long a server may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks at a server that does not serve yet, or that has not stopped.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// For the row with the most connections.
const MAX_CONNECTIONS: &str = "11000";

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// This build.
    RustVault,
    /// An older build of RustVault, named by `--against`.
    Baseline,
    Redis,
    /// A server that answers and does nothing else.
    Ceiling,
}

/// When writes are synced to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Before they are answered.
    Always,
    /// Once a second.
    EverySecond,
}

/// A server and the folder that is its own; the folder goes away with it.
#[derive(Debug)]
pub(crate) struct Site {
    peer: Peer,
    policy: Policy,
    folder: Rc<TempDir>,
}

/// A server that serves; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    peer: Peer,
    addr: SocketAddr,
    /// The address of the loads: over TLS another one.
    load_addr: SocketAddr,
    /// Set if the server is scraped there once a second, beside each load.
    scrape_addr: Option<SocketAddr>,
    /// Set if connections log in with it.
    token: Option<String>,
    process: Child,
    start_time: Duration,
    /// Outlives the process.
    _folder: Rc<TempDir>,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RustVault => "rustvault-server",
            Self::Baseline => "the baseline's rustvault-server",
            Self::Redis => "redis-server",
            Self::Ceiling => "the server that only answers",
        }
    }

    /// As people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::RustVault => "RustVault",
            Self::Baseline => "baseline",
            Self::Redis => "Redis",
            Self::Ceiling => "Ceiling",
        }
    }

    fn command(self, programs: &Programs, policy: Policy, ports: Ports, folder: &Path) -> Command {
        let security = &programs.security;
        let mut command = match self {
            Self::RustVault => {
                let mut command = rustvault(&programs.rustvault_server, policy, ports, folder, security);
                if let Some(port) = ports.http {
                    command.arg("--http").arg(format!("127.0.0.1:{port}"));
                }
                command.args(&programs.server_args);
                command
            }
            Self::Baseline => {
                let mut command = rustvault(&programs.baseline_server, policy, ports, folder, security);
                command.args(programs.baseline_args);
                command
            }
            Self::Redis => redis(policy, ports, folder, security),
            Self::Ceiling => ceiling(programs, ports),
        };
        // Users are compared with none, logins with users who do not log in meanwhile.
        let is_ours = matches!(self, Self::RustVault | Self::Baseline);
        if is_ours && security.has_users && (self == Self::RustVault || security.logins.is_some()) {
            command.arg("--users").arg(security.users());
        }
        command
    }

    /// Returns whether its connections log in: to a server without users as well, so that both do the same.
    fn takes_logins(self, security: &Security) -> bool {
        security.has_users && matches!(self, Self::RustVault | Self::Baseline)
    }
}

impl Site {
    /// A fresh folder in `scratch`.
    pub(crate) fn new(peer: Peer, policy: Policy, scratch: &Path) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("data-").tempdir_in(scratch);
        let folder = folder.map_err(Error::system(format!("make a folder in {}", scratch.display())))?;
        Ok(Self { peer, policy, folder: Rc::new(folder) })
    }

    /// Starts the server on what its folder holds, and waits until it answers.
    pub(crate) async fn start(&self, programs: &Programs) -> Result<Server, Error> {
        let is_scraped = programs.has_scrapes && self.peer == Peer::RustVault;
        let ports = Ports::free(programs.security.has_tls, is_scraped);
        let ports = ports.map_err(Error::system("find a free port"))?;
        let mut command = self.peer.command(programs, self.policy, ports, self.folder.path());
        let log = File::create(self.log_path());
        let log = log.and_then(|log| Ok((log.try_clone()?, log)));
        let (stdout, stderr) = log.map_err(Error::system("write the server's log"))?;
        let start = Instant::now();
        let process = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let mut server = Server {
            peer: self.peer,
            addr: (Ipv4Addr::LOCALHOST, ports.plain).into(),
            load_addr: (Ipv4Addr::LOCALHOST, ports.tls.unwrap_or(ports.plain)).into(),
            scrape_addr: ports.http.map(|port| (Ipv4Addr::LOCALHOST, port).into()),
            token: self.peer.takes_logins(&programs.security).then(|| programs.security.token().to_owned()),
            process: process.map_err(Error::system(format!("start {}", self.peer.name())))?,
            start_time: Duration::ZERO,
            _folder: Rc::clone(&self.folder),
        };
        let what = || format!("the start of {}", self.peer.name());
        let ready = timeout(START_LIMIT, self.until_ready(&mut server)).await;
        ready.map_err(|_| Error::TimedOut { what: what(), limit: START_LIMIT })??;
        server.start_time = start.elapsed();
        Ok(server)
    }

    async fn until_ready(&self, server: &mut Server) -> Result<(), Error> {
        while !server.answers_ping().await? {
            if let Ok(Some(status)) = server.process.try_wait() {
                return Err(Error::ServerEnded { server: self.peer.name(), status, log: self.log_end() });
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    fn log_path(&self) -> std::path::PathBuf {
        self.folder.path().join("server.log")
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        log.lines().rev().find(|line| !line.is_empty()).unwrap_or("(nothing)").to_owned()
    }
}

impl Server {
    /// Returns the plain address.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the address that loads are put on.
    pub(crate) fn load_addr(&self) -> SocketAddr {
        self.load_addr
    }

    /// Returns where the server is scraped beside each load, if it is.
    pub(crate) fn scrape_addr(&self) -> Option<SocketAddr> {
        self.scrape_addr
    }

    /// Returns what connections log in with, if they do.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// From the start of the process to the first answer.
    pub(crate) fn start_time(&self) -> Duration {
        self.start_time
    }

    /// Ends the process as an operator does, by SIGTERM; returns when it has ended.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        let name = self.peer.name();
        let signalled = kill_process(Pid::from_child(&self.process), Signal::TERM);
        signalled.map_err(|error| Error::system(format!("signal {name}"))(error.into()))?;
        let ended = timeout(STOP_LIMIT, self.until_ended()).await;
        let status = ended
            .map_err(|_| Error::TimedOut { what: format!("the stop of {name}"), limit: STOP_LIMIT })??;
        if status.success() { Ok(()) } else { Err(Error::BadStop { server: name, status }) }
    }

    async fn until_ended(&mut self) -> Result<ExitStatus, Error> {
        loop {
            let status = self.process.try_wait().map_err(Error::system("wait for a process"))?;
            match status {
                Some(status) => return Ok(status),
                None => sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// As [`process::cpu_time`].
    pub(crate) fn cpu_time(&self) -> Result<Duration, Error> {
        process::cpu_time(self.process.id())
    }

    /// As [`process::resident_bytes`].
    pub(crate) fn resident_bytes(&self) -> Result<u64, Error> {
        process::resident_bytes(self.process.id())
    }

    /// As [`process::tree_bytes`].
    pub(crate) fn tree_bytes(&self) -> Result<u64, Error> {
        process::tree_bytes(self.process.id())
    }

    /// A connection that has had one `PING` answered, and so has what memory the server gives to one.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let mut connection = self.open().await.map_err(self.lost())?;
        let reply = connection.ask("PING").await.map_err(self.lost())?;
        if reply == Reply::simple("PONG") { Ok(connection) } else { Err(self.bad_reply("PING", &reply)) }
    }

    async fn open(&self) -> std::io::Result<Connection> {
        let mut connection = Connection::open(self.addr).await?;
        if let Some(token) = &self.token {
            let reply = connection.ask_words(&["AUTH", USER, token]).await?;
            if reply != Reply::OK {
                return Err(std::io::Error::other(format!("AUTH was answered with {reply:?}")));
            }
        }
        Ok(connection)
    }

    /// Sets the keys of these numbers, and checks that the server then has `numbers.end` keys.
    pub(crate) async fn fill(
        &self,
        keys: Keys,
        numbers: std::ops::Range<u64>,
        value_bytes: usize,
    ) -> Result<(), Error> {
        let expected = numbers.end;
        let mut connection = self.connect().await?;
        connection.fill(keys, numbers, value_bytes).await.map_err(self.lost())?;
        self.check_keys(expected).await
    }

    /// Checks that the server has this many keys.
    pub(crate) async fn check_keys(&self, expected: u64) -> Result<(), Error> {
        let reply = self.connect().await?.ask("DBSIZE").await.map_err(self.lost())?;
        let Reply::Integer(count) = reply else { return Err(self.bad_reply("DBSIZE", &reply)) };
        match u64::try_from(count) {
            Ok(found) if found == expected => Ok(()),
            Ok(found) => Err(Error::Keys { server: self.peer.name(), expected, found }),
            Err(_) => Err(self.bad_reply("DBSIZE", &reply)),
        }
    }

    /// Whether it serves; `false` also means that it may never do.
    async fn answers_ping(&self) -> Result<bool, Error> {
        let Ok(mut connection) = self.open().await else { return Ok(false) };
        match connection.ask("PING").await {
            Ok(reply) if reply == Reply::simple("PONG") => Ok(true),
            Ok(Reply::Error(error)) if error.line().starts_with(b"LOADING") => Ok(false),
            Ok(reply) => Err(self.bad_reply("PING", &reply)),
            Err(_) => Ok(false),
        }
    }

    fn bad_reply(&self, command: &'static str, reply: &impl Debug) -> Error {
        Error::Reply { server: self.peer.name(), command, reply: format!("{reply:?}") }
    }

    fn lost(&self) -> impl FnOnce(std::io::Error) -> Error {
        Error::system(format!("talk to {}", self.peer.name()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Without TLS only with options that every version has had that can compact its log.
fn rustvault(program: &Path, policy: Policy, ports: Ports, folder: &Path, security: &Security) -> Command {
    let mut command = Command::new(program);
    command.arg("--bind").arg(format!("127.0.0.1:{}", ports.plain));
    if let Some(port) = ports.tls {
        command.arg("--tls-bind").arg(format!("127.0.0.1:{port}"));
        command.arg("--tls-cert").arg(security.certificate()).arg("--tls-key").arg(security.key());
    }
    command.arg("--wal").arg(folder.join("vault.log"));
    command.args(["--max-connections", MAX_CONNECTIONS]);
    // As with Redis, whose automatic rewrite is off, too: what a row measures is its load.
    command.args(["--compact-ratio", "1000000"]);
    command.args(match policy {
        Policy::Always => ["--fsync", "always"],
        Policy::EverySecond => ["--fsync", "interval:1s"],
    });
    command
}

fn ceiling(programs: &Programs, ports: Ports) -> Command {
    let mut command = Command::new(&programs.compare);
    command.args(["--serve-ceiling", &ports.plain.to_string()]);
    if let Some(port) = ports.tls {
        command.args(["--ceiling-tls", &port.to_string()]);
        command.arg(programs.security.certificate()).arg(programs.security.key());
    }
    command
}

fn redis(policy: Policy, ports: Ports, folder: &Path, security: &Security) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &ports.plain.to_string()]).arg("--dir").arg(folder);
    if let Some(port) = ports.tls {
        command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
        command.arg("--tls-cert-file").arg(security.certificate());
        command.arg("--tls-key-file").arg(security.key());
        command.arg("--tls-ca-cert-file").arg(security.ca());
    }
    command.args(["--save", "", "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"]);
    command.args(["--daemonize", "no", "--maxclients", MAX_CONNECTIONS]);
    command.args(match policy {
        Policy::Always => ["--appendfsync", "always"],
        Policy::EverySecond => ["--appendfsync", "everysec"],
    });
    command
}

/// The ports that a server listens on. Over TLS only the loads come: what prepares and checks a server uses the plain one.
#[derive(Debug, Clone, Copy)]
struct Ports {
    plain: u16,
    tls: Option<u16>,
    http: Option<u16>,
}

impl Ports {
    fn free(has_tls: bool, has_http: bool) -> std::io::Result<Self> {
        let free_if = |is_needed: bool| is_needed.then(free_port).transpose();
        Ok(Self { plain: free_port()?, tls: free_if(has_tls)?, http: free_if(has_http)? })
    }
}

/// A port that nobody listened on a moment ago: Redis, unlike RustVault, cannot be told to choose one.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
