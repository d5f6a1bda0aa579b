//! The files of `monitoring/`: Prometheus scrapes a daemon under load, and is asked whatever the dashboard and the alerts ask.

mod alerts;
mod dashboard;
mod load;
mod prometheus;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use rustvault_tests::tls::Authority;
use rustvault_tests::{Launch, PATIENCE, need, until};

use load::Load;
use prometheus::{Prometheus, SCRAPE_INTERVAL, ScrapeJob};

/// Password of the user `default`: it looks like a token, so that each scrape is checked without a hash.
const PASSWORD: &str = "rv_0123456789abcdef";

/// Returns the path of a file of the project.
fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in a folder").join(path)
}

fn read_project_file(path: &str) -> String {
    let path = project_file(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns a value of the message `ready`.
fn ready_value(ready: &str, name: &str) -> String {
    let value = ready.split(&format!(" {name}=")).nth(1).unwrap_or_else(|| panic!("no {name} in {ready:?}"));
    value.trim_start_matches('"').split(['"', ' ', ',']).next().unwrap_or_default().to_owned()
}

#[test]
fn every_query_of_the_dashboard_has_data_and_a_healthy_daemon_has_no_alert() {
    if !(need("prometheus") && need("promtool")) {
        return;
    }
    let launch = Launch::new();
    let (folder, authority) = (launch.folder().to_owned(), Authority::new());
    let path = |name: &str| folder.join(name).display().to_string();
    fs::write(path("password"), PASSWORD).unwrap();
    fs::write(path("ca.pem"), authority.pem()).unwrap();
    authority.issue("the server").write(&folder);
    let daemon = launch
        .with_args("--http 127.0.0.1:0 --tls-http 127.0.0.1:0 --tls-bind 127.0.0.1:0 --max-memory 256mb --compact-ratio 1000")
        .with_args(&format!("--tls-cert {} --tls-key {}", path("cert.pem"), path("key.pem")))
        .with_args(&format!("--password-file {}", path("password")))
        .start();
    let tls_addr = ready_value(daemon.ready_line(), "tls_address").parse().unwrap();
    let load = Load::start(daemon.addr(), tls_addr, authority.client(None));
    let prometheus = Prometheus::start(&ScrapeJob {
        target: ready_value(daemon.ready_line(), "tls_http_address"),
        ca: path("ca.pem"),
        password_file: path("password"),
        rules: project_file("monitoring/alerts.yml"),
    });
    until("the daemon is scraped", || prometheus.has_data("up == 1"));
    wait_for_data(&prometheus, dashboard::queries(), &load);
    alerts::assert_none(&prometheus);
    assert_promtool_accepts(&prometheus::scrape(
        &ready_value(daemon.ready_line(), "http_address"),
        &format!("default:{PASSWORD}"),
    ));
    load.stop();
    daemon.stop();
}

/// Waits until each query has had data.
fn wait_for_data(prometheus: &Prometheus, mut queries: Vec<String>, load: &Load) {
    let start = Instant::now();
    loop {
        queries.retain(|query| !prometheus.has_data(query));
        if queries.is_empty() {
            return;
        }
        assert!(load.is_running(), "the load has ended");
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: data for {queries:#?}");
        thread::sleep(SCRAPE_INTERVAL);
    }
}

/// Checks the names, types and texts of metrics.
fn assert_promtool_accepts(metrics: &str) {
    let mut process = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
}

#[test]
fn dashboard_and_alerts_have_every_documented_metric_and_no_other() {
    let document = read_project_file("docs/metrics.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<_> = rows.collect();
    let used = dashboard::queries().join("\n") + &read_project_file("monitoring/alerts.yml");
    let words = used.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let metrics = words.filter(|word| word.starts_with("rustvault_") || word.starts_with("process_"));
    let families: BTreeSet<_> = metrics.map(|metric| family(metric, &documented)).collect();
    let unknown: Vec<_> = families.difference(&documented).collect();
    assert!(unknown.is_empty(), "docs/metrics.md has no row for {unknown:?}");
    let unused: Vec<_> = documented.difference(&families).collect();
    assert!(unused.is_empty(), "monitoring/grafana-dashboard.json does not show {unused:?}");
}

/// Returns the family of a metric, which may be a part of a histogram.
fn family<'a>(metric: &'a str, documented: &BTreeSet<&str>) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"];
    let families = parts.iter().filter_map(|part| metric.strip_suffix(part));
    families.into_iter().find(|family| documented.contains(family)).unwrap_or(metric)
}
