//! `cargo xtask fuzz TARGET [SECONDS]`: libFuzzer on one of the targets of `fuzz/`. The corpus grows in the target
//! directory from run to run; an input that breaks a promise is left in `fuzz/artifacts/`.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::progress;
use crate::workspace::Workspace;

/// What `fuzz/Cargo.toml` has, for the usage text.
const TARGETS: &[&str] = &["pe", "elf", "header", "marshal", "signature"];
/// How long a run takes unless it is told.
const SECONDS: u32 = 60;
/// Seconds that one input may take, and megabytes of memory.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];
/// What is never freed on purpose (function pointers that a library may keep) is no leak.
const SANITIZER: (&str, &str) = ("ASAN_OPTIONS", "detect_leaks=0");

/// The task.
pub(crate) fn task(workspace: &Workspace) -> Result<()> {
    let (target, seconds) = wanted(std::env::args().skip(2))?;
    let installed =
        Command::new("cargo").args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        let mut install = Command::new("cargo");
        install.args(["install", "cargo-fuzz", "--locked"]);
        progress::run_logged("installing cargo-fuzz", 60, &workspace.log("cargo-fuzz"), &mut install)?;
    }
    let build = workspace.target.join("fuzz");
    let corpus = build.join("corpus").join(&target);
    let mut seeds = Command::new("cargo");
    seeds.args(["run", "--quiet", "--example", "seeds", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]);
    seeds.arg(&build).arg("--").arg(&target).arg(&corpus).current_dir(&workspace.root);
    progress::run(&mut seeds)?;
    let mut fuzz = Command::new("cargo");
    fuzz.args(["fuzz", "run", "--target-dir"]).arg(&build).arg(&target).arg(&corpus).arg("--").args(LIMITS);
    fuzz.args([format!("-max_total_time={seconds}").as_str(), "-print_final_stats=1"]);
    // The sanitizer's flags are unstable; a stable compiler takes them so.
    let fuzz = fuzz.env("RUSTC_BOOTSTRAP", "1").env(SANITIZER.0, SANITIZER.1);
    progress::run(fuzz.current_dir(workspace.root.join("fuzz")))
        .context("the input at fault is in fuzz/artifacts/; make a test of it beside the code that it breaks")
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<(String, u32)> {
    let usage = || format!("usage: cargo xtask fuzz TARGET [SECONDS]; targets: {}", TARGETS.join(", "));
    let Some(target) = arguments.next().filter(|target| TARGETS.contains(&target.as_str())) else { bail!(usage()) };
    let seconds = match arguments.next() {
        Some(text) => text.parse().with_context(|| format!("\"{text}\" is not a number of seconds; {}", usage()))?,
        None => SECONDS,
    };
    if arguments.next().is_some() {
        bail!(usage());
    }
    Ok((target, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_a_time_are_asked_for() {
        let wanted = |words: &[&str]| wanted(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(wanted(&["pe"]).unwrap(), ("pe".to_owned(), SECONDS));
        assert_eq!(wanted(&["header", "600"]).unwrap(), ("header".to_owned(), 600));
        for wrong in [&[][..], &["nothing"], &["pe", "soon"], &["pe", "1", "2"]] {
            assert!(wanted(wrong).is_err(), "{wrong:?}");
        }
    }
}
