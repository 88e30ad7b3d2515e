//! What another user of the machine can do to the bridge: nothing. And what a library's own children get to see of it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bridge32_signature::Key;
use bridge32_tests::client::{Answer, Client};
use bridge32_tests::other_user::as_another_user;
use bridge32_tests::{Bridge, Browser, Config, Joined, TARGETS, Target, fixture, json, process, within};

use crate::on_all_targets;

/// The agents among the processes of a bridge that are programs of this system, and not what has started them.
fn agents(bridge: &Bridge) -> Vec<u32> {
    let pids = bridge.agent_processes().into_iter().map(|running| running.pid);
    pids.filter(|pid| process::program(*pid).starts_with("agent")).collect()
}

#[test]
fn another_user_can_call_no_agent_and_end_none() {
    let bridge = on_all_targets("trouble");
    let pids = agents(&bridge);
    assert!(pids.len() >= 2, "the agents of Linux are found: {pids:?}");
    for pid in pids {
        let ports = process::listening_ports(pid);
        assert_eq!(ports.len(), 1, "an agent listens at one port");
        let authority = format!("127.0.0.1:{}", ports[0]);
        let name = TARGETS.map(Target::name).into_iter().find(|name| bridge.agent_pid(name) == pid).unwrap();
        let forged = Key::new(name, &[7; 32]).unwrap();
        let call = json!({"library": name, "calls": []}).to_string();
        let load = json!({"file": "/tmp/evil.so", "generation": 1, "revision": 1, "interface": {}}).to_string();
        let requests = [
            ("POST", "/calls", call),
            ("PUT", "/libraries/evil", load),
            ("POST", "/image", json!({"file": "/etc/shadow"}).to_string()),
            ("GET", "/proof?of=AAAA", String::new()),
            ("GET", "/handles/trouble", String::new()),
            ("POST", "/shutdown", String::new()),
            ("POST", "/end", String::new()),
        ];
        as_another_user(|| {
            for key in [None, Some(forged.clone())] {
                let client = Client::new(&authority, key);
                for (method, target, body) in &requests {
                    let answer = client.request(method, target).body("application/json", body.clone()).send();
                    assert_eq!(answer.status, 401, "{method} {target}: {}", answer.text);
                    assert!(answer.header("signature").is_none(), "{method} {target}");
                }
            }
        });
        assert_eq!(bridge.call(name, "EchoInt", json!({"value": 3})).result(), 3);
        assert_eq!((bridge.agent_pid(name), bridge.generation(name)), (pid, 1), "it has lived on");
    }
}

/// A bridge with one library of its own and one whose agent somebody else starts, and what tests register with.
struct Signed {
    bridge: Bridge,
    gateway: String,
    /// All scopes but `agent`.
    client: Key,
    /// Only `agent`.
    card: (Key, String),
    /// The same, of another owner.
    other: Key,
}

fn signed() -> Signed {
    let mut config = Config::new();
    let gateway = config.fixed_port();
    let client = config.key("client", &["call:*", "read", "adhoc", "manage", "history"]);
    let card = config.key_with_secret("card", &["agent"]);
    let other = config.key("other", &["agent"]);
    config.library("own", fixture::library("trouble", Target::Linux32)).header(fixture::header("trouble"));
    let mut table = config.library("theirs", fixture::library("trouble", Target::Linux32));
    table.header(fixture::header("trouble")).set("agent", "cardpc").set("deadline", "3s");
    config.do_not_wait();
    let bridge = Bridge::with(config);
    within(30.0, "its own library is ready", || (bridge.library("own")["state"] == "ready").then_some(()));
    Signed { bridge, gateway, client, card, other }
}

impl Signed {
    /// Registers a process that listens at `address`.
    fn register(&self, id: &str, generation: u64, address: &str, key: Option<&Key>) -> Answer {
        let body = json!({
            "protocol": bridge32_protocol::PROTOCOL, "version": "0.0.1", "generation": generation, "runtime": "linux32",
            "pointer_bits": 32, "pid": 1, "address": address, "libraries": [],
            "health": {"uptime_ms": 1, "calls": 0, "pending": 0},
        });
        self.bridge.client().with_key(key).put(&format!("/v1/agents/{id}"), &body)
    }

    fn join(&self) -> Joined {
        let folder = self.bridge.config().folder();
        let joined = Joined::start(folder, Target::Linux32, &self.gateway, "cardpc", "card", &self.card.1);
        within(30.0, "the agent has joined", || (self.bridge.library("theirs")["state"] == "ready").then_some(()));
        joined
    }
}

#[test]
fn another_user_can_register_nothing_and_take_no_id() {
    let signed = signed();
    let joined = signed.join();
    let generation = signed.bridge.generation("own");
    as_another_user(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().to_string();
        for (id, generation) in [("own", generation), ("own", 0), ("cardpc", 1), ("cardpc", 0)] {
            signed.register(id, generation, &own, None).refused(401, "signature_missing");
            for forged in [id, "card", "client"] {
                let forged = Key::new(forged, &[7; 32]).unwrap();
                let answer = signed.register(id, generation, &own, Some(&forged));
                assert_eq!(answer.status, 401, "{id} {generation} {}: {}", forged.id(), answer.text);
            }
        }
    });
    // Nor do keys that are good for other things.
    signed.register("cardpc", 0, "127.0.0.1:1", Some(&signed.client)).refused(403, "forbidden");
    for id in ["card", "other", "client"] {
        signed.register(id, 0, "127.0.0.1:1", Some(&signed.card.0)).refused(404, "unknown_agent");
    }
    let answer = signed.register("own", generation, "127.0.0.1:1", Some(&signed.card.0));
    assert_eq!(answer.status, 401, "what the gateway starts is nobody else's: {}", answer.text);
    signed.register("cardpc", 0, "127.0.0.1:1", Some(&signed.other)).refused(409, "agent_taken");
    signed.register("cardpc", 1, "127.0.0.1:1", Some(&signed.other)).refused(409, "agent_taken");
    for library in ["own", "theirs"] {
        assert_eq!(signed.bridge.call(library, "EchoInt", json!({"value": 7})).result(), 7);
    }
    assert_eq!(signed.bridge.agent("cardpc")["key"], "card");
    drop(joined);
}

#[test]
fn whoever_takes_the_port_of_an_agent_that_is_gone_is_told_nothing_and_believed_nothing() {
    let signed = signed();
    let mut joined = signed.join();
    let port = process::listening_ports(joined.agent_pid().unwrap())[0];
    assert_eq!(signed.bridge.call("theirs", "EchoInt", json!({"value": 7})).result(), 7);
    joined.kill();
    // The lease still runs: the gateway believes that the agent is there.
    let heard = std::thread::scope(|scope| {
        let impostor = scope.spawn(|| as_another_user(|| answer_everything(port, Duration::from_secs(8))));
        let taken = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(());
        within(3.0, "the port is taken", taken);
        let answer = signed.bridge.call("theirs", "EchoInt", json!({"value": 815_004_711}));
        assert_ne!(answer.status, 200, "nobody was there who could answer: {}", answer.text);
        impostor.join().unwrap()
    });
    assert!(heard.iter().any(|request| request.contains("GET /proof?of=")), "the gateway came by: {heard:?}");
    for request in heard {
        assert!(!request.contains("815004711") && !request.contains("POST"), "it said too much: {request}");
    }
}

/// Answers whatever comes at that port as an agent would a call, and gives what came.
fn answer_everything(port: u16, time: Duration) -> Vec<String> {
    let listener = within(3.0, "the port is free", || TcpListener::bind(("127.0.0.1", port)).ok());
    listener.set_nonblocking(true).unwrap();
    let (end, mut heard) = (Instant::now() + time, Vec::new());
    while Instant::now() < end {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut request = [0; 8192];
        let length = stream.read(&mut request).unwrap_or_default();
        let line = r#"{"index":0,"outcome":{"returned":{"result":666,"outputs":{},"duration_ns":1}}}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{line}\n", line.len() + 1);
        let _ = stream.write_all(answer.as_bytes());
        heard.push(String::from_utf8_lossy(&request[..length]).into_owned());
    }
    heard.retain(|request| !request.is_empty());
    heard
}

#[test]
fn another_user_reads_no_key_of_any_process() {
    let mut secrets = Vec::new();
    let mut files = Vec::new();
    let bridge = Bridge::start(|config| {
        secrets.push(config.key_with_secret("all", &["call:*", "read", "manage"]).1);
        for target in TARGETS {
            files.push(config.record_handovers(target.name()));
            config.library(target.name(), fixture::library("plain", target)).header(fixture::header("plain"));
        }
    });
    secrets.extend(files.iter().map(|file| secret_in(file)));
    let mut pids: Vec<u32> = bridge.agent_processes().into_iter().map(|running| running.pid).collect();
    assert!(pids.len() >= TARGETS.len(), "{pids:?}");
    pids.push(bridge.pid());
    for pid in pids {
        // What stands in the argument list is for all to see, and the environment is left to children.
        for name in ["cmdline", "environ"] {
            let shown = fs::read(format!("/proc/{pid}/{name}")).unwrap();
            let shown = String::from_utf8_lossy(&shown);
            assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{name} of {pid}: {shown}");
        }
        as_another_user(|| {
            for name in ["environ", "mem", "maps", "fd/0", "fd/3"] {
                let file = format!("/proc/{pid}/{name}");
                let mut byte = [0];
                let read = fs::File::open(&file).and_then(|mut file| file.read(&mut byte));
                assert!(read.is_err(), "{file} can be read");
            }
            assert!(fs::read_dir(format!("/proc/{pid}/fd")).is_err());
        });
    }
}

fn secret_in(handover: &Path) -> String {
    let text = within(30.0, "the handover", || fs::read_to_string(handover).ok());
    let handover: bridge32_tests::Value = serde_json::from_str(&text).unwrap();
    handover["secret"].as_str().unwrap().to_owned()
}

#[test]
fn keys_do_not_stay_in_the_memory_of_who_has_taken_them() {
    let mut files = Vec::new();
    let bridge = Bridge::start(|config| {
        for target in TARGETS.into_iter().filter(|target| !target.is_windows()) {
            files.push(config.record_handovers(target.name()));
            config.library(target.name(), fixture::library("trouble", target)).header(fixture::header("trouble"));
        }
    });
    let mut pids = agents(&bridge);
    assert_eq!(pids.len(), files.len());
    pids.push(bridge.pid());
    // What is looked for can be found: the shell between gateway and agent still has it, and all of them a function's name.
    let between =
        bridge.agent_processes().into_iter().map(|running| running.pid).find(|pid| !pids.contains(pid)).unwrap();
    let kept = memory(between);
    assert!(files.iter().any(|file| contains(&kept, secret_in(file).as_bytes())), "{}", process::program(between));
    let known = b"EchoInt".as_slice();
    for pid in pids {
        let memory = memory(pid);
        assert!(contains(&memory, known), "the memory of {} is read", process::program(pid));
        for file in &files {
            let secret = secret_in(file);
            let bytes = bridge32_tests::bytes(&json!(secret));
            assert!(!contains(&memory, secret.as_bytes()), "{} still has its key's text", process::program(pid));
            assert!(!contains(&memory, &bytes), "{} still has its key", process::program(pid));
        }
    }
}

/// All that a process can write to: its data, its heap and its stacks.
fn memory(pid: u32) -> Vec<u8> {
    use std::os::unix::fs::FileExt as _;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let file = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        let mut page = [0; 4096];
        for at in (start..end).step_by(page.len()) {
            // A page that was never touched, or belongs to a device, has nothing in it.
            if file.read_exact_at(&mut page, at).is_ok() && page.iter().any(|byte| *byte != 0) {
                all.extend_from_slice(&page);
            }
        }
    }
    all
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[test]
fn another_user_reads_nothing_of_what_the_gateway_keeps() {
    let mut folder = std::path::PathBuf::new();
    let bridge = Bridge::start(|config| {
        config.key("all", &["call:*", "read", "manage"]);
        config.library("trouble", fixture::library("trouble", Target::Linux32)).header(fixture::header("trouble"));
        folder = config.folder().to_owned();
    });
    let header = "int EchoInt(int value); void WriteToNull(void);";
    let request = bridge.client().request("PUT", "/v1/libraries/trouble/interface").body("text/x-c", header);
    assert_eq!(request.send().status, 200);
    bridge.call("trouble", "WriteToNull", json!({})).refused(502, "agent_crashed");
    bridge.call_until(20.0, "trouble", "EchoInt", &json!({"value": 1}));
    // The folder of the configuration may be open: what is kept is closed by itself.
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let mut found = Vec::new();
    list(&folder.join("data"), &mut found);
    found.push(folder.join("keys.toml"));
    assert!(found.iter().any(|path| path.ends_with("interfaces/trouble.json")), "{found:?}");
    assert!(found.iter().any(|path| path.to_str().unwrap().contains("crashes/2")), "{found:?}");
    for path in &found {
        let metadata = fs::metadata(path).unwrap();
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, wanted, "{}", path.display());
    }
    as_another_user(|| {
        assert!(fs::read_dir(&folder).is_ok(), "it gets as far as the folder");
        for path in &found {
            assert!(fs::read(path).is_err() && fs::read_dir(path).is_err(), "{}", path.display());
        }
        assert!(fs::write(folder.join("data/mine"), "").is_err());
    });
}

fn list(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    found.push(folder.to_owned());
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            list(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

#[test]
fn a_folder_for_its_data_that_others_can_write_into_is_refused() {
    let config = Config::new();
    let data = config.folder().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, PermissionsExt::from_mode(0o777)).unwrap();
    let file = config.write();
    let (code, _, error) = bridge32_tests::bridge::run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("data_dir") && error.contains("chmod 700"), "{error}");
}

#[test]
fn what_a_library_starts_finds_no_key() {
    let mut files = Vec::new();
    let bridge = Bridge::start(|config| {
        config.env("BRIDGE32_SECRET", "a-client's-secret").env("BRIDGE32_KEY_ID", "a-client");
        for target in TARGETS {
            files.push((target, config.record_handovers(target.name())));
            config.library(target.name(), fixture::library("family", target)).header(fixture::header("family"));
        }
    });
    for (target, file) in files {
        let inherited = bridge.call(target.name(), "ShowInherited", json!({"size": 60_000}));
        assert_eq!(inherited.result(), 0, "{target}: {}", inherited.output("text"));
        let shown = bridge.call(target.name(), "ShowChild", json!({"size": 60_000}));
        let text = shown.output("text").as_str().unwrap().to_owned();
        let lower = text.to_lowercase();
        assert!(lower.contains("path=") && lower.contains("agent"), "{target}: a child shows what it sees: {text}");
        assert!(!text.contains("BRIDGE32_") && !text.contains("a-client"), "{target}: {text}");
        assert!(!text.contains(&secret_in(&file)), "{target}: {text}");
    }
}

#[test]
fn the_cookie_of_a_session_is_of_no_use_to_another_user() {
    let bridge = signed().bridge;
    let mut browser = Browser::new(bridge.client());
    let url = bridge.client().request("POST", "/v1/sign-in-links").send().is(201)["url"].as_str().unwrap().to_owned();
    let link = url.split_once("link=").unwrap().1.to_owned();
    let page = browser.open(&format!("/sign-in?link={link}")).text;
    let form = page.split_once("name=\"form\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    assert_eq!(browser.submit("/sign-in", &[("form", &form), ("link", &link)]).status, 303);
    browser.request("GET", "/v1/libraries").send().ok();
    let cookies: Vec<String> = browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (cookies, authority) = (cookies.join("; "), bridge.client().authority().to_owned());
    as_another_user(|| {
        // Browsers give it to whoever listens on another port of the same host.
        let stranger = Client::new(&authority, None);
        let with = |target| stranger.request("GET", target).header("cookie", &cookies).send();
        with("/v1/libraries").refused(401, "session_ended");
        with("/").refused(401, "session_ended");
    });
    browser.request("GET", "/v1/libraries").send().ok();
}

#[test]
fn whoever_only_connects_to_an_agent_is_cut_off_and_holds_nobody_up() {
    let bridge = on_all_targets("trouble");
    let pid = bridge.agent_pid("linux32");
    let authority = format!("127.0.0.1:{}", process::listening_ports(pid)[0]);
    as_another_user(|| {
        let mut idle: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(&authority).ok()).collect();
        for (number, stream) in idle.iter_mut().enumerate() {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            if number % 2 == 0 {
                let _ = stream.write_all(b"POST /calls HTTP/1.1\r\nX: ");
            }
        }
        assert_eq!(bridge.call("linux32", "EchoInt", json!({"value": 3})).result(), 3);
        let start = Instant::now();
        for stream in &mut idle {
            let mut end = Vec::new();
            // Ended or reset, but not a time-out.
            let read = stream.read_to_end(&mut end);
            assert!(read.is_ok_and(|read| read < 500) || start.elapsed() < Duration::from_secs(20));
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    });
    within(20.0, "the agent answers others", || {
        (bridge.client().get("/v1/agents/linux32/handles").status == 200).then_some(())
    });
}
