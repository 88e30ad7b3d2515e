//! Rotel (<https://github.com/streamfold/rotel>): a collector of OpenTelemetry's traces, metrics and logs, written in Rust. The
//! reference collector is published by its makers neither in Debian nor at PyPI or npm; this one is, as a wheel of PyPI. It is
//! linked with the Python that the wheel is for, which it does not start.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::debian;
use crate::build;
use crate::wheel::Wheel;
use crate::workspace::Workspace;

const WHEELS: [Wheel; 4] = [
    wheel("3.10", "797faed4ec003b0b1ab65fee25a18c991cb863c221f503d383425f0958aaa5fa"),
    wheel("3.11", "2f4117e58410c933e0dc042a268ef738dab2e3a5d63b5831209acdac2a6ddcb7"),
    wheel("3.12", "6b1a12b2d6d52ab10574cb111053402f2bc195fa55453b19294af57c0d35bece"),
    wheel("3.13", "322a830deed963dd5dcc460007e917eec071c5977e51c3a06029348f39e4eec9"),
];

const fn wheel(python: &'static str, sha256: &'static str) -> Wheel {
    Wheel {
        package: ("rotel", "0.0.1a15"),
        platform: "manylinux_2_34_x86_64",
        python: Some(python),
        sha256,
        member: "rotel/rotel-agent",
    }
}

/// Puts the program into `root`. `scratch` is an empty folder.
pub(super) fn install(workspace: &Workspace, scratch: &Path, root: &Path) -> Result<()> {
    let python = debian::python()?;
    let wheel = WHEELS.iter().find(|wheel| wheel.python == Some(&python));
    let wheel = wheel.with_context(|| format!("the tests' collector, Rotel, has no program for Python {python}"))?;
    let bin = root.join("usr/bin");
    fs::create_dir_all(&bin)?;
    let program = bin.join("rotel");
    wheel.extract(workspace, scratch, &program)?;
    build::make_executable(&program)
}
