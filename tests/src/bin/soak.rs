//! `cargo xtask soak`: failures of every kind under load, what holds then, and the figures of docs/staying-up.md. It exits with 1 if
//! something did not hold. The scenarios are in `bridge32_tests::soak`.
#![expect(clippy::print_stdout, reason = "telling a person what came out is this program's job")]

use std::path::PathBuf;
use std::process::ExitCode;

use bridge32_tests::soak::{Options, Report, SCENARIOS, Scenario};
use clap::Parser;

/// Forces failures of every kind under load, and tells what did not hold.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask soak", bin_name = "cargo xtask soak")]
struct Arguments {
    /// Failures to force in ELF libraries.
    #[arg(long, value_name = "N")]
    failures: Option<u32>,
    /// Failures to force in DLLs under Wine.
    #[arg(long, value_name = "N")]
    wine_failures: Option<u32>,
    /// Clients that call at the same time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    callers: Option<u32>,
    /// Run these scenarios only, whatever the bridge is thought to be able to; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = scenario)]
    only: Vec<&'static Scenario>,
    /// Much smaller, as the tests run it.
    #[arg(long)]
    short: bool,
    /// Where the random choices begin; the same number gives the same choices.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// By how much times may exceed their bounds, on a machine that does other things, too.
    #[arg(long, value_name = "FACTOR")]
    slack: Option<f64>,
    /// Write the findings as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// List the scenarios.
    #[arg(long)]
    list: bool,
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    let names = || SCENARIOS.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    Scenario::named(name).ok_or_else(|| format!("there are: {}", names()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for Scenario { name, about, .. } in SCENARIOS {
            println!("{name:<18}{about}");
        }
        return ExitCode::SUCCESS;
    }
    let options = options(&arguments);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut report = Report::new(format!("cargo xtask soak {}", words.join(" ")).trim_end().to_owned());
    println!("{}", report.head());
    let chosen = |scenario: &&Scenario| {
        arguments.only.is_empty() || arguments.only.iter().any(|only| only.name == scenario.name)
    };
    for scenario in SCENARIOS.iter().filter(chosen) {
        println!("{}: {}", scenario.name, scenario.about);
        let findings = scenario.run(&options);
        println!("{}  ({:.0} s)\n", findings.text(), findings.seconds);
        report.add(scenario.name, findings);
    }
    if let Some(file) = arguments.json
        && let Err(error) = std::fs::write(&file, format!("{:#}\n", report.json()))
    {
        println!("{} cannot be written: {error}", file.display());
        return ExitCode::from(2);
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options(arguments: &Arguments) -> Options {
    let mut options = if arguments.short { Options::short() } else { Options::full() };
    options.failures = arguments.failures.unwrap_or(options.failures);
    options.wine_failures = arguments.wine_failures.unwrap_or(options.wine_failures);
    options.callers = arguments.callers.unwrap_or(options.callers);
    options.seed = arguments.seed.unwrap_or(options.seed);
    options.slack = arguments.slack.unwrap_or(options.slack);
    options
}
