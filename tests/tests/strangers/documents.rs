//! The documents themselves: the written contract, and the demo's with its functions.

use std::path::{Path, PathBuf};
use std::time::Instant;

use bridge32_tests::bridge::run as bridge32;
use bridge32_tests::{Bridge, Config, Value};
use tempfile::TempDir;

use crate::tools::{checked, checkout, succeed, tool};

/// The demo's document in a folder, which goes away with it.
pub(crate) struct Document {
    folder: TempDir,
}

impl Document {
    /// What `bridge32 openapi` prints for the demo.
    pub(crate) fn of_the_demo() -> Self {
        let config = Config::demo();
        let (code, output, notes) = bridge32(&["openapi", "--config", config.write().to_str().unwrap()]);
        assert_eq!(code, Some(0), "{notes}");
        let folder = TempDir::with_prefix("bridge32-document-").unwrap();
        std::fs::write(folder.path().join("openapi.json"), output).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("openapi.json")
    }

    /// Where things can be made of it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn the_command_prints_the_document_that_the_running_demo_serves() {
    let document = Document::of_the_demo();
    let mut printed: Value = serde_json::from_slice(&std::fs::read(document.path()).unwrap()).unwrap();
    let bridge = Bridge::with(Config::demo());
    let mut served = bridge.client().get("/openapi.json").ok();
    // The one knows the port that the system chose.
    printed["servers"].take();
    served["servers"].take();
    assert_eq!(printed, served);
    for operation in ["z/functions/crc32", "zw/functions/crc32", "demow/functions/Divide"] {
        assert!(served["paths"][format!("/v1/libraries/{operation}")]["post"].is_object(), "{operation}");
    }
}

#[test]
fn redocly_finds_no_error() {
    let config = checkout("tests/contract/redocly.yaml");
    let demo = Document::of_the_demo();
    for document in [checkout("openapi.yaml"), demo.path()] {
        let start = Instant::now();
        succeed(tool("redocly").arg("lint").arg("--config").arg(&config).arg(&document));
        checked(&format!("redocly lint {}", document.display()), start);
    }
}

#[test]
fn spectral_finds_no_error() {
    let rules = checkout("tests/contract/spectral.yaml");
    let demo = Document::of_the_demo();
    for document in [checkout("openapi.yaml"), demo.path()] {
        let start = Instant::now();
        succeed(tool("spectral").args(["lint", "--fail-severity", "error", "--ruleset"]).arg(&rules).arg(&document));
        checked(&format!("spectral lint {}", document.display()), start);
    }
}
