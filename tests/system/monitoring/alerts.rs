//! The alert rules: what Prometheus makes of them, and the document on them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rustvault_tests::{need, until};

use super::prometheus::Prometheus;
use super::{project_file, read_project_file};

/// Alert that a machine under other load may be about to have; it fires after ten minutes of that.
const MAY_BE_PENDING: &str = "RustVaultSyncsSlow";

/// Waits until all rules were evaluated without an error, and checks that there is no alert.
pub(super) fn assert_none(prometheus: &Prometheus) {
    let rules = || {
        let rules = prometheus.api("rules")["data"]["groups"][0]["rules"].take();
        rules.as_array().unwrap().clone()
    };
    until("all rules are evaluated", || {
        let rules = rules();
        for rule in &rules {
            assert_ne!(rule["health"], "err", "{rule:#}");
        }
        !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok")
    });
    // Until the first scrape there is no target.
    until("the target is there", || {
        rules().iter().all(|rule| rule["name"] != "RustVaultMissing" || rule["state"] == "inactive")
    });
    for rule in rules() {
        let is_right = match rule["name"].as_str() {
            Some(MAY_BE_PENDING) => rule["state"] != "firing",
            _ => rule["state"] == "inactive",
        };
        assert!(is_right, "{rule:#}");
    }
}

#[test]
fn every_alert_is_tested_and_explained_with_its_severity() {
    let (rules, tests) =
        ["alerts.yml", "alerts_test.yml"].map(|name| read_project_file(&format!("monitoring/{name}"))).into();
    let document = read_project_file("docs/alerts.md");
    let mut sections = BTreeSet::new();
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap().trim();
        let is_critical = rule.contains("{severity: critical}");
        assert!(is_critical || rule.contains("{severity: warning}"), "{name} has no severity");
        assert!(
            rule.contains(&format!("runbook: docs/alerts.md#{}\n", name.to_lowercase())),
            "{name} has no runbook"
        );
        let severity = if is_critical { "Critical." } else { "Warning." };
        assert!(
            document.contains(&format!("\n## {name}\n\n{severity} ")),
            "docs/alerts.md: {name} is {severity}"
        );
        assert!(
            tests.contains(&format!("alertname=\"{name}\",alertstate=\"firing\"")),
            "no test has {name} fire"
        );
        sections.insert(name.to_owned());
    }
    let headings: BTreeSet<_> =
        document.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect();
    assert_eq!(headings, sections, "docs/alerts.md has the alerts of monitoring/alerts.yml");
}

#[test]
fn links_of_the_document_on_alerts_lead_somewhere() {
    let document = read_project_file("docs/alerts.md").replace('\n', " ");
    let links: Vec<_> = document.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    for link in &links {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let path = if file.is_empty() { "docs/alerts.md".to_owned() } else { format!("docs/{file}") };
        assert!(project_file(&path).exists(), "{link}");
        let text = if anchor.is_empty() { String::new() } else { read_project_file(&path) };
        let has_anchor =
            || text.lines().any(|line| heading_anchor(line).is_some_and(|found| found == anchor));
        assert!(anchor.is_empty() || has_anchor(), "{path} has no heading for {link}");
    }
    assert!(links.len() > 20, "{links:?}");
}

/// Returns the anchor of a heading of Markdown.
fn heading_anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}

#[test]
fn promtool_accepts_the_alerts_and_their_tests_pass() {
    if need("promtool") {
        promtool(&["check", "config"], "prometheus.yml");
        promtool(&["test", "rules"], "alerts_test.yml");
    }
}

fn promtool(command: &[&str], file: impl AsRef<Path>) {
    let folder = project_file("monitoring");
    let output =
        Command::new("promtool").args(command).arg(file.as_ref()).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}
