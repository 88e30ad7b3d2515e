//! `bridge32 doctor`: what it says of bridges that work and of some that do not, and that it leaves nothing behind.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use bridge32_tests::bridge::{finish, gateway_command};
use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::other_user::as_another_user;
use bridge32_tests::process::{self, MARK};
use bridge32_tests::{Bridge, Config, TARGETS_32, Target, Value, dist, within};
use nix::sys::signal::Signal;

/// What doctor says of one configuration.
struct Report {
    code: Option<i32>,
    findings: Vec<Value>,
    shown: String,
}

impl Report {
    /// Runs it, with more arguments and variables; it must leave no process and no file.
    fn of(config: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = gateway_command();
        command.args(["doctor", "--json", "--config"]).arg(config).args(arguments);
        let mark = format!("doctor-{}-{:?}", std::process::id(), std::thread::current().id());
        command.env(MARK, &mark).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let own_files = format!("bridge32-doctor-{}-", child.id());
        let result = child.wait_with_output().unwrap();
        let (code, output) = (result.status.code(), String::from_utf8(result.stdout).unwrap());
        assert_eq!(String::from_utf8(result.stderr).unwrap(), "", "{output}");
        within(3.0, "no agent is left", || process::marked_agents(&mark).is_empty().then_some(()));
        let left = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own_files));
        assert_eq!(left.count(), 0, "a file is left");
        let report: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
        let findings = report["findings"].as_array().unwrap().clone();
        let of_level = |level: &str| findings.iter().filter(|finding| finding["level"] == level).count();
        assert_eq!(report["problems"], of_level("problem"), "{output}");
        assert_eq!(report["warnings"], of_level("warning"), "{output}");
        assert_eq!(code, Some(i32::from(of_level("problem") > 0)), "{output}");
        let without_remedy = |finding: &&Value| {
            ["problem", "warning"].iter().any(|level| finding["level"] == *level) && finding["remedy"].is_null()
        };
        assert_eq!(findings.iter().find(without_remedy), None, "each says what to do");
        Self { code, findings, shown: output }
    }

    fn of_config(config: &Config) -> Self {
        Self::of(&config.write(), &[], &[])
    }

    /// A finding of that level whose text, subject or remedy has all of `parts`.
    #[track_caller]
    fn says(&self, level: &str, parts: &[&str]) -> &Value {
        let fits = |finding: &&Value| {
            let text = ["subject", "found", "remedy"].map(|key| finding[key].as_str().unwrap_or_default()).join("\n");
            finding["level"] == level && parts.iter().all(|part| text.contains(part))
        };
        self.findings.iter().find(fits).unwrap_or_else(|| panic!("no {level} with {parts:?} in {}", self.shown))
    }

    /// The problems.
    fn problems(&self) -> usize {
        self.findings.iter().filter(|finding| finding["level"] == "problem").count()
    }
}

#[test]
fn the_demo_is_healthy() {
    let config = Config::demo();
    let report = Report::of_config(&config);
    assert_eq!(report.code, Some(0), "{}", report.shown);
    for library in ["demo", "demow", "z", "zw", "m", "kernel32"] {
        report.says("ok", &[&format!("library `{library}`"), "is loaded"]);
    }
    for runtime in ["linux32", "win32"] {
        report.says("ok", &[&format!("runtime {runtime}"), "as this gateway speaks it"]);
    }
    assert!(!config.folder().join("data").exists(), "it changes nothing");
    let mut command = gateway_command();
    let (code, output, _) = finish(command.args(["doctor", "--no-load", "--config"]).arg(config.write()));
    assert!(code == Some(0) && output.trim_end().lines().last().unwrap().starts_with("no problems"), "{output}");
}

#[test]
fn a_library_for_64_bits_in_a_32_bit_runtime_is_told() {
    let mut config = Config::new();
    config
        .library("wide", fixture::library("plain", Target::Win64))
        .declares("int Five(void);")
        .set("runtime", "win32");
    let report = Report::of_config(&config);
    report.says("problem", &["library `wide`", "x86_64", "[library.wide] in ", "bridge32 exports "]);
    assert_eq!(report.problems(), 1, "{}", report.shown);
}

#[test]
fn a_missing_dependency_is_named_with_where_to_put_it() {
    let mut config = Config::new();
    for target in TARGETS_32 {
        let absent = fixture::library("absent", target);
        let helper = Fixture::new("helper").linked_to(&absent).build(target);
        let needy = Fixture::new("needy").linked_to(&helper).build(target);
        let copy = config.folder().join(needy.file_name().unwrap());
        std::fs::copy(needy, &copy).unwrap();
        config.library(target.name(), copy).declares("int Needy(void);");
    }
    let report = Report::of_config(&config);
    report.says(
        "problem",
        &["library `linux32`", "helper.so (missing)", "32-bit helper.so", "LD_LIBRARY_PATH", "apt-file"],
    );
    report.says("problem", &["library `win32`", "cannot be loaded", "helper.dll", "missing"]);
    assert_eq!(report.problems(), 2, "{}", report.shown);
    let report = Report::of(&config.write(), &["--no-load"], &[]);
    report.says("problem", &["helper.so (missing)"]);
    assert_eq!(report.problems(), 1, "{}", report.shown);
}

#[test]
fn a_key_file_that_others_can_read_is_told_with_the_command_that_mends_it() {
    let mut config = Config::new();
    config.key("tester", &["call:*"]);
    let file = config.write();
    let keys = config.folder().join("keys.toml");
    std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o644)).unwrap();
    let report = Report::of(&file, &[], &[]);
    let problem = report.says("problem", &["can be read by others (mode 0644)"]);
    let (code, _, _) = bridge32_tests::bridge::shell(problem["remedy"].as_str().unwrap(), config.folder());
    assert_eq!(code, Some(0));
    assert_eq!(Report::of(&file, &[], &[]).problems(), 0);
}

#[test]
fn an_address_that_another_program_has_is_told_with_its_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // It answers nothing, which must not hold doctor up.
    let mut config = Config::new();
    config.set("listen", address.as_str());
    let report = Report::of_config(&config);
    report.says("problem", &[&address, "another program has the address", &format!("process {}", std::process::id())]);
}

#[test]
fn a_runtime_that_starts_another_program_or_another_agent_is_told() {
    let mut config = Config::new();
    let command: toml::Value = vec!["/bin/true"].into();
    config.runtime("linux32").insert("command".into(), command);
    let command: toml::Value = vec![dist::folder().join("agent32").to_str().unwrap()].into();
    config.runtime("linux64").insert("command".into(), command);
    for target in [Target::Linux32, Target::Linux64] {
        config.library(target.name(), fixture::library("plain", target)).header(fixture::header("plain"));
    }
    let report = Report::of_config(&config);
    report.says("problem", &["runtime linux32", "its command is no agent", "[runtime.linux32] in "]);
    report.says("problem", &["runtime linux64", "was built for linux32"]);
    report.says("note", &["library `linux32`", "cannot be called before its runtime linux32 starts agents"]);
    assert_eq!(report.problems(), 2, "what follows from them is not told again: {}", report.shown);
}

#[test]
fn a_library_whose_initialisation_crashes_or_refuses_is_told_with_what_its_agent_printed() {
    let mut config = Config::new();
    for target in TARGETS_32 {
        for name in ["dies", "refuses"] {
            config.library(&format!("{name}_{target}"), fixture::library(name, target)).declares("int Five(void);");
        }
    }
    config.library("good", fixture::library("plain", Target::Win32)).header(fixture::header("plain"));
    let report = Report::of_config(&config);
    report.says("problem", &["library `dies_linux32`", "SIGSEGV"]);
    report.says("problem", &["library `dies_win32`", "cannot be loaded"]);
    report.says("problem", &["library `refuses_linux32`", "exit code 3", "no licence on this machine"]);
    report.says("problem", &["library `refuses_win32`", "DllMain"]);
    report.says("ok", &["library `good`", "is loaded"]);
    assert_eq!(report.problems(), 4, "{}", report.shown);
}

#[test]
fn a_header_with_errors_and_one_of_another_library_are_told_by_line() {
    let mut config = Config::new();
    config.library("broken", fixture::library("plain", Target::Linux32)).declares("int Five(void);\nint broken(int\n");
    config.library("other", fixture::library("plain", Target::Linux32)).declares("int crc32(int a);");
    let report = Report::of_config(&config);
    report.says("problem", &["library `broken`", "broken.h:2", "bridge32 interface check"]);
    report.says("problem", &["library `other`", "header of another library"]);
    report.says("ok", &["library `broken`", "is loaded"]);
}

#[test]
fn a_gateway_that_runs_is_asked_and_not_disturbed() {
    let bridge = Bridge::start(|config| {
        config.key("tester", &["call:*", "read"]);
        config.library("good", fixture::library("plain", Target::Linux32)).header(fixture::header("plain"));
        config.library("bad", fixture::library("refuses", Target::Linux32)).declares("int Five(void);");
    });
    let file = bridge.config().folder().join("bridge32.toml");
    let address = bridge.addresses()[0].clone();
    let pid = bridge.agent_pid("good");
    let report = Report::of(&file, &[], &[("BRIDGE32_LISTEN", &address)]);
    report.says("ok", &[&format!("listen {address}"), "a gateway runs there (bridge32, process "]);
    report.says("ok", &["library `good`", "is ready in the gateway that runs"]);
    report.says("problem", &["library `bad`", "exit code 3", "bridge32 reload bad"]);
    report.says("note", &["--load"]);
    report.says("note", &["environment variable BRIDGE32_LISTEN"]);
    assert_eq!(report.problems(), 1, "{}", report.shown);
    let report = Report::of(&file, &["--load"], &[("BRIDGE32_LISTEN", &address)]);
    report.says("ok", &["library `good`", "is loaded after"]);
    assert_eq!((bridge.agent_pid("good"), bridge.generation("good")), (pid, 1));
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("[library.bad]", "[library.new]")).unwrap();
    let report = Report::of(&file, &["--no-load"], &[("BRIDGE32_LISTEN", &address)]);
    report.says("warning", &["running gateway", "it lacks new; it also has bad"]);
}

#[test]
fn one_that_is_interrupted_ends_at_once_and_leaves_nothing() {
    let source = "#include <unistd.h>\n__attribute__((constructor)) static void wait(void) { sleep(600); }\n\
                  API int Five(void) { return 5; }\n";
    let mut config = Config::new();
    config.library("waits", Fixture::generated("waits", source).build(Target::Linux32)).declares("int Five(void);");
    let mark = format!("doctor-{}-interrupted", std::process::id());
    let mut command = gateway_command();
    command.args(["doctor", "--config"]).arg(config.write()).env(MARK, &mark).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let own_files = format!("bridge32-doctor-{}-", child.id());
    let is_loading = || {
        let agents = process::marked_agents(&mark);
        agents.iter().any(|agent| !agent.command.contains("--version"))
    };
    within(20.0, "an agent is loading", || is_loading().then_some(()));
    process::signal(child.id(), Signal::SIGTERM);
    let status = within(8.0, "doctor ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    within(3.0, "no agent is left", || process::marked_agents(&mark).is_empty().then_some(()));
    let left = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(&own_files)));
}

#[test]
fn another_user_is_told_what_it_may_not_do_and_loads_nothing() {
    let mut config = Config::new();
    config.key("tester", &["call:*"]);
    config.library("good", fixture::library("plain", Target::Linux32)).header(fixture::header("plain"));
    let file = config.write();
    std::fs::create_dir(config.folder().join("data")).unwrap();
    std::fs::set_permissions(config.folder(), PermissionsExt::from_mode(0o755)).unwrap();
    let doctor = || finish(gateway_command().args(["doctor", "--config"]).arg(&file));
    let (code, output, notes) = as_another_user(doctor);
    assert_eq!(code, Some(1), "{output}{notes}");
    let lines = output.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["this user may not write into", "cannot read the key file", "Permission denied", "would not start"] {
        assert!(lines.contains(part), "no {part} in {output}");
    }
}

#[test]
fn wrong_use_and_a_missing_configuration_have_their_exit_codes() {
    let (code, _, notes) = finish(gateway_command().args(["doctor", "--load", "--no-load"]));
    assert_eq!(code, Some(2), "{notes}");
    let report = Report::of(Path::new("/nowhere/bridge32.toml"), &[], &[]);
    report.says("problem", &["/nowhere/bridge32.toml", "bridge32 init"]);
}
