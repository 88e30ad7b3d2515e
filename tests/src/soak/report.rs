//! What came out, for a person and for a program.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::figures::{Figure, Times, machine};

/// No more violations of one scenario are written out.
const SHOWN: usize = 20;

/// What one scenario found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Numbers.
    pub figures: Vec<Figure>,
    /// How often each function had each outcome.
    pub outcomes: BTreeMap<String, BTreeMap<String, u64>>,
    /// What must not be.
    pub violations: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Findings {
    /// Adds a number.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit, at_most: None });
    }

    /// Adds a number that must not be larger than that.
    pub fn bounded(&mut self, name: impl Into<String>, value: f64, unit: &'static str, at_most: f64) {
        let figure = Figure { name: name.into(), value, unit, at_most: Some(at_most) };
        if !figure.holds() {
            self.violation(format!("{}: {value:.1} {unit}, at most {at_most:.1}", figure.name));
        }
        self.figures.push(figure);
    }

    /// Adds the quantiles of times, with a bound for the 99th hundredth in milliseconds.
    pub fn times(&mut self, name: &str, times: &Times, p99: Option<f64>) {
        self.figure(format!("{name}, p50"), times.quantile(0.5), "ms");
        let slow = times.quantile(0.99);
        match p99 {
            Some(bound) => self.bounded(format!("{name}, p99"), slow, "ms", bound),
            None => self.figure(format!("{name}, p99"), slow, "ms"),
        }
        self.figure(format!("{name}, longest"), times.quantile(1.0), "ms");
    }

    /// Notes something that must not be.
    pub fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Notes an outcome of a call.
    pub fn outcome(&mut self, function: &str, told: &str) {
        *self.outcomes.entry(function.to_owned()).or_default().entry(told.to_owned()).or_default() += 1;
    }

    /// A test of its own: it fails with all that must not be.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.violations.is_empty(), "{}", self.text());
    }

    /// For a person.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Figure { name, value, unit, at_most } in &self.figures {
            let value = if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.1}") };
            let bound = at_most.map(|bound| format!("  (at most {bound})")).unwrap_or_default();
            let _ = writeln!(text, "  {name:<62}{value:>10} {unit}{bound}");
        }
        for (function, outcomes) in &self.outcomes {
            let outcomes: Vec<String> = outcomes.iter().map(|(told, count)| format!("{count} {told}")).collect();
            let _ = writeln!(text, "  {function:<16}{}", outcomes.join("; "));
        }
        for violation in self.violations.iter().take(SHOWN) {
            let _ = writeln!(text, "  VIOLATION: {violation}");
        }
        if self.violations.len() > SHOWN {
            let _ = writeln!(text, "  … {} violations in all", self.violations.len());
        }
        text
    }

    fn json(&self) -> Value {
        let figures: Vec<Value> = self.figures.iter().map(Figure::json).collect();
        let Self { outcomes, violations, seconds, .. } = self;
        json!({"seconds": seconds, "figures": figures, "outcomes": outcomes, "violations": violations})
    }
}

/// What a whole soak found, by the names of its scenarios.
#[derive(Clone, Debug)]
pub struct Report {
    command: String,
    machine: Value,
    scenarios: Vec<(String, Findings)>,
}

impl Report {
    /// Of a soak that is made by this command and begins now.
    pub fn new(command: String) -> Self {
        Self { command, machine: machine(), scenarios: Vec::new() }
    }

    /// What stands above the scenarios.
    pub fn head(&self) -> String {
        let fact = |name: &str| self.machine[name].to_string().replace('"', "");
        let facts = ["cores", "processor", "memory", "kernel", "load_average"];
        let facts: Vec<String> = facts.iter().map(|name| format!("{name} {}", fact(name))).collect();
        format!("{}\n{}\n", self.command, facts.join(" · "))
    }

    /// Adds what a scenario found; nothing for one that cannot be run yet.
    pub fn add(&mut self, name: &str, findings: Findings) {
        self.scenarios.push((name.to_owned(), findings));
    }

    /// Whether all is as it should be.
    pub fn is_clean(&self) -> bool {
        self.scenarios.iter().all(|(_, findings)| findings.violations.is_empty())
    }

    /// For a program.
    pub fn json(&self) -> Value {
        let scenario = |(name, findings): &(String, Findings)| (name.clone(), findings.json());
        let scenarios: serde_json::Map<String, Value> = self.scenarios.iter().map(scenario).collect();
        json!({"command": self.command, "machine": self.machine, "scenarios": scenarios})
    }
}
