//! `bridge32 sign` and `bridge32 curl`: requests that people sign, with curl itself and without.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;

use bridge32_tests::bridge::{finish, gateway_command, run, shell};
use bridge32_tests::tls::Authority;
use bridge32_tests::{Bridge, HOME, Value, fixture, json};

const ECHO: &str = "/v1/libraries/text/functions/EchoUtf8";

/// A bridge that asks for signatures. The first key may do everything, `reader` may read.
fn signed() -> Bridge {
    Bridge::start(|config| {
        config.key("tester", &["call:*", "read", "adhoc", "manage"]);
        config.key("reader", &["read"]);
        config.library("text", fixture::library("text", HOME)).header(fixture::header("text"));
    })
}

fn url(bridge: &Bridge) -> String {
    format!("http://{}", bridge.client().authority())
}

/// The options that name this bridge and its keys.
fn access(bridge: &Bridge) -> [String; 4] {
    let file = bridge.config().folder().join("bridge32.toml");
    ["--url".to_owned(), url(bridge), "--config".to_owned(), file.to_str().unwrap().to_owned()]
}

/// Runs a command at this bridge.
fn at(bridge: &Bridge, arguments: &[&str]) -> (Option<i32>, String, String) {
    finish(gateway_command().args(&arguments[..1]).args(access(bridge)).args(&arguments[1..]))
}

/// What `sign --curl` prints, which must be all that it prints.
#[track_caller]
fn curl_line(bridge: &Bridge, arguments: &[&str]) -> String {
    let (code, line, notes) = at(bridge, &[&["sign", "--curl"], arguments].concat());
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    line
}

/// Runs it in a shell, where curl must be content, and gives the answer.
#[track_caller]
fn answer_in(folder: &Path, line: &str) -> Value {
    let (code, output, notes) = shell(line, folder);
    assert_eq!((code, notes.as_str()), (Some(0), ""), "{line}");
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}\n{line}"))
}

#[test]
fn sign_prints_headers_that_are_accepted_once() {
    let bridge = signed();
    let client = bridge.client().with_key(None);
    let body = json!({"text": "it's"}).to_string();
    for (method, path, body, status) in [
        ("GET", "/v1/libraries", "", 200),
        ("get", "/v1/libraries/text/exports?filter=Echo%20&limit=5", "", 200),
        ("GET", "/v1/libraries/bücher/exports?filter={ü}", "", 404),
        ("POST", ECHO, body.as_str(), 200),
        // No body, and so no digest; the arguments are missing.
        ("POST", ECHO, "", 422),
    ] {
        let (code, output, notes) = at(&bridge, &["sign", method, path, "--data", body, "--json"]);
        assert_eq!((code, notes.as_str()), (Some(0), ""));
        let signed: Value = serde_json::from_str(&output).unwrap();
        assert_eq!((&signed["key"], &signed["method"]), (&json!("tester"), &json!(method.to_uppercase())));
        let target = signed["url"].as_str().unwrap().strip_prefix(&url(&bridge)).unwrap().to_owned();
        assert!(target.is_ascii() && !target.contains(['{', ' ']), "{target}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers: Vec<_> =
            signed["headers"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
        assert_eq!(headers.len(), if body.is_empty() { 2 } else { 3 }, "{headers:?}");
        let send = || {
            let request = client.request(signed["method"].as_str().unwrap(), &target);
            request.body("application/json", body).headers(&headers).send()
        };
        let answer = send();
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        send().refused(401, "signature_replayed");
    }
    // The lines are the same headers.
    let (code, output, _) = at(&bridge, &["sign", "POST", ECHO, "--data", &body]);
    let lines: Vec<_> = output.lines().map(|line| line.split_once(": ").unwrap()).collect();
    assert_eq!(
        lines.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["content-digest", "signature-input", "signature"]
    );
    let headers: Vec<_> = lines.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let answer = client.request("POST", ECHO).body("application/json", body).headers(&headers).send();
    assert_eq!((code, answer.result()), (Some(0), json!("it's")));
}

#[test]
fn the_curl_line_works_in_a_shell_whatever_the_body_is() {
    let bridge = signed();
    let folder = tempfile::tempdir().unwrap();
    let texts = [
        "plain",
        "it's \"quoted\"",
        "a\nb\r\n\tc",
        "ü 漢字 🂡",
        "$HOME `id` $(id) \\ \\n !x *",
        "%s%20 'a' ''",
        "-H @x",
    ];
    for text in texts {
        // With line ends of its own, in the text as well as in the file.
        let body = serde_json::to_string_pretty(&json!({"text": text})).unwrap() + "\n";
        let line = curl_line(&bridge, &["POST", ECHO, "--data", &body]);
        assert_eq!(answer_in(folder.path(), &line)["result"], text, "{line}");
        assert_eq!(answer_in(folder.path(), &line)["code"], "signature_replayed", "{line}");
        for name in ["body.json", "it's a \"body\".json"] {
            let file = folder.path().join(name);
            std::fs::write(&file, &body).unwrap();
            let line = curl_line(&bridge, &["POST", ECHO, "--body", file.to_str().unwrap()]);
            assert_eq!(answer_in(folder.path(), &line)["result"], text, "{line}");
        }
    }
    // A body that curl would take for the name of a file is sent as it is.
    let line = curl_line(&bridge, &["POST", ECHO, "--data", "@/etc/passwd"]);
    assert_eq!(answer_in(folder.path(), &line)["code"], "malformed_request", "{line}");
    let program = gateway_command().get_program().to_str().unwrap().to_owned();
    let options = access(&bridge).join(" ");
    std::fs::write(folder.path().join("body"), json!({"text": "piped\n"}).to_string()).unwrap();
    let piped = format!("eval \"$({program} sign {options} POST {ECHO} --body - --curl < body 2> notes)\" < body");
    assert_eq!(answer_in(folder.path(), &piped)["result"], "piped\n");
    assert!(std::fs::read_to_string(folder.path().join("notes")).unwrap().contains("the same bytes"));
}

#[test]
fn the_curl_line_works_in_a_shell_for_other_methods_addresses_and_headers() {
    let bridge = signed();
    let folder = tempfile::tempdir().unwrap();
    let answer = |arguments: &[&str]| answer_in(folder.path(), &curl_line(&bridge, arguments));
    assert_eq!(answer(&["GET", "/v1/libraries"])["libraries"][0]["name"], "text");
    assert_eq!(answer(&["GET", "/v1/libraries/bücher?filter=[a]{b,c}#x"])["code"], "unknown_library");
    // What a URL means in a browser is not undone: this is a library called `..`.
    assert_eq!(answer(&["GET", "/v1/libraries/../agents"])["status"], 404);
    let header = fixture::header("text");
    let put = ["PUT", "/v1/libraries/text/interface", "--body", header.to_str().unwrap()];
    assert_eq!(answer(&put)["code"], "unsupported_media_type");
    assert!(answer(&[&put[..], &["-H", "Content-Type: text/x-c"]].concat())["functions"].is_array());
    assert_eq!(answer(&["POST", "/v1/agents/text/restart"])["id"], "text");
    // Another name of the gateway: as it arrives there, so it is signed.
    let port = bridge.client().authority().rsplit_once(':').unwrap().1.to_owned();
    let host = format!("Host: localhost:{port}");
    assert!(answer(&["GET", "/v1/libraries", "-H", &host])["libraries"].is_array());
    let line = curl_line(&bridge, &["HEAD", "/v1/libraries"]);
    let (code, output, _) = shell(&line, folder.path());
    assert!(code == Some(0) && output.starts_with("HTTP/1.1 200 "), "{output}");
}

#[test]
fn the_printed_lines_are_a_file_of_headers_for_curl() {
    let bridge = signed();
    let folder = tempfile::tempdir().unwrap();
    let (code, headers, _) = at(&bridge, &["sign", "POST", ECHO, "--data", "{\"text\":\"a\"}"]);
    assert_eq!(code, Some(0));
    std::fs::write(folder.path().join("headers"), headers).unwrap();
    let url = url(&bridge);
    let line = format!("curl -sS -H @headers -H 'Content-Type: application/json' -d '{{\"text\":\"a\"}}' {url}{ECHO}");
    assert_eq!(answer_in(folder.path(), &line)["result"], "a");
}

#[test]
fn curl_signs_sends_and_prints_the_answer() {
    let bridge = signed();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body.json");
    std::fs::write(&file, json!({"text": "ü\n"}).to_string() + "\n").unwrap();
    let curl = |arguments: &[&str]| {
        let (code, output, notes) = at(&bridge, &[&["curl"], arguments].concat());
        assert_eq!((code, notes.as_str()), (Some(0), ""), "{arguments:?}");
        output
    };
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&curl(arguments)).unwrap() };
    let whole = format!("{}/v1/libraries", url(&bridge));
    for address in ["/v1/libraries", "/v1/libraries?a={b}", &whole] {
        assert_eq!(json(&[address])["libraries"][0]["name"], "text");
    }
    let of_file = format!("@{}", file.display());
    assert_eq!(json(&[ECHO, "-d", "{\"text\": \"it's\"}"])["result"], "it's");
    for option in ["-d", "--data", "--data-binary", "--json"] {
        assert_eq!(json(&[ECHO, option, &of_file])["result"], "ü\n", "{option}");
    }
    let of_header = format!("@{}", fixture::header("text").display());
    let interface = "/v1/libraries/text/interface";
    let put = json(&["-X", "put", interface, "-H", "Content-Type: text/x-c", "-d", &of_header]);
    assert!(put["functions"].is_array(), "{put}");
    assert!(curl(&[interface, "-H", "Accept: text/x-c"]).contains("const char *EchoUtf8("));
    assert_eq!(json(&["-X", "POST", "/v1/agents/text/restart"])["id"], "text");
    let output = curl(&["-i", "/v1/libraries"]);
    let (head, body) = output.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\ncontent-type: application/json"), "{head}");
    assert!(body.starts_with('{'), "{body}");
    let copy = folder.path().join("answer");
    assert_eq!(curl(&["-o", copy.to_str().unwrap(), "/v1/libraries"]), "");
    assert!(std::fs::read_to_string(&copy).unwrap().starts_with('{'));
    assert!(curl(&["-o", "-", "/v1/libraries"]).starts_with('{'));
    // An answer is an answer, also if it says no.
    assert_eq!(json(&["/v1/libraries/bücher"])["code"], "unknown_library");
    assert_eq!(json(&["--key", "reader", ECHO, "-d", "{}"])["code"], "forbidden");
}

#[test]
fn curl_reads_a_body_from_its_standard_input() {
    let bridge = signed();
    let mut command = gateway_command();
    command.arg("curl").args(access(&bridge)).args([ECHO, "-d", "@-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"text\":\n\"a\"}").unwrap();
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["result"], "a");
}

#[test]
fn curl_tells_by_its_exit_code_what_went_wrong() {
    let bridge = signed();
    let curl = |arguments: &[&str]| at(&bridge, &[&["curl"], arguments].concat());
    let (code, output, notes) = curl(&["-f", "/v1/libraries/nope"]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(notes.contains("nope") && notes.contains("unknown_library (404)"), "{notes}");
    assert_eq!(curl(&["-f", "/v1/libraries"]).0, Some(0));
    assert_eq!(curl(&["-s", "-f", "/v1/libraries/nope"]), (Some(1), String::new(), String::new()));
    let (code, _, notes) = curl(&["-sSf", "/v1/libraries/nope"]);
    assert!(code == Some(1) && notes.contains("unknown_library"), "{notes}");
    for (wrong, remedy) in [
        (&["v1/libraries"][..], "write a path, such as /v1/libraries"),
        (&[ECHO, "-d", "@/nowhere/body"], "cannot read /nowhere/body"),
        (&[ECHO, "-d", "a", "--json", "b"], "cannot be used with"),
        (&["/", "-H", "Signature: x"], "leave it out"),
        (&["/", "-H", "Accept"], "no header"),
        (&["/", "-X", "GE T"], "no method"),
        (&["--key", "nobody", "/"], "has no key `nobody`"),
    ] {
        let (code, output, notes) = curl(wrong);
        assert_eq!((code, output.as_str()), (Some(2), ""), "{wrong:?}: {notes}");
        assert!(notes.contains(remedy), "{wrong:?}: {notes}");
    }
    let (code, _, notes) = curl(&["http://127.0.0.1:1/v1/libraries"]);
    assert!(code == Some(3) && notes.contains("no gateway answers at http://127.0.0.1:1"), "{notes}");
    let (code, _, notes) = curl(&["-o", "/nowhere/answer", "/v1/libraries"]);
    assert!(code == Some(1) && notes.contains("cannot write /nowhere/answer"), "{notes}");
}

#[test]
fn without_a_key_curl_says_how_to_give_one() {
    let bridge = signed();
    let url = format!("{}/v1/libraries", url(&bridge));
    let (code, output, notes) = run(&["curl", &url]);
    let problem: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((code, &problem["code"]), (Some(0), &json!("signature_missing")));
    assert!(notes.contains("--key-file FILE") && notes.contains("bridge32 init"), "{notes}");
    assert_eq!(run(&["curl", "-s", &url]).2, "");
    let (code, output, notes) = run(&["curl", "-f", &url]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(notes.contains("signature_missing (401)") && notes.contains("--key-file FILE"), "{notes}");
    let (code, _, notes) = run(&["call", "--url", &self::url(&bridge), "text", "EchoUtf8", "text=a"]);
    assert!(code == Some(1) && notes.contains("--key-file FILE"), "{notes}");
}

#[test]
fn an_answer_is_written_while_it_arrives() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, go_on) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nfirst\n").unwrap();
        // The rest is not there before the beginning has been seen.
        go_on.recv().unwrap();
        stream.write_all(b"last\n").unwrap();
    });
    let mut command = gateway_command();
    command.args(["curl", &format!("http://{address}/v1/callbacks/x/events")]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "first");
    seen.send(()).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "last");
    assert!(lines.next().is_none() && child.wait().unwrap().success());
    server.join().unwrap();
}

#[test]
fn the_key_is_that_of_the_option_of_the_environment_or_of_the_configuration() {
    let bridge = signed();
    let folder = bridge.config().folder();
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let other = folder.join("other.toml");
    std::fs::write(&other, format!("[[key]]\nid='other'\nsecret='{secret}'\nscopes=['read']\n")).unwrap();
    std::fs::set_permissions(&other, PermissionsExt::from_mode(0o600)).unwrap();
    let configured = access(&bridge);
    let configured: Vec<&str> = configured.iter().map(String::as_str).collect();
    let of_file = ["--key-file", other.to_str().unwrap()];
    let whose = |variables: &[(&str, &str)], options: &[&str]| {
        let mut command = gateway_command();
        command.envs(variables.iter().copied()).args(["sign", "GET", "/v1/libraries", "--json"]).args(options);
        let (code, output, notes) = finish(command.current_dir(folder.join("..")));
        assert!(!output.contains(secret) && !notes.contains(secret), "{output}{notes}");
        let signed: Value = serde_json::from_str(&output).unwrap_or_default();
        signed["key"].as_str().map(str::to_owned).ok_or((code, notes))
    };
    let environment = [("BRIDGE32_KEY_ID", "ci"), ("BRIDGE32_SECRET", secret)];
    let with = |more: &[&'static str]| [&configured[..], more].concat();
    let key = |id: &str| Ok(id.to_owned());
    assert_eq!(whose(&[], &configured), key("tester"));
    assert_eq!(whose(&[], &with(&["--key", "reader"])), key("reader"));
    assert_eq!(whose(&environment, &[]), key("ci"));
    assert_eq!(whose(&environment, &configured), key("ci"));
    assert_eq!(whose(&environment, &with(&["--key", "reader"])), key("reader"));
    assert_eq!(whose(&environment, &[&configured[..], &of_file].concat()), key("other"));
    assert_eq!(whose(&[], &of_file), key("other"));

    let (code, notes) = whose(&[], &[]).unwrap_err();
    assert!(code == Some(2) && notes.contains("no key to sign with"), "{notes}");
    for remedy in ["--key-file FILE", "--config FILE", "BRIDGE32_KEY_ID", "BRIDGE32_SECRET", "bridge32 init"] {
        assert!(notes.contains(remedy), "{notes}");
    }
    let (code, notes) = whose(&environment[..1], &[]).unwrap_err();
    assert!(code == Some(2) && notes.contains("BRIDGE32_SECRET is not"), "{notes}");
    let (code, notes) = whose(&environment, &["--key", "reader"]).unwrap_err();
    assert!(code == Some(2) && notes.contains("where is the key `reader`?"), "{notes}");
    let (code, notes) = whose(&[], &["--key-file", "/nowhere/keys.toml"]).unwrap_err();
    assert!(code == Some(1) && notes.contains("cannot read the key file /nowhere/keys.toml"), "{notes}");
    std::fs::set_permissions(&other, PermissionsExt::from_mode(0o644)).unwrap();
    let (code, notes) = whose(&[], &of_file).unwrap_err();
    assert!(code == Some(1) && notes.contains("chmod 600"), "{notes}");
}

#[test]
fn call_signs_with_the_key_of_the_environment_too() {
    let bridge = signed();
    let keys: toml::Table =
        std::fs::read_to_string(bridge.config().folder().join("keys.toml")).unwrap().parse().unwrap();
    let mut command = gateway_command();
    command.env("BRIDGE32_KEY_ID", "tester").env("BRIDGE32_SECRET", keys["key"][0]["secret"].as_str().unwrap());
    command.env("BRIDGE32_URL", url(&bridge)).args(["call", "text", "EchoUtf8", "text=a"]);
    let (code, output, notes) = finish(&mut command);
    assert_eq!((code, output.as_str()), (Some(0), "\"a\"\n"), "{notes}");
}

#[test]
fn over_tls_the_line_and_the_command_trust_what_is_named() {
    let authority = Authority::new();
    let bridge = Bridge::start(|config| {
        config.key("tester", &["read"]);
        config.set("listen", "https://127.0.0.1:0").tls(&authority);
    });
    let root = bridge.config().folder().join("the root.pem");
    std::fs::write(&root, authority.pem()).unwrap();
    let url = format!("{}/v1/libraries?a={{b}}", bridge.addresses().remove(0));
    let keys = bridge.config().folder().join("keys.toml");
    let options = ["--cacert", root.to_str().unwrap(), "--key-file", keys.to_str().unwrap()];
    let (code, line, notes) = run(&[&["sign", "GET", &url, "--curl"], &options[..]].concat());
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    assert!(answer_in(bridge.config().folder(), &line)["libraries"].is_array());
    let (code, output, notes) = run(&[&["curl", &url], &options[..]].concat());
    assert!(code == Some(0) && output.contains("\"libraries\""), "{output}{notes}");
    let (code, _, notes) = run(&[&["curl", &url], &options[2..]].concat());
    assert!(code == Some(3) && notes.contains("--cacert"), "{notes}");
}

#[test]
fn where_nothing_is_signed_sign_says_so_and_curl_sends_as_it_is() {
    let bridge = Bridge::start(|config| {
        config.library("text", fixture::library("text", HOME)).header(fixture::header("text"));
    });
    let (code, output, notes) = at(&bridge, &["curl", ECHO, "-d", "{\"text\": \"a\"}"]);
    assert_eq!((code, notes.as_str()), (Some(0), ""));
    assert!(output.contains("\"result\":\"a\""), "{output}");
    let (code, _, notes) = at(&bridge, &["sign", "GET", "/"]);
    assert!(code == Some(2) && notes.contains("auth.mode = \"off\""), "{notes}");
}
