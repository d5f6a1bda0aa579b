//! Redis itself, and what its replies have in them.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustvault_protocol::Reply;
use rustvault_tests::{Wire, need, need_that, resp_reply, until};
use tempfile::TempDir;

/// The version whose replies are the model.
const REDIS_VERSION: &str = "v=7.";

/// A redis-server that keeps nothing; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Child,
    folder: TempDir,
}

impl Redis {
    /// Starts it, if the machine has the version to compare with.
    pub(crate) fn start() -> Option<Self> {
        if !need("redis-server") {
            return None;
        }
        let version = Command::new("redis-server").arg("--version").output().expect("it can be run");
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        if !need_that(&format!("redis-server 7, this is {version}"), version.contains(REDIS_VERSION)) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A socket file is nobody else's, which a port number that was free a moment ago may be.
        let process = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--databases", "1"])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("it can be run");
        let redis = Self { process, folder };
        until("redis-server serves", || UnixStream::connect(redis.socket()).is_ok());
        Some(redis)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Returns redis-cli, about to connect to it.
    pub(crate) fn cli(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(self.socket()).stdin(Stdio::null());
        command
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire::connect_unix(&self.socket())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // What is left to do if this fails is the system's.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The bulk strings of a reply, those within arrays too, in their order.
pub(crate) fn bulks(reply: &[u8]) -> Vec<Vec<u8>> {
    fn gather(reply: Reply, found: &mut Vec<Vec<u8>>) {
        match reply {
            Reply::Bulk(bytes) => found.push(bytes.into()),
            Reply::Array(items) => items.into_iter().for_each(|item| gather(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    gather(resp_reply(reply), &mut found);
    found
}
