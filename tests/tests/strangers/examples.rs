//! The clients in `examples/`, each by its own `run.sh`, against the demo with its 32-bit agents.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bridge32_tests::{Bridge, Config};

use crate::tools::{checked, checkout, kit, succeed, tool};

/// What each example prints; `{time}` stands for the date and time of Windows.
const STORY: &str = "\
zlib for Linux:   crc32(\"hello\") = 907060870
zlib for Windows: crc32(\"hello\") = 907060870
Divide(17, 5): DEMO_OK, quotient 3, remainder 2
Round(2.5, DEMO_UP) = 3
Distance((0, 0), (3, 4)) = 5
GetLocalTime() = {time}
What wrong calls are told:
- Divide without a divisor: 422 `divisor` is missing
";

/// Runs the example in a copy of its folder, so that what it generates stays out of the checkout.
fn output_of(name: &str, prepare: impl FnOnce(&Path, &mut Command)) -> String {
    let start = Instant::now();
    let bridge = Bridge::with(Config::demo());
    let copy = tempfile::tempdir().unwrap();
    let folder = copy.path().join(name);
    succeed(Command::new("cp").arg("-r").arg(checkout("examples").join(name)).arg(&folder));
    let mut script = tool("sh");
    script.arg("run.sh").arg(format!("http://{}", bridge.client().authority())).current_dir(&folder);
    prepare(&folder, &mut script);
    let output = succeed(&mut script);
    checked(&format!("examples/{name}"), start);
    output
}
