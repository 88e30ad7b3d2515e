//! What tables say of how libraries are run, and what is said of wrong ones.

use bridge32_protocol::target::Target;
use serde_json::json;

use super::*;
use crate::config::tests::{load_text, message};
use crate::config::{Config, LibraryFile};

/// The library `a` of a configuration with these lines in its table.
fn library(lines: &str) -> crate::config::LibraryConfig {
    load_text(&format!("[library.a]\nfile='a'\n{lines}")).unwrap().libraries["a"].clone()
}

fn running(lines: &str) -> Running {
    library(lines).running
}

#[track_caller]
fn refused(lines: &str, expected: &str) {
    let text = message(&format!("[library.a]\nfile='a'\n{lines}"));
    assert!(text.contains(expected), "{text}");
}

fn instances(lines: &str) -> (u32, u32, u64) {
    let Instances { min, max, idle } = running(lines).instances;
    (min, max, idle.as_secs())
}

#[test]
fn a_table_that_says_nothing_runs_one_thread_of_one_process() {
    assert_eq!(running(""), Running::default());
    let Running { instances, threads, standby, queue, .. } = Running::default();
    assert_eq!((instances.min, instances.max, threads, standby, queue), (1, 1, 1, 0, 1024));
}

#[test]
fn instances_are_a_number_or_what_they_may_be() {
    assert_eq!(instances("instances=2"), (2, 2, 300));
    assert_eq!(instances("instances={min=0, max=4, idle='1m'}"), (0, 4, 60));
    assert_eq!(instances("instances={max=4}"), (1, 4, 300));
    assert_eq!(instances("instances={min=0}"), (0, 1, 300));
    assert_eq!(instances("instances={min=3}"), (3, 3, 300));
    assert_eq!(instances("instances={}"), (1, 1, 300));
    assert_eq!(instances("[library.a.instances]\nmax=2"), (1, 2, 300));
}

#[test]
fn instances_that_make_no_sense_are_told_with_what_to_write() {
    refused("instances=0", "library.a.instances: 0 would never run the library: { min = 0, max = 1 } loads it");
    refused("instances={min=0,max=0}", "library.a.instances.max: 0 would never");
    refused("instances=65", "library.a.instances: 65 is not possible: write a number from 1 to 64");
    refused("instances=-1", "library.a.instances: -1 is not possible");
    refused("instances={max=65}", "library.a.instances.max: 65 is not possible: write a number from 0 to 64");
    refused("instances={min=9223372036854775807}", "library.a.instances.min: 9223372036854775807 is not possible");
    refused("instances={min=3,max=2}", "library.a.instances.min: 3 is more than `max`, which is 2");
    refused("instances={idle='10ms'}", "library.a.instances.idle: `10ms` is too short: at least \"1s\"");
    refused("instances={idle='721h'}", "library.a.instances.idle: `721h` is too long: at most \"720h\"");
    refused("instances='2'", "a number, or a table such as { min = 0, max = 4 }");
    refused("instances={mn=1}", "bridge32.toml:3:12: unknown key `mn`; did you mean `min`?");
    refused("instances=2\nthreads=8\nstandby=17", "library.a.standby: 17 is not possible");
}

#[test]
fn numbers_and_times_have_bounds() {
    let read =
        running("threads=8\nstandby=2\nqueue=100000\nstartup='2m'\ndrain='1ms'\ndeadline='1s'\nmax_deadline='1h'");
    assert_eq!((read.threads, read.standby, read.queue), (8, 2, 100_000));
    assert_eq!((read.startup, read.drain), (Duration::from_mins(2), Duration::from_millis(1)));
    assert_eq!(read.max_deadline, Duration::from_hours(1));
    refused("threads=0", "library.a.threads: 0 is not possible: write a number from 1 to 64");
    refused("threads=65", "library.a.threads: 65 is not possible");
    refused("threads=1.5", "floating point");
    refused("standby=-1", "library.a.standby: -1 is not possible: write a number from 0 to 16");
    refused("queue=0", "library.a.queue: 0 is not possible: write a number from 1 to 100000");
    refused("queue=100001", "library.a.queue: 100001 is not possible");
    refused("startup='999ms'", "library.a.startup: `999ms` is too short: at least \"1s\"");
    refused("startup='61m'", "library.a.startup: `61m` is too long: at most \"1h\"");
    refused("startup=30", "Put it in quotes");
    refused("drain='25h'", "library.a.drain: `25h` is too long: at most \"24h\"");
}

#[test]
fn all_calls_at_a_time_have_a_bound() {
    assert_eq!(running("instances=16\nthreads=64").threads, 64);
    refused("instances=64\nthreads=17", "library.a.threads: 17 threads in each of up to 64 processes are 1088 calls");
    refused("instances=16\nthreads=64\nstandby=1", "each of up to 17 processes are 1088 calls at a time, and 1024");
}

#[test]
fn a_request_may_ask_for_what_a_call_has_anyway() {
    let read = running("deadline='5s'");
    assert_eq!(read.max_deadline, Duration::from_secs(5));
    assert_eq!(read.longest(Duration::from_secs(1)), Duration::from_secs(5));
    assert_eq!(read.longest(Duration::from_secs(9)), Duration::from_secs(9), "`@deadline` of the header");
    refused("deadline='5s'\nmax_deadline='4s'", "library.a.max_deadline: is less than `deadline`, which is \"5s\"");
    refused("max_deadline='29s'", "which is \"30s\"");
}

#[test]
fn a_process_is_recycled_at_limits_that_it_can_reach_and_does_not_start_with() {
    let read = running("recycle={max_memory='1.5GB', max_handles=5000, max_calls=1000000, max_age='24h'}").recycle;
    let day = Some(Duration::from_hours(24));
    let expected =
        Recycle { max_memory: Some(1_500_000_000), max_handles: Some(5000), max_calls: Some(1_000_000), max_age: day };
    assert_eq!(read, expected);
    assert_eq!(running("recycle={}").recycle, Recycle::default());
    refused("recycle={max_memory=1000}", "library.a.recycle.max_memory: 1000 bytes are less than a process has");
    refused("recycle={max_memory='a lot'}", "library.a.recycle.max_memory: `a lot` is not a size");
    refused("recycle={max_memory=1.5}", "a number of bytes, or a text");
    refused(
        "recycle={max_handles=63}",
        "library.a.recycle.max_handles: 63 is not possible: write a number at least 64",
    );
    refused("recycle={max_calls=0}", "library.a.recycle.max_calls: 0 is not possible: write a number at least 1");
    refused("recycle={max_age='1ms'}", "library.a.recycle.max_age: `1ms` is too short");
    refused("recycle={max_memry=1}", "unknown key `max_memry`; did you mean `max_memory`?");
}

#[test]
fn a_32_bit_process_never_has_more_than_4_gib() {
    let five = "recycle={max_memory='5GiB'}";
    refused(&format!("runtime='win32'\n{five}"), "library.a.recycle.max_memory: is more than the 4 GiB that a 32-bit");
    assert_eq!(running(&format!("runtime='win64'\n{five}")).recycle.max_memory, Some(5 << 30));
    // Without a runtime the file decides: then whoever reads the file asks.
    let unknown = running(five);
    assert!(unknown.out_of_reach(4).is_some() && unknown.out_of_reach(8).is_none());
    assert_eq!(running("recycle={max_memory='4GiB'}").out_of_reach(4), None);
    let fallback = format!("runtime='linux64'\nfallback=[{{file='b', runtime='linux32'}}]\n{five}");
    refused(&fallback, "library.a.fallback: runs as 32-bit process, and `recycle.max_memory` is more than");
}

#[test]
fn a_probe_is_a_call_and_what_it_has_to_answer() {
    let probe =
        running("[library.a.probe]\nfunction='Add'\nargs={a=1, b=2.5, c=nan, d=-inf, e=['x'], F=true}\nexpect=3").probe;
    let probe = probe.unwrap();
    assert_eq!(probe.args, r#"{"F":true,"a":1,"b":2.5,"c":"NaN","d":"-Infinity","e":["x"]}"#);
    assert_eq!((probe.every.as_secs(), probe.deadline.as_secs(), probe.failures), (30, 2, 3));
    assert_eq!(probe.expect, Some(json!(3)));
    let bare = running("probe={function='Ping'}").probe.unwrap();
    assert_eq!((bare.args.as_str(), bare.expect), ("{}", None));
    let json = running(r#"probe={function='Ping', args='{"p": null}', every='1s'}"#).probe.unwrap();
    assert_eq!((json.args.as_str(), json.deadline.as_secs()), (r#"{"p":null}"#, 1), "at most `every`");
    refused("probe={}", "library.a.probe.function: is missing");
    refused("probe={function=''}", "library.a.probe.function: is missing");
    refused("probe={function='f', args=[1]}", "library.a.probe.args: is no object: write { port = 1 }");
    refused("probe={function='f', args='[1]'}", "library.a.probe.args: is no object");
    refused("probe={function='f', every='1ms'}", "library.a.probe.every: `1ms` is too short");
    refused("probe={function='f', every='5s', deadline='6s'}", "library.a.probe.deadline: is more than `every`");
    refused("probe={function='f', failures=0}", "library.a.probe.failures: 0 is not possible");
    refused("probe={function='f', retries=1}", "unknown key `retries`");
}

#[test]
fn a_result_is_what_is_expected_if_its_values_are() {
    let is_met = |expect: Option<Value>, result: Value| {
        let probe = running("probe={function='f'}").probe.unwrap();
        Probe { expect, ..probe }.is_met_by(&result)
    };
    for (expected, result) in [(json!(1), json!(1.0)), (json!({"a": [1, {"b": 2}]}), json!({"a": [1.0, {"b": 2}]}))] {
        assert!(is_met(Some(expected.clone()), result.clone()), "{expected} {result}");
    }
    assert!(is_met(None, json!(null)) && is_met(Some(json!("x")), json!("x")));
    let close = (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992_i64));
    for (expected, result) in [
        (json!(1), json!(2)),
        (json!(1), json!("1")),
        (json!([1]), json!([1, 2])),
        (json!({"a": 1}), json!({"a": 1, "b": 2})),
        (json!({"a": 1, "b": 2}), json!({"a": 1})),
        (json!(0), json!(false)),
        close,
    ] {
        assert!(!is_met(Some(expected.clone()), result.clone()), "{expected} {result}");
    }
}

#[test]
fn sessions_have_a_number_and_leases() {
    let read = |lines: &str| {
        let SessionLimits { max, lease, max_lease } = running(lines).sessions;
        (max, lease.as_secs(), max_lease.as_secs())
    };
    assert_eq!(read(""), (1000, 300, 3600));
    assert_eq!(read("sessions={max=0}"), (0, 300, 3600));
    assert_eq!(read("sessions={max=100000, lease='2h'}"), (100_000, 7200, 7200));
    assert_eq!(read("sessions={max_lease='1m'}"), (1000, 60, 60));
    refused("sessions={max=100001}", "library.a.sessions.max: 100001 is not possible: write a number from 0 to 100000");
    refused(
        "sessions={lease='2h',max_lease='1h'}",
        "library.a.sessions.lease: is more than `max_lease`, which is \"1h\"",
    );
    refused("sessions={lease='999ms'}", "library.a.sessions.lease: `999ms` is too short");
    refused("sessions={max_lease='721h'}", "library.a.sessions.max_lease: `721h` is too long");
}

#[test]
fn a_fallback_is_the_library_but_for_what_it_says() {
    let lines = "header='a.h'\nruntime='linux32'\nfallback=[{file='C:\\v\\a.dll', runtime='win32'}, {file='b'}, {agent='p'}, \
                 {header=['b.h','c.h']}]";
    let library = library(lines);
    let [windows, other, external, header] = &library.fallback[..] else { panic!("{library:?}") };
    assert_eq!(windows.file, LibraryFile::Runtime("C:\\v\\a.dll".to_owned()));
    assert_eq!((windows.runtime, &windows.headers), (Some(Target::Win32), &library.headers));
    assert_eq!((other.runtime, &other.headers), (None, &library.headers), "another file says what it needs");
    assert!(matches!(&other.file, LibraryFile::Host(path) if path.is_absolute()));
    assert_eq!((&external.file, external.runtime, external.agents.len()), (&library.file, library.runtime, 1));
    assert!(header.headers.len() == 2 && header.headers.iter().all(|path| path.is_absolute()));
}

#[test]
fn fallbacks_that_make_no_sense_are_told() {
    let hash = format!("sha256='{}'", "a".repeat(64));
    for (lines, expected) in [
        ("fallback=[{}]", "library.a.fallback: has an entry that is what the library itself is"),
        ("fallback=[{file='a'}]", "library.a.fallback: has an entry that is what the library itself is"),
        ("fallback=[{file='b', runtime='linux23'}]", "library.a.fallback.runtime: there is no runtime `linux23`"),
        ("fallback=[{file='b', agent=['x y']}]", "library.a.fallback.agent: `x y` is no name"),
        ("fallback=[{file='b', agent='a'}]", "`a` is an agent that the gateway starts itself"),
        ("fallback=[{file='b', deadline='5s'}]", "unknown key `deadline`"),
        ("fallback=[{file='b'}]\ngroup='g'", "library.a.fallback: is not possible in a `group`"),
        ("fallback=[{file='b', sha256='abc'}]", "library.a.fallback.sha256: `abc` is not 64"),
        (&format!("fallback=[{{file='b'}}]\n{hash}"), "library.a.fallback.sha256: is missing"),
    ] {
        refused(lines, expected);
    }
    let pinned = library(&format!("fallback=[{{runtime='win32'}}, {{file='b', {hash}}}]\n{hash}")).fallback;
    assert!(pinned.iter().all(|fallback| fallback.sha256.is_some()), "the library's own file has its hash");
}

fn from_environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge32.toml");
    std::fs::write(&file, text).unwrap();
    let variables = variables.iter().map(|(leaf, value)| (format!("BRIDGE32_LIBRARY__{leaf}"), (*value).to_owned()));
    let loaded = crate::config::load(&file, variables.collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    Ok(loaded.config)
}

#[test]
fn the_environment_can_say_all_of_it() {
    let config = from_environment(
        "",
        &[
            ("CALC__FILE", "calc.so"),
            ("CALC__INSTANCES__MIN", "0"),
            ("CALC__INSTANCES__MAX", "3"),
            ("CALC__INSTANCES__IDLE", "1m"),
            ("CALC__THREADS", "4"),
            ("CALC__STANDBY", "1"),
            ("CALC__QUEUE", "7"),
            ("CALC__STARTUP", "10s"),
            ("CALC__MAX_DEADLINE", "1h"),
            ("CALC__RECYCLE__MAX_MEMORY", "1.5GB"),
            ("CALC__RECYCLE__MAX_HANDLES", "500"),
            ("CALC__RECYCLE__MAX_CALLS", "1000"),
            ("CALC__RECYCLE__MAX_AGE", "24h"),
            ("CALC__PROBE__FUNCTION", "Add"),
            ("CALC__PROBE__ARGS", "{A = 1}"),
            ("CALC__PROBE__ARGS__B", "2"),
            ("CALC__PROBE__EXPECT", "ok"),
            ("CALC__PROBE__EVERY", "5s"),
            ("CALC__PROBE__DEADLINE", "1s"),
            ("CALC__PROBE__FAILURES", "2"),
            ("CALC__FALLBACK", "[{file = 'b.so'}]"),
            ("CALC__IDEMPOTENT", "['Add']"),
            ("CALC__DRAIN", "1s"),
            ("CALC__SESSIONS__MAX", "5"),
            ("CALC__SESSIONS__LEASE", "1m"),
            ("CALC__SESSIONS__MAX_LEASE", "2m"),
            ("PC__FILE", "pc.so"),
            ("PC__AGENT", "['x', 'y']"),
        ],
    )
    .unwrap();
    let calc = &config.libraries["calc"];
    let minute = Duration::from_mins(1);
    let expected = Running {
        instances: Instances { min: 0, max: 3, idle: minute },
        threads: 4,
        standby: 1,
        queue: 7,
        startup: Duration::from_secs(10),
        max_deadline: Duration::from_hours(1),
        recycle: Recycle {
            max_memory: Some(1_500_000_000),
            max_handles: Some(500),
            max_calls: Some(1000),
            max_age: Some(Duration::from_hours(24)),
        },
        probe: Some(Probe {
            function: "Add".to_owned(),
            args: r#"{"A":1,"b":2}"#.to_owned(),
            expect: Some(json!("ok")),
            every: Duration::from_secs(5),
            deadline: Duration::from_secs(1),
            failures: 2,
        }),
        idempotent: vec!["Add".to_owned()],
        drain: Duration::from_secs(1),
        sessions: SessionLimits { max: 5, lease: minute, max_lease: 2 * minute },
    };
    assert_eq!(calc.running, expected);
    assert!(matches!(&calc.fallback[0].file, LibraryFile::Host(path) if path.is_absolute()));
    assert_eq!(config.libraries["pc"].agents, ["x", "y"]);
}

#[test]
fn the_environment_goes_over_what_the_file_says_key_by_key() {
    let file = |instances: &str| format!("[library.calc]\nfile='a'\ninstances={instances}");
    let read = |text: &str, variables: &[(&str, &str)]| {
        let instances = from_environment(text, variables).unwrap().libraries["calc"].running.instances;
        (instances.min, instances.max)
    };
    assert_eq!(read(&file("2"), &[("CALC__INSTANCES__MAX", "4")]), (2, 4));
    assert_eq!(read(&file("{min=0,max=3}"), &[("CALC__INSTANCES__MIN", "1")]), (1, 3));
    assert_eq!(read(&file("{min=0,max=3}"), &[("CALC__INSTANCES", "2")]), (2, 2));
    let wrong = from_environment(&file("2"), &[("CALC__INSTANCES__MIM", "1")]).unwrap_err();
    assert!(
        wrong.contains("BRIDGE32_LIBRARY__CALC__INSTANCES__MIM: unknown key `mim`; did you mean `min`?"),
        "{wrong}"
    );
    let wrong = from_environment(&file("2"), &[("CALC__INSTANCES", "many")]).unwrap_err();
    assert!(wrong.contains("expected a number, or a table such as"), "{wrong}");
}
