//! The container image: its health check, and the settings that it starts the daemon with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use rustvault_tests::{Daemon, Launch, PATIENCE, need};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("")
}

fn http_port(daemon: &Daemon) -> String {
    let (_, rest) = daemon.ready_line().split_once("http_address=").expect("it serves HTTP");
    let addr = rest.split(' ').next().unwrap().trim_matches('"');
    addr.rsplit_once(':').unwrap().1.to_owned()
}

fn is_ready(port: &str) -> Output {
    Command::new(repository().join("packaging/docker/is-ready")).arg(port).output().unwrap()
}

#[test]
fn the_health_check_passes_while_the_daemon_serves_and_needs_no_login() {
    if !need("bash") {
        return;
    }
    let launch = Launch::new();
    let password = launch.folder().join("password");
    std::fs::write(&password, "secret").unwrap();
    let args = format!("--http 127.0.0.1:0 --password-file {}", password.display());
    let mut daemon = launch.with_args(&args).start();
    let port = http_port(&daemon);
    let output = is_ready(&port);
    assert!(output.status.success(), "{output:?}");
    daemon.signal(Signal::TERM);
    daemon.wait(PATIENCE);
    let output = is_ready(&port);
    assert!(!output.status.success(), "{output:?}");
}

/// Returns the variables that the image sets, from `ENV` on.
fn variables() -> BTreeMap<String, String> {
    let dockerfile = std::fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let lines = dockerfile.lines().map(|line| line.trim_start_matches("ENV ").trim_end_matches('\\').trim());
    let settings =
        lines.filter(|line| line.starts_with("RUSTVAULT_")).filter_map(|line| line.split_once('='));
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_image_starts_the_daemon_only_with_users_and_with_json_messages() {
    let variables = variables();
    assert!(variables["RUSTVAULT_BIND_ADDR"].starts_with("0.0.0.0:"), "{variables:?}");
    let launch = Launch::new();
    let wal = launch.folder().join("vault.log");
    let mut command = launch.program_command();
    // The address alone: no listener of this machine is meant.
    command.envs(&variables).env("RUSTVAULT_BIND_ADDR", "0.0.0.0:0").env("RUSTVAULT_HTTP", "127.0.0.1:0");
    command.env_remove("RUSTVAULT_UNIX_SOCKET").env("RUSTVAULT_WAL_PATH", &wal).stdout(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let last = String::from_utf8(output.stderr).unwrap().lines().last().unwrap().to_owned();
    let message: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert!(message["fields"]["message"].as_str().unwrap().contains("--users"), "{message}");
    assert!(!wal.exists(), "the log is not touched");
}
