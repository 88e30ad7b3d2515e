//! What was found, for people and for programs, and compared with what was found before.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::contender::{BASELINE, ELF, WINE};
use super::workload::SCALARS;
use super::{Cell, Sample, peer};

/// All that one run has found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(super) cells: Vec<Cell>,
    /// Megabytes that are in use of each process, before the first call and after the last one.
    pub(super) idle_mb: Vec<(String, f64)>,
    pub(super) loaded_mb: Vec<(String, f64)>,
    /// How long agents took to be ready again.
    pub(super) starts: Vec<Starts>,
    /// Milliseconds until the peer has answered.
    pub(super) peer_start_ms: f64,
}

/// The milliseconds that an agent took from its end to being ready again, each time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Starts {
    pub(super) agent: String,
    pub(super) ms: Vec<f64>,
}

/// A figure of a round.
type Figure = fn(&Sample) -> f64;

/// Adds what a round has found.
pub(super) fn add(cells: &mut Vec<Cell>, workload: &str, connections: usize, contender: &str, sample: Sample) {
    let same =
        |cell: &&mut Cell| cell.workload == workload && cell.connections == connections && cell.contender == contender;
    match cells.iter_mut().find(same) {
        Some(cell) => cell.rounds.push(sample),
        None => cells.push(Cell {
            workload: workload.to_owned(),
            connections,
            contender: contender.to_owned(),
            rounds: vec![sample],
        }),
    }
}

/// The middle of some values, the least and the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some(Self { median: values[values.len() / 2], least, most })
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { median, least, most } = self;
        write!(f, "{median:.2} ({least:.2}–{most:.2})")
    }
}

/// A goal of the project: what a ratio has to be.
struct Goal {
    name: String,
    is: Option<f64>,
    wanted: f64,
    /// Whether more is better.
    at_least: bool,
}

impl Report {
    fn cell(&self, workload: &str, connections: usize, contender: &str) -> Option<&Cell> {
        let mut cells = self.cells.iter().filter(|cell| cell.workload == workload && cell.connections == connections);
        cells.find(|cell| cell.contender == contender)
    }

    /// A figure of one against that of another in the same round, in all rounds.
    fn ratio(&self, cell: &Cell, other: &str, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let other = self.cell(&cell.workload, cell.connections, other)?;
        let rounds = cell.rounds.iter().zip(&other.rounds);
        Spread::of(rounds.map(|(one, other)| figure(one) / figure(other)))
    }

    /// The ratios that are compared from run to run: calls a second and latencies, each against the baseline.
    pub(crate) fn ratios(&self) -> BTreeMap<String, f64> {
        let figures: [(&str, Figure); 3] = [
            ("calls/s", |sample| sample.calls_per_second),
            ("p50", |sample| sample.p50_us),
            ("p99", |sample| sample.p99_us),
        ];
        let mut ratios = BTreeMap::new();
        for cell in self.cells.iter().filter(|cell| ![BASELINE, peer::NAME].contains(&cell.contender.as_str())) {
            for (name, figure) in figures {
                if let Some(ratio) = self.ratio(cell, BASELINE, figure) {
                    let Cell { workload, connections, contender, .. } = cell;
                    ratios.insert(format!("{workload}, {connections}, {contender}, {name}"), ratio.median);
                }
            }
        }
        ratios
    }

    fn goals(&self) -> Vec<Goal> {
        let ratio = |connections, contender, other, figure: Figure| {
            let cell = self.cell(SCALARS, connections, contender)?;
            Some(self.ratio(cell, other, figure)?.median)
        };
        let rate: Figure = |sample| sample.calls_per_second;
        let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|spread| spread.median);
        let start = self.starts.iter().find(|starts| starts.agent == ELF).and_then(|starts| median(&starts.ms));
        let goal = |name: &str, is, wanted, at_least| Goal { name: name.to_owned(), is, wanted, at_least };
        vec![
            goal("64 connections, linux32, calls/s of the baseline's", ratio(64, ELF, BASELINE, rate), 0.75, true),
            goal("64 connections, Wine, calls/s of the baseline's", ratio(64, WINE, BASELINE, rate), 0.45, true),
            goal("64 connections, linux32, p99 of the baseline's", ratio(64, ELF, BASELINE, |s| s.p99_us), 5.0, false),
            goal("1 connection, linux32, p50 of the baseline's", ratio(1, ELF, BASELINE, |s| s.p50_us), 3.0, false),
            goal("1 caller, msl-loadlib's p50 of linux32's", ratio(1, peer::NAME, ELF, |s| s.p50_us), 8.0, true),
            goal("64 callers, linux32's calls/s of msl-loadlib's", ratio(64, ELF, peer::NAME, rate), 40.0, true),
            goal("start, msl-loadlib's of an agent's", start.map(|ms| self.peer_start_ms / ms), 5.0, true),
        ]
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut workloads: Vec<&str> = self.cells.iter().map(|cell| cell.workload.as_str()).collect();
        workloads.dedup();
        let mut seen = Vec::new();
        for workload in workloads {
            if seen.contains(&workload) {
                continue;
            }
            seen.push(workload);
            writeln!(f, "{workload}")?;
            writeln!(
                f,
                "  {:>5} {:<14} {:>9} {:<18} {:>8} {:<18} {:>8} {:<18} {:>8} {:>8}",
                "conns",
                "",
                "calls/s",
                "of the baseline's",
                "p50 µs",
                "of the baseline's",
                "p99 µs",
                "of the baseline's",
                "server",
                "agent"
            )?;
            let mut cells: Vec<&Cell> = self.cells.iter().filter(|cell| cell.workload == workload).collect();
            cells.sort_by_key(|cell| cell.connections);
            cells.into_iter().try_for_each(|cell| self.line(f, cell))?;
        }
        writeln!(f, "server, agent: milliseconds of a processor for 1,000 calls\n")?;
        for (name, idle) in &self.idle_mb {
            let loaded = self.loaded_mb.iter().find(|(other, _)| other == name).map_or(f64::NAN, |(_, mb)| *mb);
            writeln!(f, "memory: {name} {idle:.1} MB before the first call, {loaded:.1} MB after the last one")?;
        }
        for Starts { agent, ms } in &self.starts {
            if let Some(spread) = Spread::of(ms.iter().copied()) {
                writeln!(f, "start: {agent} {spread} ms; msl-loadlib {:.0} ms", self.peer_start_ms)?;
            }
        }
        writeln!(f)?;
        for Goal { name, is, wanted, at_least } in self.goals() {
            let Some(is) = is else { continue };
            let holds = if at_least { is >= wanted } else { is <= wanted };
            let (sign, bound) = (if holds { "ok" } else { "MISSED" }, if at_least { "at least" } else { "at most" });
            writeln!(f, "{sign:<7} {name}: {is:.2}, {bound} {wanted}")?;
        }
        Ok(())
    }
}

impl Report {
    fn line(&self, f: &mut Formatter<'_>, cell: &Cell) -> fmt::Result {
        let median =
            |figure: Figure| Spread::of(cell.rounds.iter().map(figure)).map_or(f64::NAN, |spread| spread.median);
        let ratio = |figure: Figure| {
            let spread = self.ratio(cell, BASELINE, figure).filter(|_| cell.contender != BASELINE);
            spread.map_or_else(String::new, |spread| spread.to_string())
        };
        let cpu = |figure: fn(&Sample) -> Option<f64>| {
            let spread = Spread::of(cell.rounds.iter().filter_map(figure));
            spread.map_or_else(String::new, |spread| format!("{:.1}", spread.median * 1e3))
        };
        writeln!(
            f,
            "  {:>5} {:<14} {:>9.0} {:<18} {:>8.0} {:<18} {:>8.0} {:<18} {:>8} {:>8}",
            cell.connections,
            cell.contender,
            median(|sample| sample.calls_per_second),
            ratio(|sample| sample.calls_per_second),
            median(|sample| sample.p50_us),
            ratio(|sample| sample.p50_us),
            median(|sample| sample.p99_us),
            ratio(|sample| sample.p99_us),
            cpu(|sample| sample.server_cpu_s),
            cpu(|sample| sample.agent_cpu_s),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_the_ends() {
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(spread.to_string(), "2.00 (1.00–3.00)");
        assert_eq!(Spread::of([]), None);
    }
}
