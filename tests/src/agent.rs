//! An agent without a gateway: the test is its gateway, and says to it what it wants.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bridge32_interface::{Options, Source, read};
use bridge32_protocol::PROTOCOL;
use bridge32_protocol::interface::Interface;
use bridge32_protocol::journal::{self, Damaged, JOURNAL_BYTES, Slot};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::LANE;
use bridge32_signature::{Key, Request, sign_with_nonce};
use serde_json::{Value, json};

use crate::{base64, dist, fixture, windows_path, within};

const SECRET: [u8; 32] = [7; 32];

/// A running agent process.
#[derive(Debug)]
pub struct Agent {
    target: Target,
    child: Mutex<Child>,
    address: String,
    key: Key,
    requests: AtomicU64,
    registration: Arc<Mutex<Value>>,
    folder: tempfile::TempDir,
    interfaces: BTreeMap<String, Interface>,
}

impl Agent {
    /// Starts one, hands over with a journal, and waits until it has registered.
    pub fn start(target: Target) -> Self {
        Self::start_with(target, |_| {})
    }

    /// The same, with another handover.
    pub fn start_with(target: Target, change: impl FnOnce(&mut Value)) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let journal = folder.path().join("journal");
        let file = std::fs::File::create(&journal).expect("a file can be made");
        file.set_len(JOURNAL_BYTES as u64).expect("a file can grow");
        let registration = Arc::default();
        let gateway = play_gateway(&registration);
        let name = |file: &Path| if target.is_windows() { windows_path(file) } else { file.display().to_string() };
        let mut handover = json!({
            "protocol": PROTOCOL, "agent": "raw", "generation": 1, "gateway": gateway, "key": "raw",
            "secret": base64(SECRET), "crash_file": name(&folder.path().join("crash")), "journal": name(&journal),
        });
        change(&mut handover);
        let words = dist::runtimes()[target.name()]["command"].as_array().expect("a list of words").clone();
        let words: Vec<&str> = words.iter().map(|word| word.as_str().expect("a word")).collect();
        let mut command = Command::new(words[0]);
        // Not the test's own streams: Wine's servers would keep them open for longer than the test runs.
        let output = || std::fs::File::create(folder.path().join("output")).expect("a file can be made");
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(output()).stderr(output());
        let mut child = command.spawn().expect("the agent can be started");
        writeln!(child.stdin.as_ref().expect("a pipe"), "{handover}").expect("the agent reads its handover");
        let address = within(30.0, "it has registered", || {
            let latest = registration.lock().expect("no panic").clone();
            let ended = child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "{}", std::fs::read_to_string(folder.path().join("output")).unwrap_or_default());
            latest["address"].as_str().map(str::to_owned)
        });
        let (key, interfaces) = (Key::new("raw", &SECRET).expect("a key"), BTreeMap::new());
        Self {
            target,
            child: Mutex::new(child),
            address,
            key,
            requests: AtomicU64::new(0),
            registration,
            folder,
            interfaces,
        }
    }

    /// Sends a request, and gives the status and the body.
    pub fn send(&self, method: &str, target: &str, body: &Value) -> (u16, String) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = self.begin(method, target, &body, "connection: close\r\n");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        unpack(&answer)
    }

    /// A connection on which a signed request was sent.
    fn begin(&self, method: &str, target: &str, body: &str, fields: &str) -> TcpStream {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let covered = Request { method, scheme: "http", authority: &self.address, target };
        let number = (self.requests.fetch_add(1, Ordering::Relaxed) + 1).to_string();
        let created = i64::try_from(now).expect("it is before the end of time");
        let signed = sign_with_nonce(&self.key, &covered, body.as_bytes(), created, &number).expect("it can be signed");
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n{fields}", self.address);
        for (name, value) in signed.pairs() {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let mut stream = TcpStream::connect(&self.address).expect("the agent listens");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a time-out can be set");
        // An agent that dies meanwhile answers nothing.
        let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
        stream
    }

    /// A connection that the agent has passed on to the thread of a lane.
    pub fn hand_over(&self, library: &str, lane: u32) -> Unsigned<'_> {
        let (connection, (status, text)) = self.ask_for_lane(&format!("{library}/{lane}"));
        assert_eq!(status, 101, "the agent passes it on: {text}");
        connection
    }

    /// A connection that was to be passed on, and the answer to that.
    pub fn ask_for_lane(&self, path: &str) -> (Unsigned<'_>, (u16, String)) {
        let fields = format!("connection: upgrade\r\nupgrade: {LANE}\r\n");
        let stream = self.begin("POST", &format!("/lanes/{path}"), "", &fields);
        let mut connection = Unsigned { agent: self, stream: BufReader::new(stream) };
        let answer = connection.answer();
        (connection, answer)
    }

    /// A connection on which nothing was sent.
    pub fn connect(&self) -> Unsigned<'_> {
        let stream = TcpStream::connect(&self.address).expect("the agent listens");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("a time-out can be set");
        Unsigned { agent: self, stream: BufReader::new(stream) }
    }

    /// The same; the answer must be a success, and is JSON.
    pub fn ok(&self, method: &str, target: &str, body: &Value) -> Value {
        let (status, text) = self.send(method, target, body);
        assert_eq!(status, 200, "{method} {target}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The same; the answer must be a fault of that kind, whose text is given.
    pub fn refused(&self, method: &str, target: &str, body: &Value, code: &str) -> String {
        let (status, text) = self.send(method, target, body);
        let fault: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((status, fault["code"].as_str()), (422, Some(code)), "{method} {target}: {text}");
        fault["detail"].as_str().expect("a fault has a detail").to_owned()
    }

    /// What `PUT /libraries/…` carries for a fixture.
    pub fn load_of(&mut self, name: &str, library: &Path, threads: u32, slot: u32) -> Value {
        let interface = interface(name, self.target);
        self.interfaces.insert(name.to_owned(), interface.clone());
        let file = if self.target.is_windows() { windows_path(library) } else { library.display().to_string() };
        json!({
            "file": file, "generation": 1, "revision": 1, "interface": interface, "threads": threads, "slot": slot,
        })
    }

    /// Loads a fixture under its name.
    pub fn load(&mut self, name: &str, threads: u32, slot: u32) {
        let load = self.load_of(name, &fixture::library(name, self.target), threads, slot);
        self.ok("PUT", &format!("/libraries/{name}"), &load);
    }

    /// One call of a list: of a function with arguments. Its id is the number.
    pub fn call(&self, library: &str, id: u128, function: &str, args: &Value) -> Value {
        let (number, _) = self.interfaces[library].function(function).expect("the header has it");
        json!({"id": id_of(id), "callee": {"function": number}, "args": args})
    }

    /// Runs calls on a lane, and gives how those ended that did before the process itself.
    pub fn run(&self, library: &str, lane: u32, calls: &[Value]) -> Vec<Value> {
        self.run_with(library, lane, calls, &json!({"revision": 1}))
    }

    /// The same, with other members of the list.
    pub fn run_with(&self, library: &str, lane: u32, calls: &[Value], members: &Value) -> Vec<Value> {
        let mut list = json!({"library": library, "lane": lane, "calls": calls});
        let all = list.as_object_mut().expect("it was just made");
        all.extend(members.as_object().expect("an object").clone());
        let (status, text) = self.send("POST", "/calls", &list);
        assert!(status == 200 || status == 0, "{text}");
        let outcome = |line: &str| serde_json::from_str::<Value>(line).ok().map(|line| line["outcome"].clone());
        text.lines().filter_map(outcome).collect()
    }

    /// What its journal says now.
    pub fn journal(&self) -> Vec<Result<Slot, Damaged>> {
        journal::slots(&std::fs::read(self.folder.path().join("journal")).expect("the journal is there")).collect()
    }

    /// What it wrote while it was dying, its lines in one.
    pub fn crash(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.path().join("crash")).unwrap_or_default();
        let mut record = json!({});
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("lines of JSON");
            let all = line.as_object().expect("an object").clone();
            record.as_object_mut().expect("it was just made").extend(all);
        }
        record
    }

    /// How it fared when it registered last.
    pub fn health(&self) -> Value {
        self.registration.lock().expect("no panic")["health"].clone()
    }

    /// Ends its process, as `kill -9` does.
    pub fn kill(&self) {
        // One that is gone is what is wanted. Under Wine the process is the Windows program itself.
        let _ = self.child.lock().expect("no panic").kill();
    }

    /// Waits for its end.
    pub fn ended(&self) {
        within(20.0, "it has ended", || self.child.lock().expect("no panic").try_wait().expect("it is ours"));
    }
}

/// A connection on which nothing is signed.
#[derive(Debug)]
pub struct Unsigned<'a> {
    agent: &'a Agent,
    stream: BufReader<TcpStream>,
}

impl Unsigned<'_> {
    /// Sends a request with that head and no body, and gives the status and the body.
    pub fn ask(&mut self, head: &str) -> (u16, String) {
        let _ = write!(self.stream.get_mut(), "{head}\r\n");
        self.answer()
    }

    /// Sends calls to that lane of the library, and gives the status and the body.
    pub fn run(&mut self, library: &str, lane: u32, calls: &[Value]) -> (u16, String) {
        let list = json!({"library": library, "lane": lane, "revision": 1, "calls": calls}).to_string();
        let head =
            format!("POST /calls HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", self.agent.address, list.len());
        // An agent that dies meanwhile answers nothing.
        let _ = write!(self.stream.get_mut(), "{head}\r\n{list}");
        self.answer()
    }

    fn answer(&mut self) -> (u16, String) {
        read_message(&mut self.stream).map_or_else(
            || (0, String::new()),
            |(head, body)| {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
                (status, String::from_utf8_lossy(&body).into_owned())
            },
        )
    }
}

/// The head and the body of the next message of a connection.
fn read_message(stream: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        // It may have panicked elsewhere.
        let _ = self.child.lock().map(|mut child| child.wait());
    }
}

/// A call's or session's id.
pub fn id_of(number: u128) -> String {
    format!("{number:08x}-0000-7000-8000-000000000000")
}

/// The interface of a fixture's header.
pub fn interface(name: &str, target: Target) -> Interface {
    let text = std::fs::read(fixture::header(name)).expect("the header is there");
    read(&[Source { name, text: &text }], &Options::new(target)).interface
}

/// The interface of a prototype that comes with a call.
pub fn prototype(text: &str, target: Target) -> Interface {
    read(&[Source { name: "prototype", text: text.as_bytes() }], &Options::new(target)).interface
}

/// Takes registrations, and keeps the last one.
fn play_gateway(registration: &Arc<Mutex<Value>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address: PathBuf = listener.local_addr().expect("it listens").to_string().into();
    // As long as the test lives. A connection ends with its agent.
    let registration = Arc::clone(registration);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let registration = Arc::clone(&registration);
            std::thread::spawn(move || take_registrations(stream, &registration));
        }
    });
    address.display().to_string()
}

fn take_registrations(stream: TcpStream, registration: &Mutex<Value>) -> Option<()> {
    let mut answers = stream.try_clone().ok()?;
    let mut stream = BufReader::new(stream);
    loop {
        let (_, body) = read_message(&mut stream)?;
        *registration.lock().ok()? = serde_json::from_slice(&body).ok()?;
        let lease = r#"{"heartbeat_ms":200,"generation":1}"#;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
        write!(answers, "{head} {}\r\n\r\n{lease}", lease.len()).ok()?;
    }
}

/// The status and the body of an answer, whatever form it has; as much of it as came.
fn unpack(answer: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return (0, text.into_owned()) };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return (status, body.to_owned());
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, chunks)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0).min(chunks.len());
        whole.push_str(&chunks[..size]);
        rest = chunks[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    (status, whole)
}
