//! `docs/metrics.md` says what the families in the sources say. After a change:
//! `RUSTVAULT_BLESS=1 cargo test -p rustvault-server --test metrics_document`.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use rustvault_server::metrics::{METRIC_GROUPS, MetricFamily, MetricKind};

const INTRODUCTION: &str = include_str!("metrics_introduction.md");

fn families() -> impl Iterator<Item = &'static MetricFamily> {
    METRIC_GROUPS.iter().flat_map(|group| group.families.iter().copied())
}

fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for group in &METRIC_GROUPS {
        write!(text, "\n## {}\n\n", group.title).unwrap();
        text.push_str("| Metric | Type | Labels | Meaning and unit | What to do |\n|---|---|---|---|---|\n");
        for MetricFamily { name, kind, labels, help, advice, .. } in group.families {
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let (kind, labels) = (kind.name(), labels.join(", "));
            writeln!(text, "| `{name}` | {kind} | {labels} | {help} | {advice} |").unwrap();
        }
    }
    text
}

#[test]
fn the_document_says_what_the_families_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let expected = document();
    if std::env::var_os("RUSTVAULT_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == expected,
        "docs/metrics.md is not what the families say: run this test with RUSTVAULT_BLESS=1"
    );
}

#[test]
fn every_family_has_a_name_of_its_own_by_the_rules_of_prometheus_and_a_meaning() {
    let mut names = BTreeSet::new();
    for MetricFamily { name, kind, labels, help, advice, .. } in families() {
        assert!(names.insert(name), "twice: {name}");
        assert!(name.starts_with("rustvault_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(*kind == MetricKind::Counter, name.ends_with("_total"), "{name}");
        assert!(!labels.iter().any(|label| ["le", "quantile", "job", "instance"].contains(label)), "{name}");
        for text in [help, advice] {
            assert!(!text.is_empty() && !text.contains(['|', '\n']), "{name}: a cell of a table");
            assert!(!text.ends_with('.'), "{name}");
        }
    }
}

#[test]
fn metrics_that_another_one_s_advice_points_to_exist() {
    let names: BTreeSet<_> = families().map(|family| family.name).collect();
    for family in families() {
        for word in family.advice.split('`').skip(1).step_by(2).filter(|word| word.starts_with("rustvault_"))
        {
            assert!(names.contains(word), "{}: {word}", family.name);
        }
    }
}
