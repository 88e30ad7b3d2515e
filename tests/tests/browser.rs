//! The dashboard's pages in Chromium: each test runs a file of scenarios, `tests/browser/{name}.test.mjs`, against a gateway of its
//! own. One alone: `cargo test -p bridge32-tests --test browser sign_in`; one scenario of it: with `BRIDGE32_SCENARIO=keyboard`, a part of
//! its name, too.

use std::path::Path;
use std::process::Stdio;

use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, Target, browsing, dist, showcase};

/// A test for each file of scenarios, and the gateway that it wants.
macro_rules! scenarios {
    ($($name:ident: $bridge:expr;)+) => {
        $(#[test] fn $name() { run(stringify!($name), &$bridge); })+
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

scenarios! {
    forms: forms_library();
    frame: demo_library();
    hostile: hostile_library();
    journey: demo_library();
    pages: showcase::start();
    sign_in: demo_library();
    support: demo_library();
}

/// A gateway that wants to know who asks, with the demo's ELF library.
fn demo_library() -> Bridge {
    Bridge::start(|config| {
        config.key("admin", &["call:*", "adhoc", "read", "history", "manage"]);
        let demo = dist::folder().join("demo");
        config.library("demo", demo.join("libdemo.so")).header(demo.join("demo.h"));
    })
}

/// A library whose forms are of some kinds that the demo has not: one that takes its time, a list with bytes, an export that is not
/// declared.
fn forms_library() -> Bridge {
    const HEADER: &str = "
        struct lock { unsigned char key[4]; };
        int Nap(int milliseconds);
        int Opens(_In_reads_(count) const struct lock *locks, int count);
    ";
    const SOURCE: &str = r"
        #include <unistd.h>
        struct lock { unsigned char key[4]; };
        API int Nap(int milliseconds) { usleep(milliseconds * 1000); return milliseconds; }
        API int Opens(const struct lock *locks, int count) { int sum = 0; while (count--) sum = sum * 1000 + locks[count].key[0]; return sum; }
        API int Twice(int value) { return 2 * value; }
    ";
    let library = Fixture::generated("forms", SOURCE).build(Target::Linux32);
    Bridge::start(|config| {
        config.key("admin", &["call:*", "adhoc", "read", "history", "manage"]);
        config.library("forms", library).declares(HEADER);
    })
}

/// A library whose header, exports and answers have markup wherever somebody could put it.
fn hostile_library() -> Bridge {
    const HEADER: &str = r#"
        /** A comment with <script>globalThis.harm = 1</script> and <img src=x onerror="globalThis.harm = 2">.
         *  @param text "><svg onload=globalThis.harm=3> is what it takes */
        const char *Echo(const char *text);
        enum kind { KIND_A, KIND_B };
        int Take(enum kind kind);
    "#;
    const SOURCE: &str = r#"
        #include <string.h>
        static char kept[4096];
        const char *Echo(const char *text) { strncpy(kept, text, sizeof kept - 1); return kept; }
        int Take(int kind) { return kind; }
        int markup(void) __asm__("\"<img src=x onerror=globalThis.harm=4>\"");
        int markup(void) { return 1; }
        int chinese(void) __asm__("\xe8\xaf\xbb\xe5\x8d\xa1\xe5\x99\xa8");
        int chinese(void) { return 2; }
    "#;
    let long = format!("int {}(void) {{ return 3; }}", "long_name_".repeat(30));
    let library =
        Fixture::generated("hostile", &format!("{SOURCE}\n{long}")).flag("-fvisibility=default").build(Target::Linux32);
    Bridge::start(|config| {
        config.key("admin", &["call:*", "adhoc", "read", "history", "manage"]);
        config.library("hostile", library).declares(HEADER);
    })
}

/// Runs the scenarios of a file to their end. What they say is shown if one fails.
#[expect(clippy::print_stdout, reason = "a person who asks for it reads which scenarios there were")]
fn run(name: &str, bridge: &Bridge) {
    let mut script = browsing::script(&format!("{name}.test.mjs"), bridge);
    script.env("BROWSER_FAILURES", Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser"));
    let output = script.stdin(Stdio::null()).output().expect("Node.js can be started: run `cargo xtask setup` first");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    println!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "scenarios of {name}.test.mjs failed: they are above");
}

#[test]
fn every_file_of_scenarios_is_run() {
    let names = std::fs::read_dir(browsing::folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".test.mjs")?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, NAMES, "the table of this file, in alphabetical order");
}
