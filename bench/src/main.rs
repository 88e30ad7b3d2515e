//! `cargo xtask bench`: what things cost, each against a baseline that is measured in the same run, because a number of
//! microseconds alone says more of the machine than of the program. `--json` prints the same for programs.
//!
//! The table [`SUBJECTS`] is the whole program; each subject is a module.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "telling a person what things cost is this program's job"
)]

mod measure;
mod recording;
mod verification;

use std::process::ExitCode;

use measure::{Results, Row};

/// Something that can be measured.
struct Subject {
    name: &'static str,
    about: &'static str,
    measure: fn() -> Vec<Row>,
}

const SUBJECTS: &[Subject] = &[
    Subject {
        name: "verification",
        about: "a signed request, as the gateway looks at it: headers parsed, base, MAC, digest, nonce; against SHA-256 and HMAC \
                of the same bytes",
        measure: verification::measure,
    },
    Subject {
        name: "recording",
        about: "a call through dist/, with the history (`batched`); against the same without (`off`)",
        measure: recording::measure,
    },
];

fn main() -> ExitCode {
    let (options, wanted): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word == "--json");
    if let Some(word) = wanted.iter().find(|word| SUBJECTS.iter().all(|subject| subject.name != *word)) {
        let names: Vec<&str> = SUBJECTS.iter().map(|subject| subject.name).collect();
        println!("\"{word}\" cannot be measured; what can: {}", names.join(", "));
        return ExitCode::from(2);
    }
    let chosen = SUBJECTS.iter().filter(|subject| wanted.is_empty() || wanted.iter().any(|word| word == subject.name));
    let results: Vec<Results> =
        chosen.map(|Subject { name, about, measure }| Results { name, about, rows: measure() }).collect();
    if options.is_empty() {
        print!("{}", results.iter().map(measure::table).collect::<String>());
    } else {
        println!("{}", measure::json(&results));
    }
    ExitCode::SUCCESS
}
