//! `cargo xtask screenshots`: pictures of the pages that `tests/browser/pages.mjs` lists, or of some of them, in a folder.

use std::path::PathBuf;
use std::process::ExitCode;

use bridge32_tests::{browsing, showcase};
use clap::Parser;

/// Takes pictures of the dashboard's pages.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask screenshots", bin_name = "cargo xtask screenshots")]
struct Arguments {
    /// Where they go.
    folder: PathBuf,
    /// Only of these pages.
    pages: Vec<String>,
}

fn main() -> ExitCode {
    let Arguments { folder, pages } = Arguments::parse();
    let bridge = showcase::start();
    let mut script = browsing::script("screenshots.mjs", &bridge);
    script.env("BROWSER_PICTURES", folder).env("BROWSER_PAGES", pages.join(" "));
    let status = script.status().expect("Node.js can be started");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
