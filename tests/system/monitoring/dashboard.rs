//! The dashboard for Grafana: its queries as Grafana would ask them, and what each panel must have.

use std::collections::BTreeSet;

use serde_json::Value;

use super::read_project_file;

fn panels() -> Vec<Value> {
    let dashboard: Value =
        serde_json::from_str(&read_project_file("monitoring/grafana-dashboard.json")).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

/// Returns all queries, with the choices that Grafana would put into them: all instances, and a window of a few scrapes.
pub(super) fn queries() -> Vec<String> {
    let panels = panels();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries = targets.map(|target| {
        let query = target["expr"].as_str().unwrap();
        let choices = [("$job", "rustvault"), ("$instance", ".+"), ("$__rate_interval", "10s")];
        choices.iter().fold(query.to_owned(), |query, (choice, value)| query.replace(choice, value))
    });
    queries.collect()
}

#[test]
fn every_panel_has_a_description_a_unit_and_its_place() {
    let panels = panels();
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in &panels {
        let title = panel["title"].as_str().unwrap();
        let number = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "the id of {title} comes twice");
        for (x, y) in (number("x")..number("x") + number("w"))
            .flat_map(|x| (number("y")..number("y") + number("h")).map(move |y| (x, y)))
        {
            assert!(x < 24 && places.insert((x, y)), "{title} is where another panel is");
        }
        if panel["type"] != "row" {
            assert!(
                panel["description"].as_str().is_some_and(|text| text.ends_with('.')),
                "{title} has no description"
            );
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
            assert!(
                panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()),
                "{title} has no query"
            );
        }
    }
    assert!(queries().iter().all(|query| !query.contains('$')), "a choice is not replaced: {:#?}", queries());
}
