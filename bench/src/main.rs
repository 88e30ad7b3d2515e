//! `cargo xtask bench`: what things cost, each against a baseline that is measured in the same run, because a number of
//! microseconds alone says more of the machine than of the program. `--json` prints the same for programs.
//!
//! The table [`SUBJECTS`] is the whole program; each subject is a module.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling a person what things cost is this program's job"
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures of measurements are small, and rounded"
)]

mod baseline;
mod bulk;
mod calls;
mod growth;
mod load;
mod measure;
mod recording;
mod usage;
mod verification;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use measure::Row;
use serde_json::{Value, json};

/// Something that can be measured.
struct Subject {
    name: &'static str,
    about: &'static str,
    measure: fn(&Arguments) -> Result<Found, Box<dyn Error>>,
}

/// What was found: for people, for programs, and whether it is worse than it may be.
struct Found {
    text: String,
    json: Value,
    regressions: Vec<String>,
}

const SUBJECTS: &[Subject] = &[
    Subject {
        name: "calls",
        about: "calls through dist/ with everything on, as many clients make them; against plain axum, and against msl-loadlib",
        measure: calls,
    },
    Subject {
        name: "verification",
        about: "a signed request, as the gateway looks at it: headers parsed, base, MAC, digest, nonce; against SHA-256 and HMAC \
                of the same bytes",
        measure: |_| Ok(rows(&verification::measure())),
    },
    Subject {
        name: "recording",
        about: "a call through dist/, with the history (`batched`); against the same without (`off`)",
        measure: |_| Ok(rows(&recording::measure())),
    },
    Subject {
        name: "bulk",
        about: "64 MiB through dist/ as application/octet-stream, into zlib's crc32 and through memcpy and back; against plain axum, \
                which hashes the same body and answers it",
        measure: |_| bulk::measure(),
    },
    Subject {
        name: "growth",
        about: "how what a call costs grows with the number of libraries, instances, functions and bytes; takes some minutes",
        measure: |_| {
            let points = growth::measure()?;
            Ok(Found { text: growth::table(&points), json: serde_json::to_value(&points)?, regressions: Vec::new() })
        },
    },
];

/// What is measured where nothing is named: how cost grows is a question of its own.
const USUAL: [&str; 3] = ["calls", "verification", "recording"];

/// What things cost, each against a baseline of the same run.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench", disable_version_flag = true)]
struct Arguments {
    /// What is measured; nothing: calls, verification and recording.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(SUBJECTS.iter().map(|subject| subject.name)))]
    subjects: Vec<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    /// Of calls: how often each is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Of calls: how long each round takes.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Of calls: only this workload.
    #[arg(long, value_name = "WORKLOAD", value_parser = clap::builder::PossibleValuesParser::new(calls::NAMES))]
    only: Vec<String>,
    /// Of calls: only with so many connections.
    #[arg(long, value_name = "NUMBER", value_parser = connections)]
    connections: Vec<usize>,
    /// Of calls: records the ratios in bench/recorded.json.
    #[arg(long)]
    record: bool,
    /// Of calls: fails if ratios are worse than recorded.
    #[arg(long, conflicts_with = "record")]
    check: bool,
}

/// The seconds of a round: signatures that are made before it are good for some minutes.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.05..=60.0).contains(seconds));
    seconds.ok_or_else(|| "a round takes 0.05 to 60 seconds".to_owned())
}

/// One of the numbers of connections that are measured.
fn connections(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| calls::CONNECTIONS.contains(number));
    number.ok_or_else(|| format!("one of {:?}", calls::CONNECTIONS))
}

fn main() -> ExitCode {
    // It starts itself with this word.
    if std::env::args().nth(1).is_some_and(|word| word == baseline::WORD) {
        return end(baseline::serve().map_err(Box::from));
    }
    end(run(&Arguments::parse()))
}

fn end(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let usual = || USUAL.map(str::to_owned).to_vec();
    let subjects = if arguments.subjects.is_empty() { usual() } else { arguments.subjects.clone() };
    let wanted = |name: &str| subjects.iter().any(|wanted| wanted == name);
    let (mut all, mut regressions) = (Vec::new(), Vec::new());
    for Subject { name, about, measure } in SUBJECTS.iter().filter(|subject| wanted(subject.name)) {
        let found = measure(arguments)?;
        regressions.extend(found.regressions);
        if arguments.json {
            all.push(json!({"subject": name, "about": about, "found": found.json}));
        } else {
            println!("{name}: {about}\n{}", found.text);
        }
    }
    if arguments.json {
        println!("{}", json!({"subjects": all}));
    }
    if regressions.is_empty() {
        Ok(())
    } else {
        Err(format!("worse than recorded:\n{}", regressions.join("\n")).into())
    }
}

fn rows(rows: &[Row]) -> Found {
    Found { text: measure::table(rows), json: measure::json(rows), regressions: Vec::new() }
}

fn calls(arguments: &Arguments) -> Result<Found, Box<dyn Error>> {
    let Arguments { rounds, seconds, only, connections, .. } = arguments.clone();
    let options = calls::Options { rounds: usize::from(rounds), seconds, only, connections };
    let report = calls::measure(&options)?;
    let changed = calls::kept::keep(&report)?;
    if arguments.record {
        calls::kept::record(&report)?;
    }
    let regressions = if arguments.check { calls::kept::check(&report)? } else { Vec::new() };
    Ok(Found { text: format!("{report}{changed}"), json: serde_json::to_value(&report)?, regressions })
}
