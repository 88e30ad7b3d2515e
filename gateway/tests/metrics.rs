//! The document of the metrics, the alerts and the dashboard name what there is.

use std::collections::BTreeSet;

use bridge32_gateway::observe::metrics::families::FAMILIES;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/metrics.md");
const ALERTS: &str = include_str!("../../monitoring/alerts.yaml");
const ALERT_TESTS: &str = include_str!("../../monitoring/alerts.test.yaml");
const DASHBOARD: &str = include_str!("../../monitoring/grafana-dashboard.json");

#[test]
fn the_document_has_every_metric_as_it_is() {
    let row = |family: &&bridge32_gateway::observe::metrics::families::Family| {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |", family.full_name(), family.kind_name(), labels.join(", "), family.help)
    };
    let expected: BTreeSet<String> = FAMILIES.iter().map(row).collect();
    let is_row = |line: &&str| ["| `bridge32_", "| `process_"].iter().any(|start| line.starts_with(start));
    let documented: BTreeSet<String> = DOCUMENT.lines().filter(is_row).map(str::to_owned).collect();
    let missing: Vec<_> = expected.difference(&documented).collect();
    let other: Vec<_> = documented.difference(&expected).collect();
    assert!(missing.is_empty() && other.is_empty(), "docs/metrics.md lacks {missing:#?} and has instead {other:#?}");
}

/// What in a text looks like the name of a metric.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let is_name = |word: &&str| ["bridge32_", "process_"].iter().any(|start| word.starts_with(start));
    words.filter(is_name).map(str::to_owned).collect()
}

/// The series that a metric has.
fn series() -> BTreeSet<String> {
    let of = |name: String, kind: &str| match kind {
        "histogram" => ["_bucket", "_sum", "_count"].map(|suffix| format!("{name}{suffix}")).to_vec(),
        _ => vec![name],
    };
    FAMILIES.iter().flat_map(|family| of(family.full_name(), family.kind_name())).collect()
}

#[test]
fn alerts_and_their_tests_name_metrics_that_there_are() {
    let known = series();
    for text in [ALERTS, ALERT_TESTS] {
        let named = names(text);
        assert!(named.len() > 8, "{named:?}");
        assert!(named.is_subset(&known), "{:?}", named.difference(&known));
    }
}

#[test]
fn every_alert_has_a_test_says_what_to_do_and_is_in_the_document() {
    let alerts: Vec<&str> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    assert_eq!(ALERTS.matches("runbook: >-").count(), alerts.len());
    assert_eq!(ALERTS.matches("summary: ").count(), alerts.len());
    for alert in alerts {
        assert!(ALERT_TESTS.contains(&format!("\"{alert}\"")), "{alert} has no test");
        assert!(DOCUMENT.contains(&format!("| `{alert}` |")), "{alert} is not in docs/metrics.md");
    }
}

/// Every member of that name, wherever it stands.
fn all<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(name));
            members.values().for_each(|inner| all(inner, name, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| all(inner, name, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are_from_the_data_source_that_is_chosen() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let known = series();
    let (mut expressions, mut sources) = (Vec::new(), Vec::new());
    all(&dashboard["panels"], "expr", &mut expressions);
    all(&dashboard["annotations"], "expr", &mut expressions);
    all(&dashboard, "datasource", &mut sources);
    assert!(expressions.len() > 30 && sources.len() > 30);
    for expression in expressions {
        let expression = expression.as_str().unwrap();
        let named = names(expression);
        // Prometheus itself says whether it gets an answer.
        let is_about_something = !named.is_empty() || expression.contains("(up{");
        assert!(is_about_something && named.is_subset(&known), "{expression}");
        let pairs = [('(', ')'), ('{', '}'), ('[', ']')];
        assert!(
            pairs.iter().all(|(a, b)| expression.matches(*a).count() == expression.matches(*b).count()),
            "{expression}"
        );
    }
    assert!(sources.iter().all(|source| source["uid"] == "${datasource}"), "{sources:?}");
    let ids: Vec<u64> =
        dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    let rows = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<&str> = rows.filter_map(|row| row["title"].as_str()).collect();
    assert!(rows.starts_with(&[
        "Is it up?",
        "Is it fast?",
        "What fails?",
        "Which agent leaks?",
        "Is history being lost?"
    ]));
}
