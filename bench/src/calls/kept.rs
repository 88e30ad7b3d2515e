//! What earlier runs have found: the last one of this machine, and the one that the repository has, which a run by hand or by night
//! is checked against. Compared are ratios of one run, never times: they say little of the machine.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use super::Report;

/// What differs less from the last run is not told.
const WORTH_TELLING: f64 = 0.1;
/// What is worse than the recorded ratio by more than this is a regression.
const REGRESSION: f64 = 0.2;

type Ratios = BTreeMap<String, f64>;

fn last() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench/calls.json")
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded.json")
}

/// What differs from the last run of this machine, of which this one takes the place.
pub(crate) fn keep(report: &Report) -> Result<String, Box<dyn Error>> {
    let file = last();
    let before = fs::read(&file).ok().and_then(|text| serde_json::from_slice::<Report>(&text).ok());
    fs::create_dir_all(file.parent().ok_or("it is in a folder")?)?;
    fs::write(&file, serde_json::to_vec_pretty(report)?)?;
    let now = report.ratios();
    let lines: Vec<String> = before
        .map(|before| before.ratios())
        .into_iter()
        .flatten()
        .filter_map(|(name, before)| {
            let now = *now.get(&name)?;
            let change = now / before - 1.0;
            (change.abs() >= WORTH_TELLING).then(|| format!("  {name}: {before:.2} before, {now:.2} now"))
        })
        .collect();
    let head = if lines.is_empty() { "" } else { "\nratios to the baseline that differ from the last run:\n" };
    Ok(format!("{head}{}", lines.into_iter().map(|line| line + "\n").collect::<String>()))
}

/// Records the ratios: later runs are checked against them. Those that were not measured stay.
pub(crate) fn record(report: &Report) -> Result<(), Box<dyn Error>> {
    let mut ratios: Ratios =
        fs::read(recorded()).ok().map_or_else(|| Ok(Ratios::new()), |text| serde_json::from_slice(&text))?;
    ratios.extend(report.ratios().into_iter().map(|(name, ratio)| (name, (ratio * 1000.0).round() / 1000.0)));
    Ok(fs::write(recorded(), serde_json::to_string_pretty(&ratios)? + "\n")?)
}

/// What is worse than recorded.
pub(crate) fn check(report: &Report) -> Result<Vec<String>, Box<dyn Error>> {
    let recorded: Ratios = serde_json::from_slice(&fs::read(recorded())?)?;
    Ok(regressions(&recorded, &report.ratios()))
}

fn regressions(recorded: &Ratios, now: &Ratios) -> Vec<String> {
    let worse = |(name, recorded): (&String, &f64)| {
        let now = *now.get(name)?;
        let is_worse = if name.ends_with("calls/s") {
            now < recorded / (1.0 + REGRESSION)
        } else {
            now > recorded * (1.0 + REGRESSION)
        };
        is_worse.then(|| format!("{name}: {now:.2}, and {recorded:.2} was recorded"))
    };
    recorded.iter().filter_map(worse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_is_worse_and_faster_is_not() {
        let ratios = |rate: f64, p99: f64| {
            Ratios::from([("a, calls/s".to_owned(), rate), ("a, p99".to_owned(), p99), ("b, p50".to_owned(), 1.0)])
        };
        assert_eq!(regressions(&ratios(0.5, 2.0), &ratios(0.9, 1.0)), [""; 0]);
        assert_eq!(regressions(&ratios(0.5, 2.0), &ratios(0.45, 2.2)), [""; 0]);
        let [slower, later] = &regressions(&ratios(0.5, 2.0), &ratios(0.3, 3.0))[..] else { panic!("both are worse") };
        assert_eq!(slower, "a, calls/s: 0.30, and 0.50 was recorded");
        assert_eq!(later, "a, p99: 3.00, and 2.00 was recorded");
    }
}
