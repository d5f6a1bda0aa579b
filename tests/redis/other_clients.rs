//! Redis's clients in other languages; they come from their registries.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use rustvault_tests::{Launch, need, need_that};

use crate::python::environment;

const NODE_REDIS: &str = "redis@5.9.0";
const IOREDIS: &str = "ioredis@6.0.0";

/// Basic operations with redis-py, in RESP2 and RESP3, with and without decoding.
pub(crate) const PYTHON: &str = include_str!("clients/redis_py.py");

/// The same with node-redis.
pub(crate) const NODE: &str = include_str!("clients/node_redis.mjs");

#[test]
fn redis_py_works() {
    if let Some(environment) = environment() {
        run(environment.python().args(["-c", PYTHON]));
    }
}

#[test]
fn node_redis_works() {
    if let Some(folder) = node_clients() {
        let script = folder.join("node_redis.mjs");
        std::fs::write(&script, NODE).expect("the folder can be written");
        run(Command::new("node").arg(script));
    }
}

#[test]
fn ioredis_works() {
    if let Some(folder) = node_clients() {
        let script = folder.join("ioredis.mjs");
        std::fs::write(&script, include_str!("clients/ioredis.mjs")).expect("the folder can be written");
        run(Command::new("node").arg(script));
    }
}

/// The folder that node-redis and ioredis are installed in. Tests that use it run at the same time.
static NODE_FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    if !need("node") || !need("npm") {
        return None;
    }
    let folder = folder("node-clients");
    let install = || {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", ".", NODE_REDIS, IOREDIS];
        Command::new("npm").args(npm).current_dir(&folder).output()
    };
    let is_installed =
        ["redis", "ioredis"].iter().all(|name| folder.join("node_modules").join(name).is_dir());
    let is_ready = is_installed || has_installed("node-redis and ioredis", &install());
    is_ready.then_some(folder)
});

/// Returns the folder in which scripts find node-redis and ioredis, if the machine can have them.
pub(crate) fn node_clients() -> Option<&'static Path> {
    NODE_FOLDER.as_deref()
}

/// Runs a client's script against a daemon of its own.
#[track_caller]
fn run(script: &mut Command) {
    let daemon = Launch::new().start();
    run_against(script.env("PORT", daemon.addr().port().to_string()));
    daemon.stop();
}

/// Runs a client's script, whose environment says where the daemon is.
#[track_caller]
pub(crate) fn run_against(script: &mut Command) {
    let output = script.stdin(Stdio::null()).output().expect("it can be run");
    assert!(output.status.success(), "{}", said(&output));
}

/// Where a client stays installed between runs.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Whether the client is there now; says so if it isn't.
///
/// # Panics
/// It isn't, and `RUSTVAULT_REQUIRE_ALL=1` is set.
#[track_caller]
pub(crate) fn has_installed(client: &str, result: &std::io::Result<Output>) -> bool {
    let problem = match result {
        Ok(output) if output.status.success() => return true,
        Ok(output) => said(output),
        Err(error) => error.to_string(),
    };
    need_that(&format!("{client}, which cannot be installed: {problem}"), false)
}

pub(crate) fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{}\n{out}{err}", output.status)
}
