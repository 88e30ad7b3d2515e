//! Buffers that are no JSON: `application/octet-stream` and `multipart/form-data`, in and out, through files that are gone afterwards.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use bridge32_tests::otlp::hex;
use bridge32_tests::{Answer, Bridge, HOME, TARGETS, TARGETS_32, Value, base64, bytes, fixture, json, within};

const BINARY: &str = "application/octet-stream";
const PARTS: &str = "multipart/form-data";
const MEBI: usize = 1 << 20;
const HALF: usize = 512 << 20;

/// The fixture, and zlib, as libraries of each target.
fn bulk() -> Bridge {
    bulk_with(|_| {})
}

fn bulk_with(more: impl FnOnce(&mut bridge32_tests::Config)) -> Bridge {
    Bridge::start(|config| {
        let place = place(config);
        config.set("bulk_dir", place.to_str().unwrap());
        for target in TARGETS {
            config.library(target.name(), fixture::library("bulk", target)).header(fixture::header("bulk"));
        }
        config.key("test", &["call:*", "read", "history"]);
        more(config);
    })
}

fn place(config: &bridge32_tests::Config) -> PathBuf {
    config.folder().join("bulk")
}

/// The files of buffers that are there, of all gateways.
fn files(bridge: &Bridge) -> usize {
    fn below(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { below(&path) } else { usize::from(!path.ends_with("lock")) }).sum()
    }
    below(&place(bridge.config()))
}

#[track_caller]
fn all_gone(bridge: &Bridge) {
    within(5.0, "the files are gone", || (files(bridge) == 0).then_some(()));
}

/// Bytes that repeat nowhere.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut data: Vec<u8> = Vec::with_capacity(length + 8);
    while data.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        data.extend_from_slice(&state.to_le_bytes());
    }
    data.truncate(length);
    data
}

fn target(library: &str, function: &str, args: &Value) -> String {
    let path = format!("/v1/libraries/{library}/functions/{function}");
    if args.is_null() {
        path
    } else {
        format!("{path}?args={}", args.to_string().replace('"', "%22").replace(' ', "%20"))
    }
}

/// A call whose body is a buffer.
fn octets<'a>(
    bridge: &'a Bridge,
    library: &str,
    function: &str,
    args: &Value,
    body: &[u8],
) -> bridge32_tests::client::Request<'a> {
    bridge.client().request("POST", &target(library, function, args)).body(BINARY, body)
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let part = |(name, content): &(&str, &[u8])| {
        let head = format!("--x9\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    [parts.iter().flat_map(part).collect(), b"--x9--\r\n".to_vec()].concat()
}

fn in_parts<'a>(
    bridge: &'a Bridge,
    library: &str,
    function: &str,
    parts: &[(&str, &[u8])],
) -> bridge32_tests::client::Request<'a> {
    let request = bridge.client().request("POST", &target(library, function, &Value::Null));
    request.body("multipart/form-data; boundary=x9", form(parts))
}

/// The outcome that stands in the head of an answer.
#[track_caller]
fn outcome(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(BINARY)), "{}", answer.text);
    serde_json::from_str(answer.header("bridge32-outcome").unwrap()).unwrap()
}

/// The parts of an answer.
#[track_caller]
fn parted(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let kind = answer.header("content-type").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let boundary = format!("--{}", kind.strip_prefix("multipart/form-data; boundary=").unwrap());
    let mut rest = &answer.bytes[..];
    let mut parts = Vec::new();
    let find = |place: &[u8], wanted: &[u8]| place.windows(wanted.len()).position(|window| window == wanted);
    while let Some(begin) = rest.strip_prefix(boundary.as_bytes()).filter(|rest| rest.starts_with(b"\r\n")) {
        let head = find(begin, b"\r\n\r\n").unwrap();
        let name = String::from_utf8(begin[..head].to_vec()).unwrap();
        let name = name.split("name=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let content = &begin[head + 4..];
        let end = find(content, format!("\r\n{boundary}").as_bytes()).unwrap();
        parts.push((name, content[..end].to_vec()));
        rest = &content[end + 2..];
    }
    assert_eq!(rest, format!("{boundary}--\r\n").as_bytes());
    parts
}

/// Below what goes inline, right at it, and beyond it.
const SIZES: [usize; 7] = [0, 1, 4096, (128 << 10) - 1, 128 << 10, (128 << 10) + 1, 3 * MEBI + 5];

#[test]
fn bytes_come_back_as_they_were_whatever_their_number() {
    let bridge = bulk();
    for target in TARGETS {
        for size in SIZES {
            let data = noise(size);
            let answer = octets(&bridge, target.name(), "Copy", &Value::Null, &data).header("accept", BINARY).send();
            let outcome = outcome(&answer);
            assert!(answer.bytes == data, "{size} bytes on {target}");
            assert_eq!((&outcome["result"], &outcome["outputs"]), (&Value::Null, &json!({})), "{target}");
            let answer = in_parts(&bridge, target.name(), "Copy", &[("src", &data)]).header("accept", PARTS).send();
            let parts = parted(&answer);
            let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["outcome", "dest"], "{target}");
            assert!(parts[1].1 == data, "{size} bytes on {target}");
            // And as JSON, in and out.
            let mixed = octets(&bridge, target.name(), "Copy", &Value::Null, &data).send();
            assert!(bytes(&mixed.output("dest")) == data, "{size} bytes on {target}");
            let arguments = json!({"src": base64(&data)}).to_string();
            let request = bridge.client().request("POST", &self::target(target.name(), "Copy", &Value::Null));
            let answer = request.body("application/json", arguments).header("accept", BINARY).send();
            assert!(answer.bytes == data, "{size} bytes on {target}");
        }
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
    all_gone(&bridge);
}

#[test]
fn zlib_reads_what_was_sent_and_64_mib_leave_the_gateways_memory_as_it_is() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/zlib.h");
    let bridge = bulk_with(|config| {
        config.library("z", "/usr/lib32/libz.so.1").header(&header);
        config.library("zw", "/usr/i686-w64-mingw32/lib/zlib1.dll").header(&header);
    });
    let data = noise(64 * MEBI);
    let crc = crc32fast::hash(&data);
    let ask = |data: &[u8]| {
        for library in ["z", "zw"] {
            let answer = octets(&bridge, library, "crc32", &json!({"crc": 0}), data).send();
            assert_eq!(answer.result(), crc32fast::hash(data), "{library}");
        }
        for target in TARGETS_32 {
            let answer = octets(&bridge, target.name(), "Copy", &Value::Null, data).header("accept", BINARY).send();
            assert!(answer.bytes == data, "{target}");
            let answer = in_parts(&bridge, target.name(), "Copy", &[("src", data)]).header("accept", PARTS).send();
            assert!(parted(&answer)[1].1 == data, "{target}");
        }
    };
    ask(&data[..4 * MEBI]);
    let before = peak(&bridge);
    ask(&data);
    let extra = peak(&bridge) - before;
    assert!(extra < 8 << 10, "the gateway took {extra} KiB more");
    assert_eq!(octets(&bridge, "z", "crc32", &json!({"crc": 0}), &data).send().result(), crc);
    all_gone(&bridge);
}

/// The most memory that the gateway had, in KiB.
fn peak(bridge: &Bridge) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bridge.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_function_gets_its_buffers_and_its_other_arguments_and_lengths_are_as_in_json() {
    let bridge = bulk();
    let (large, small) = (noise(MEBI), noise(100));
    for target in TARGETS {
        let library = target.name();
        let sum: u32 = large.iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!(octets(&bridge, library, "SumOf", &json!({"size": MEBI}), &large).send().result(), sum);
        // The length says that less of it counts, and then that there is more.
        let first: u32 = large[..1000].iter().map(|byte| u32::from(*byte)).sum();
        assert_eq!(octets(&bridge, library, "SumOf", &json!({"size": 1000}), &large).send().result(), first);
        let long = octets(&bridge, library, "SumOf", &json!({"size": MEBI + 1}), &large).send();
        assert!(long.mismatch("/data").contains("reads more"), "{target}");
        // What the function says that it has written.
        let answer = octets(&bridge, library, "CopyHalf", &Value::Null, &large).header("accept", BINARY).send();
        let outcome = outcome(&answer);
        assert_eq!((&outcome["result"], &outcome["outputs"]), (&json!(7), &json!({"written": MEBI / 2})));
        assert!(answer.bytes == large[..MEBI / 2], "{target}");
        // In and out at once.
        let inverted: Vec<u8> = large.iter().map(|byte| !byte).collect();
        let answer = octets(&bridge, library, "Invert", &Value::Null, &large).header("accept", BINARY).send();
        assert!(answer.bytes == inverted, "{target}");
        let answer = octets(&bridge, library, "Invert", &Value::Null, &large).send();
        assert!(bytes(&answer.output("data")) == inverted, "{target}");
        // Several, large and small.
        let args = json!({"name": "xy", "size": MEBI}).to_string();
        let parts = [("one", &large[..]), ("args", args.as_bytes()), ("other", &small[..])];
        let parts = parted(&in_parts(&bridge, library, "Join", &parts).header("accept", PARTS).send());
        let told: Value = serde_json::from_slice(&parts[0].1).unwrap();
        assert_eq!((&told["result"], &told["outputs"]), (&json!(MEBI + 100), &json!({})), "{target}");
        assert!(parts[1] == ("first".to_owned(), large.clone()), "{target}");
        let second = [&small[..], &vec![b'y'; MEBI - 100]].concat();
        assert!(parts[2] == ("second".to_owned(), second), "{target}");
    }
    all_gone(&bridge);
}

#[test]
fn what_does_not_fit_the_function_is_refused_before_it_is_called() {
    let bridge = bulk();
    let data = noise(200 << 10);
    for target in TARGETS {
        let library = target.name();
        let several = octets(&bridge, library, "Join", &json!({"name": "xy", "size": 1}), &data).send();
        let problem = several.refused(422, "argument_mismatch");
        assert!(problem["detail"].as_str().unwrap().contains("(one, other)"), "{problem}");
        let none = octets(&bridge, library, "Text", &Value::Null, &data).send();
        assert!(none.refused(422, "argument_mismatch")["detail"].as_str().unwrap().contains("takes none"));
        let out =
            in_parts(&bridge, library, "Join", &[("one", &data), ("other", &data)]).header("accept", BINARY).send();
        assert!(out.refused(406, "not_acceptable")["detail"].as_str().unwrap().contains("(first, second)"));
        octets(&bridge, library, "SumOf", &Value::Null, &data)
            .header("accept", BINARY)
            .send()
            .refused(406, "not_acceptable");
        let wrong = in_parts(&bridge, library, "SumOf", &[("dta", &data)]).send();
        assert!(wrong.mismatch("/dta").contains("those are data"), "{target}");
        in_parts(&bridge, library, "Text", &[("text", b"x")]).send().mismatch("/text");
        let twice = in_parts(&bridge, library, "SumOf", &[("data", &data), ("data", &data)]).send();
        assert!(twice.refused(400, "malformed_request")["detail"].as_str().unwrap().contains("`data` comes twice"));
        for data in [&data[..], &data[..10]] {
            let args = json!({"data": "AAAA"}).to_string();
            let both = in_parts(&bridge, library, "SumOf", &[("args", args.as_bytes()), ("data", data)]).send();
            assert!(both.mismatch("/data").contains("given twice"), "{target}");
        }
        let missing = in_parts(&bridge, library, "SumOf", &[("args", b"{}")]).send();
        assert!(missing.mismatch("/data").contains("missing"), "{target}");
        let broken = bridge.client().request("POST", &self::target(library, "SumOf", &Value::Null));
        broken.body("multipart/form-data; boundary=x9", "--x9\r\nbroken").send().refused(400, "malformed_request");
        let args = octets(&bridge, library, "SumOf", &json!([1]), &data).send();
        args.refused(400, "malformed_request");
        assert_eq!(bridge.generation(library), 1, "{target}");
    }
    let batch = bridge.client().request("POST", "/v1/libraries/linux32/batches").body(BINARY, data.clone()).send();
    batch.refused(415, "unsupported_media_type");
    all_gone(&bridge);
}

#[test]
fn a_forged_or_truncated_body_calls_nothing() {
    let bridge = bulk();
    let data = noise(MEBI);
    for size in [1000, MEBI] {
        let request = octets(&bridge, "linux32", "Crash", &Value::Null, &data[..size]);
        let signature = request.signature(&bridge.config().signing_key(), 0);
        let mut forged = data[..size].to_vec();
        forged[size / 2] ^= 1;
        let unsigned = bridge.client().with_key(None);
        let forged = unsigned
            .request("POST", &target("linux32", "Crash", &Value::Null))
            .body(BINARY, forged)
            .headers(&signature);
        forged.try_send().unwrap().refused(401, "digest_mismatch");
        let cut = unsigned.request("POST", &target("linux32", "Crash", &Value::Null));
        let cut =
            cut.body(BINARY, data[..size - 1].to_vec()).headers(&request.signature(&bridge.config().signing_key(), 0));
        cut.try_send().unwrap().refused(401, "digest_mismatch");
    }
    let unsigned = bridge.client().with_key(None);
    let nobody = unsigned.request("POST", &target("linux32", "Crash", &Value::Null)).body(BINARY, data).try_send();
    nobody.unwrap().refused(401, "signature_missing");
    assert_eq!(bridge.generation("linux32"), 1, "it would have crashed");
    all_gone(&bridge);
}

#[test]
fn a_client_that_hangs_up_leaves_no_file() {
    let bridge = Bridge::start(|config| {
        let place = place(config);
        config.set("bulk_dir", place.to_str().unwrap());
        config.library("linux32", fixture::library("bulk", HOME)).header(fixture::header("bulk"));
    });
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {BINARY}\r\nContent-Length: {}\r\n\r\n",
        target("linux32", "SumOf", &Value::Null),
        bridge.client().authority(),
        64 * MEBI
    );
    let mut stream = TcpStream::connect(bridge.client().authority()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&noise(8 * MEBI)).unwrap();
    within(5.0, "a file is there", || (files(&bridge) == 1).then_some(()));
    drop(stream);
    all_gone(&bridge);
    // Or while the answer comes.
    let head = head.replace("SumOf", "Copy").replace("\r\n\r\n", &format!("\r\nAccept: {BINARY}\r\n\r\n"));
    let mut stream = TcpStream::connect(bridge.client().authority()).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&noise(64 * MEBI)).unwrap();
    let mut beginning = [0; 1000];
    std::io::Read::read_exact(&mut stream, &mut beginning).unwrap();
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&beginning));
    assert!(files(&bridge) > 0, "it is still being sent");
    drop(stream);
    all_gone(&bridge);
}

#[test]
fn a_library_that_crashes_scribbles_or_writes_too_far_harms_nobody_else() {
    let bridge = bulk();
    let data = noise(MEBI);
    let sum: u32 = data.iter().map(|byte| u32::from(*byte)).sum();
    for target in TARGETS {
        let library = target.name();
        for (size, beyond) in [(MEBI, 1), (MEBI, 64), (MEBI - 1, 1), (200 << 10, 5)] {
            let args = json!({"size": size, "beyond": beyond}).to_string();
            let request = bridge.client().request("POST", &self::target(library, "Overrun", &Value::Null));
            let answer = request.body("application/json", args).header("accept", BINARY).send();
            assert!(answer.refused(422, "buffer_overrun")["detail"].as_str().unwrap().contains("`data`"), "{target}");
        }
        assert_eq!(octets(&bridge, library, "Scribble", &Value::Null, &data).send().result(), sum, "{target}");
        assert_eq!(bridge.generation(library), 1, "{target}");
        let crash = octets(&bridge, library, "Crash", &Value::Null, &data).send();
        crash.refused(502, "agent_crashed");
        bridge.wait_until_ready();
        assert_eq!(octets(&bridge, library, "SumOf", &Value::Null, &data).send().result(), sum, "{target}");
    }
    all_gone(&bridge);
}

#[test]
fn half_a_gibibyte_is_refused_and_the_next_call_is_served() {
    let bridge = bulk();
    for target in TARGETS_32 {
        let library = target.name();
        // Announced, it is not even read.
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {BINARY}\r\nContent-Length: {HALF}\r\nConnection: close\r\n",
            self::target(library, "SumOf", &Value::Null),
            bridge.client().authority(),
        );
        let request = bridge.client().request("POST", &self::target(library, "SumOf", &Value::Null)).body(BINARY, "x");
        let mut signed = String::new();
        for (name, value) in request.signature(&bridge.config().signing_key(), 0) {
            signed.extend([&*name, ": ", &value, "\r\n"]);
        }
        let answer = bridge32_tests::raw::exchange(bridge.client().authority(), &format!("{head}{signed}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("bulk_limit"), "{answer}");
        // Asked for as JSON, and as bytes.
        let args = json!({"size": HALF, "beyond": 0});
        let json = bridge.call(library, "Overrun", args.clone()).mismatch("/size");
        assert!(json.contains("from 0 to 67108864 bytes") && json.contains(BINARY), "{json}");
        let request = bridge.client().request("POST", &self::target(library, "Overrun", &Value::Null));
        let answer = request.body("application/json", args.to_string()).header("accept", BINARY).send();
        let bytes = answer.mismatch("/size");
        assert!(bytes.contains("from 0 to 268435456 bytes") && bytes.contains("bulk_limit"), "{bytes}");
        assert_eq!(octets(&bridge, library, "SumOf", &Value::Null, &[1, 2]).send().result(), 3, "{target}");
        assert_eq!(bridge.generation(library), 1, "{target}");
    }
    all_gone(&bridge);
}

#[test]
fn what_a_32_bit_process_has_no_room_for_is_an_error_and_no_end() {
    let bridge = bulk_with(|config| {
        config.set("bulk_limit", "4GiB");
    });
    for target in TARGETS_32 {
        for size in [u32::MAX, u32::MAX - (64 << 20), 3_900_000_000] {
            let request = bridge.client().request("POST", &self::target(target.name(), "Overrun", &Value::Null));
            let args = json!({"size": size, "beyond": 0}).to_string();
            let answer = request.body("application/json", args).header("accept", BINARY).send();
            let problem = answer.refused(503, "out_of_memory");
            assert_eq!((&problem["pointer"], &problem["execution"]), (&"/data".into(), &"not_run".into()), "{problem}");
        }
        assert_eq!(octets(&bridge, target.name(), "SumOf", &Value::Null, &[1, 2]).send().result(), 3, "{target}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
    all_gone(&bridge);
}

#[test]
fn half_a_gibibyte_is_passed_where_the_limit_allows_it() {
    let bridge = bulk_with(|config| {
        config.set("bulk_limit", "1GiB");
    });
    let data = vec![1; 512 * MEBI];
    for target in TARGETS_32 {
        let answer = octets(&bridge, target.name(), "SumOf", &Value::Null, &data).send();
        assert_eq!(answer.result(), 512 * MEBI, "{target}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
    all_gone(&bridge);
}

#[test]
fn the_history_has_size_and_digest_and_such_a_call_is_not_made_again() {
    let bridge = bulk();
    let data = noise(MEBI);
    let digest = json!({"bytes": MEBI, "sha256": sha256(&data)});
    let answer = octets(&bridge, "linux32", "Copy", &json!({"size": MEBI}), &data).header("accept", BINARY).send();
    let id = outcome(&answer)["call_id"].as_str().unwrap().to_owned();
    let call = within(5.0, "it is in the history", || {
        let answer = bridge.client().get(&format!("/v1/calls/{id}"));
        (answer.status == 200 && answer.ok().get("args").is_some()).then(|| answer.ok())
    });
    assert_eq!(call["args"], json!({"src": digest, "size": MEBI}), "{call}");
    assert_eq!(call["outcome"]["outputs"], json!({"dest": digest}), "{call}");
    let again = bridge.client().post(&format!("/v1/calls/{id}/replay"), &json!({}));
    let detail = again.refused(409, "not_replayable")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("`src` came as 1048576 bytes"), "{detail}");
    let page = bridge.client().request("GET", &format!("/calls/{id}")).header("accept", "text/html").send();
    assert!(page.status == 200 && page.text.contains(digest["sha256"].as_str().unwrap()), "{}", page.text);
    // Of what is sensitive there is nothing.
    let answer = octets(&bridge, "linux32", "Hide", &Value::Null, &data).send();
    let id = answer.ok()["call_id"].as_str().unwrap().to_owned();
    let call = within(5.0, "it is in the history", || {
        let answer = bridge.client().get(&format!("/v1/calls/{id}"));
        (answer.status == 200 && answer.ok().get("args").is_some()).then(|| answer.ok())
    });
    assert_eq!(call["args"], json!({"secret": "«redacted»"}), "{call}");
}

fn sha256(data: &[u8]) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(data))
}

#[test]
fn a_key_repeats_a_call_by_the_digest_of_its_body() {
    let bridge = bulk();
    let data = noise(MEBI);
    let send = |data: &[u8], key: &str| {
        octets(&bridge, "linux32", "SumOf", &Value::Null, data).header("idempotency-key", key).send()
    };
    let first = send(&data, "one");
    let again = send(&data, "one");
    assert_eq!((first.text.as_str(), again.header("idempotency-replayed")), (again.text.as_str(), Some("true")));
    send(&data[1..], "one").refused(422, "idempotency_mismatch");
    let other = octets(&bridge, "linux32", "SumOf", &json!({"size": 5}), &data).header("idempotency-key", "one").send();
    other.refused(422, "idempotency_mismatch");
    assert_eq!(send(&data[1..], "two").status, 200);
    let kept = octets(&bridge, "linux32", "Copy", &Value::Null, &data)
        .header("accept", BINARY)
        .header("idempotency-key", "x")
        .send();
    assert!(kept.refused(406, "not_acceptable")["detail"].as_str().unwrap().contains("not kept"));
    all_gone(&bridge);
}

#[test]
fn an_answer_of_bytes_is_signed_as_any_other() {
    let bridge = bulk();
    let data = noise(MEBI);
    for accept in [BINARY, PARTS] {
        let request = octets(&bridge, "linux32", "Copy", &Value::Null, &data).header("accept", accept);
        let answer = request.header("accept-signature", "a=(\"@status\" \"content-digest\")").send();
        let digest = answer.header("content-digest").unwrap().to_owned();
        assert_eq!(digest, bridge32_signature::content_digest(&answer.bytes), "{accept}");
        assert!(answer.header("signature").is_some());
    }
}

#[test]
fn what_a_killed_gateway_has_left_goes_with_the_next_start_and_a_live_ones_files_stay() {
    let mut bridge = bulk();
    let other = {
        let place = place(bridge.config());
        Bridge::start(|config| {
            config.set("bulk_dir", place.to_str().unwrap());
            config.library("linux32", fixture::library("bulk", HOME)).header(fixture::header("bulk"));
        })
    };
    let data = noise(MEBI);
    let wait = |bridge: &Bridge| {
        let (client, data) = (bridge.client().clone(), data.clone());
        std::thread::spawn(move || {
            let request = client.request("POST", &target("linux32", "Wait", &json!({"milliseconds": 4000})));
            request.body(BINARY, data).send_if_there()
        })
    };
    let (killed, live) = (wait(&bridge), wait(&other));
    within(5.0, "both have a file", || (files(&bridge) == 2).then_some(()));
    bridge.kill();
    assert!(killed.join().unwrap().is_none());
    bridge.restart();
    assert_eq!(files(&bridge), 1, "that of the live one");
    assert_eq!(live.join().unwrap().unwrap().status, 200);
    all_gone(&bridge);
}

#[test]
fn a_place_without_room_is_told_and_json_goes_on() {
    let bridge = bulk_with(|config| {
        config.small_disk("8m");
        config.set("bulk_dir", "data");
    });
    for target in TARGETS_32 {
        let library = target.name();
        let full = octets(&bridge, library, "SumOf", &Value::Null, &noise(16 * MEBI)).send();
        let detail = full.refused(503, "bulk_unavailable")["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("bulk_dir"), "{detail}");
        assert_eq!(octets(&bridge, library, "SumOf", &Value::Null, &[1, 2]).send().result(), 3, "{target}");
    }
    let request = bridge.client().request("POST", &target("linux32", "Overrun", &Value::Null));
    let args = json!({"size": 16 * MEBI, "beyond": 0}).to_string();
    let answer = request.body("application/json", args).header("accept", BINARY).send();
    let problem = answer.refused(503, "bulk_unavailable");
    assert_eq!(problem["execution"], "not_run", "{problem}");
    assert_eq!(bridge.generation("linux32"), 1);
}
