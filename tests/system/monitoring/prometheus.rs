//! Debian's Prometheus, and as much of HTTP as it takes to ask it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustvault_tests::{PATIENCE, until};
use serde_json::Value;
use tempfile::TempDir;

/// Time between two scrapes, as `config` has it.
pub(super) const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// A job with a target that speaks TLS and wants a password.
pub(super) struct ScrapeJob {
    pub(super) target: String,
    pub(super) ca: String,
    pub(super) password_file: String,
    /// Rules that are evaluated.
    pub(super) rules: PathBuf,
}

/// A Prometheus that scrapes once a second; it is killed when this is dropped.
pub(super) struct Prometheus {
    process: Child,
    addr: String,
    /// Goes away after the process.
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one on a free port of the loopback interface, and waits until it can be asked.
    pub(super) fn start(job: &ScrapeJob) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, messages) = (folder.path().join("prometheus.yml"), folder.path().join("messages"));
        fs::write(&config, job.config()).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&messages).unwrap())
            .spawn()
            .unwrap();
        let mut prometheus = Self { process, addr: String::new(), _folder: folder };
        let has_message = |text: &str| {
            let messages = fs::read_to_string(&messages).unwrap();
            messages.lines().find(|line| line.contains(text)).map(str::to_owned)
        };
        until("Prometheus is ready", || has_message("Server is ready").is_some());
        let listening: Value = serde_json::from_str(&has_message("\"Listening on\"").unwrap()).unwrap();
        prometheus.addr = listening["address"].as_str().unwrap().to_owned();
        prometheus
    }

    /// Returns whether a query has a value that is a number now.
    pub(super) fn has_data(&self, query: &str) -> bool {
        let answer = self.api(&format!("query?query={}", percent_encoded(query)));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let samples = answer["data"]["result"].as_array().unwrap();
        samples.iter().any(|sample| sample["value"][1].as_str().is_some_and(|value| value != "NaN"))
    }

    /// Asks the API for a resource.
    pub(super) fn api(&self, resource: &str) -> Value {
        let body = get(&self.addr, &format!("/api/v1/{resource}"), "");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{resource}: {error}: {body}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl ScrapeJob {
    fn config(&self) -> String {
        let Self { target, ca, password_file, rules } = self;
        let rules = rules.display();
        format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: ['{rules}']\n\
             scrape_configs:\n\
             - job_name: rustvault\n  \
               scheme: https\n  \
               tls_config: {{ca_file: '{ca}'}}\n  \
               basic_auth: {{username: default, password_file: '{password_file}'}}\n  \
               static_configs: [{{targets: ['{target}']}}]\n"
        )
    }
}

/// Scrapes once, without TLS, as a user with a password.
pub(super) fn scrape(addr: &str, login: &str) -> String {
    get(addr, "/metrics", &format!("Authorization: Basic {}\r\n", base64(login.as_bytes())))
}

/// Returns the body of a resource. HTTP 1.0 is spoken, so that it is sent whole and the connection ends behind it.
fn get(addr: &str, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {addr}\r\n{header}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer:?}"));
    assert!(
        head.split(' ').nth(1).is_some_and(|status| ["200", "400"].contains(&status)),
        "{path}: {answer}"
    );
    body.to_owned()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_usize, |bits, at| bits << 8 | chunk.get(at).map_or(0, |byte| usize::from(*byte)));
        let digits = (0..4).map(|at| char::from(DIGITS[bits >> (18 - 6 * at) & 63]));
        text.extend(digits.take(chunk.len() + 1));
        text.extend((chunk.len()..3).map(|_| '='));
    }
    text
}

#[test]
fn base64_is_as_in_its_specification() {
    assert_eq!(
        ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
        ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
    );
}
