//! `cargo xtask bench`: what things cost, each against a baseline that is measured in the same run, because a number of
//! microseconds alone says more of the machine than of the program. `--json` prints the same for programs.
//!
//! The table [`SUBJECTS`] is the whole program; each subject is a module.
#![allow(clippy::print_stdout, reason = "telling a person what things cost is this program's job")]

mod measure;
mod verification;

use measure::Row;

/// What can be measured: the word, what it is, and the measurement.
const SUBJECTS: &[(&str, &str, fn() -> Vec<Row>)] = &[(
    "verification",
    "a signed request, as the gateway looks at it: headers parsed, base, MAC, digest, nonce; against SHA-256 and HMAC of the \
     same bytes",
    verification::measure,
)];

fn main() -> std::process::ExitCode {
    let (options, wanted): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word == "--json");
    let is_known = |word: &&String| !SUBJECTS.iter().any(|(name, ..)| name == word);
    if let Some(word) = wanted.iter().find(is_known) {
        let names: Vec<&str> = SUBJECTS.iter().map(|(name, ..)| *name).collect();
        println!("\"{word}\" cannot be measured; what can: {}", names.join(", "));
        return std::process::ExitCode::from(2);
    }
    let chosen = SUBJECTS.iter().filter(|(name, ..)| wanted.is_empty() || wanted.iter().any(|word| word == name));
    let results: Vec<_> = chosen.map(|(name, about, measure)| (*name, *about, measure())).collect();
    if options.is_empty() {
        results.iter().for_each(|(name, about, rows)| print!("{}", measure::table(name, about, rows)));
    } else {
        println!("{}", measure::json(&results));
    }
    std::process::ExitCode::SUCCESS
}
