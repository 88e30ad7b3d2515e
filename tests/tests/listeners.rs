//! Where a gateway answers: several addresses, TLS, its names, web pages, and clients that waste its time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bridge32_signature::{Key, Request as Covered, sign};
use bridge32_tests::bridge::{refused, run};
use bridge32_tests::client::Client;
use bridge32_tests::tls::Authority;
use bridge32_tests::{Bridge, Config, HOME, fixture, json, raw, within};

const FIVE: &str = "/v1/libraries/plain/functions/Five";
const TOO_LONG: &str = "/v1/libraries/none/functions/None";

/// Signatures, and the library `plain`.
fn plain_library(config: &mut Config) -> Key {
    config.library("plain", fixture::library("plain", HOME)).header(fixture::header("plain"));
    config.key("all", &["call:*", "read"])
}

/// A gateway without libraries; nothing else is connected to it.
fn alone(configure: impl FnOnce(&mut Config)) -> (Bridge, String) {
    let bridge = Bridge::start(|config| {
        configure(config.do_not_wait());
    });
    let address = bridge.addresses().remove(0);
    (bridge, address)
}

/// The headers that sign a `GET`.
fn signed(key: &Key, scheme: &str, authority: &str, target: &str) -> Vec<(String, String)> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let headers = sign(key, &Covered { method: "GET", scheme, authority, target }, &[], now).unwrap();
    headers.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The status of a `GET` with these header lines and no others.
fn status(authority: &str, target: &str, headers: &[&str]) -> String {
    raw::get(authority, target, headers).split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn calls_are_answered_in_the_clear_and_over_tls() {
    let mut key = None;
    let bridge = Bridge::start(|config| {
        key = Some(plain_library(config));
        config.set("listen", vec!["127.0.0.1:0", "https://127.0.0.1:0"]).tls(&Authority::new());
    });
    let addresses = bridge.addresses();
    let [plain, tls] = [0, 1].map(|number: usize| bridge.client_at(&addresses[number], key.clone()));
    let urls = json!([format!("http://{}", addresses[0]), addresses[1]]);
    for client in [&plain, &tls] {
        assert_eq!(client.post(FIVE, &json!({})).result(), 5);
        let servers = client.get("/openapi.json").ok()["servers"].clone();
        assert_eq!(json!([servers[0]["url"], servers[1]["url"]]), urls);
    }
    // The scheme is part of what is signed.
    for (client, scheme, good) in
        [(&plain, "http", true), (&plain, "https", false), (&tls, "http", false), (&tls, "https", true)]
    {
        let headers = signed(key.as_ref().unwrap(), scheme, client.authority(), "/v1/libraries");
        let answer = client.with_key(None).request("GET", "/v1/libraries").headers(&headers).send();
        if good {
            answer.ok();
        } else {
            answer.refused(401, "signature_invalid");
        }
    }
}

#[test]
fn agents_work_where_the_only_listener_has_tls() {
    let bridge = Bridge::start(|config| {
        config.library("plain", fixture::library("plain", HOME)).header(fixture::header("plain"));
        config.set("listen", "https://127.0.0.1:0").tls(&Authority::new());
    });
    assert_eq!(bridge.call("plain", "Five", json!({})).result(), 5);
    // They have an address of their own, where nothing else is to be had, although nothing needs to be signed here.
    let line = bridge.logs(&["agents, and nobody else", "address="]);
    let (_, address) = line.split_once("address=").unwrap();
    let agents = Client::new(address.trim(), None);
    agents.get("/v1/libraries").refused(404, "not_found");
    agents.post(FIVE, &json!({})).refused(404, "not_found");
    let unsigned = agents.put("/v1/agents/plain", &json!({"protocol": bridge32_protocol::PROTOCOL}));
    assert_eq!(unsigned.status, 401, "{}", unsigned.text);
    assert_eq!(bridge.generation("plain"), 1);
}

#[test]
fn who_takes_one_kind_of_listener_for_the_other_is_told_or_cut_off() {
    let authority = Authority::new();
    let (bridge, plain) = alone(|config| {
        config.set("listen", vec!["127.0.0.1:0", "https://127.0.0.1:0"]).tls(&authority);
    });
    let secure = bridge.addresses()[1].strip_prefix("https://").unwrap().to_owned();
    let answer = raw::get(&secure, "/healthz", &[&format!("Host: {secure}")]);
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("begins with https://"), "{answer}");
    let confused = Client::over_tls(&plain, None, authority.pem());
    let error = confused.request("GET", "/healthz").try_send().unwrap_err();
    assert!(matches!(error, ureq::Error::Rustls(_) | ureq::Error::Io(_)), "{error:?}");
    let stranger = Client::over_tls(&secure, None, Authority::new().pem());
    let error = stranger.request("GET", "/healthz").try_send().unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    Client::new(&plain, None).get("/healthz").ok();
    Client::over_tls(&secure, None, authority.pem()).get("/healthz").ok();
}

#[test]
fn a_certificate_that_was_replaced_is_used_and_a_bad_one_is_not() {
    let (first, second) = (Authority::new(), Authority::new());
    let (bridge, address) = alone(|config| {
        config.set("listen", "https://127.0.0.1:0").tls(&first);
    });
    let authority = address.strip_prefix("https://").unwrap();
    let trusts = |issuer: &Authority| {
        Client::over_tls(authority, None, issuer.pem()).request("GET", "/healthz").try_send().is_ok()
    };
    assert!(trusts(&first) && !trusts(&second));
    second.issue(&["127.0.0.1"], bridge.config().folder());
    within(20.0, "the new certificate is used", || trusts(&second).then_some(()));
    assert!(!trusts(&first));
    std::fs::write(bridge.config().folder().join("cert.pem"), "nothing").unwrap();
    let line = bridge.logs(&["the certificate changed and cannot be used", "tls.certificate", "no BEGIN CERTIFICATE"]);
    assert!(line.contains("ERROR") && trusts(&second), "{line}");
}

#[test]
fn a_configuration_that_is_not_safe_is_refused_before_anything_is_bound() {
    let with = |listen: &str, change: &dyn Fn(&mut Config)| {
        let mut config = Config::new();
        config.key("all", &["read"]);
        config.set("listen", listen);
        change(&mut config);
        refused(&config)
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8032"] {
        let text = with(address, &|_| {});
        for words in [address, "other machines", &format!("\"https://{address}\""), "[tls]", "behind_proxy = true"] {
            assert!(text.contains(words), "{text}");
        }
    }
    let text = with("https://127.0.0.1:0", &|_| {});
    assert!(text.contains("needs a certificate"), "{text}");
    let text = with("https://127.0.0.1:0", &|config| {
        config.tls(&Authority::new());
        let key = config.folder().join("key.pem");
        std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    });
    assert!(text.contains("tls.key") && text.contains("chmod 600"), "{text}");
    let off = |config: &mut Config| {
        config.set("auth", toml::Table::from_iter([("mode".to_owned(), "off".into())]));
    };
    for listen in ["https://0.0.0.0:0", "https://192.0.2.1:8443"] {
        let text = with(listen, &|config| off(config.tls(&Authority::new())));
        assert!(text.contains("auth.mode: \"off\"") && text.contains(listen) && text.contains("hmac"), "{text}");
    }
    let text = with("127.0.0.1:0", &|config| off(config.set("behind_proxy", true)));
    assert!(text.contains("auth.mode: \"off\"") && text.contains("behind_proxy"), "{text}");
}

#[test]
fn nothing_signed_is_warned_about_at_every_start() {
    let (bridge, _) = alone(|_| {});
    assert!(bridge.logs(&["auth.mode is \"off\"", "native code"]).contains("WARN"));
}

#[test]
fn web_pages_of_others_get_nothing() {
    let (_bridge, address) = alone(|config| {
        config.set("public_urls", "https://bridge.example.com");
        config.key("all", &["read"]);
    });
    let port = address.rsplit(':').next().unwrap();
    let own = format!("Host: {address}");
    // 401 is the answer to whoever is let in and has not signed.
    for (expected, headers) in [
        ("401", &[own.as_str()][..]),
        ("401", &["Host: bridge.example.com"]),
        ("403", &["Host: rebound.example"]),
        ("403", &[&format!("Host: rebound.example:{port}")]),
        ("403", &[&format!("Host: bridge.example.com:{port}")]),
        ("403", &[&own, "Host: rebound.example"]),
        ("401", &[&own, &format!("Origin: http://{address}")]),
        ("401", &[&own, "Origin: https://bridge.example.com"]),
        ("403", &[&own, "Origin: https://evil.example"]),
        ("403", &[&own, "Origin: null"]),
        ("403", &[&own, "Origin: http://bridge.example.com"]),
        ("403", &[&own, "Sec-Fetch-Site: cross-site"]),
        ("403", &[&own, "Sec-Fetch-Site: same-site"]),
        ("403", &[&own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]),
        ("401", &[&own, "Sec-Fetch-Site: same-origin"]),
        ("401", &[&own, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"]),
    ] {
        assert_eq!(status(&address, "/v1/libraries", headers), expected, "{headers:?}");
    }
    // Not even what needs no signature; but links may lead to a page.
    assert_eq!(status(&address, "/healthz", &[&own, "Sec-Fetch-Site: cross-site"]), "403");
    assert_ne!(status(&address, "/", &[&own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]), "403");
    assert_eq!(status(&address, "/", &[&own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"]), "403");
}

#[test]
fn sites_that_the_configuration_names_may_ask_without_cookies() {
    let mut key = None;
    let (bridge, address) = alone(|config| {
        config.set("cors_origins", vec!["https://app.example.com"]);
        key = Some(config.key("all", &["read"]));
    });
    let client = bridge.client_at(&address, key);
    let preflight = |origin: &str| {
        let request = client.with_key(None);
        let request = request.request("OPTIONS", "/v1/libraries").header("origin", origin);
        let request = request.header("access-control-request-method", "POST").header("sec-fetch-site", "cross-site");
        request.header("access-control-request-headers", "signature,signature-input,content-digest").send()
    };
    let allowed = preflight("https://app.example.com");
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("content-digest"));
    for origin in ["https://evil.example", "http://app.example.com", "null"] {
        let answer = preflight(origin);
        answer.refused(403, "forbidden");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
    let page = |client: &Client| {
        let request = client.request("GET", "/v1/libraries").header("origin", "https://app.example.com");
        request.header("sec-fetch-site", "cross-site").send()
    };
    let (answer, refusal) = (page(&client), page(&client.with_key(None)));
    answer.ok();
    refusal.refused(401, "signature_missing");
    for answer in [&allowed, &answer, &refusal] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    assert_eq!(client.get("/v1/libraries").header("access-control-allow-origin"), None);
}

#[test]
fn without_configured_sites_there_is_no_preflight() {
    let (bridge, address) = alone(|_| {});
    let request = |origin: &str| {
        let client = bridge.client_at(&address, None);
        let request = client.request("OPTIONS", "/v1/libraries").header("origin", origin);
        request.header("access-control-request-method", "POST").send()
    };
    request("https://app.example.com").refused(403, "forbidden");
    request(&format!("http://{address}")).refused(405, "method_not_allowed");
}

#[test]
fn behind_a_proxy_requests_are_signed_for_the_public_url() {
    let mut key = None;
    let (bridge, address) = alone(|config| {
        config.set("behind_proxy", true).set("public_urls", "https://bridge.example.com");
        key = Some(config.key("all", &["read"]));
    });
    let client = bridge.client_at(&address, None);
    let get = |scheme| {
        let headers = signed(key.as_ref().unwrap(), scheme, "bridge.example.com", "/v1/libraries");
        client.request("GET", "/v1/libraries").headers(&headers).header("host", "bridge.example.com").send()
    };
    get("https").ok();
    get("http").refused(401, "signature_invalid");
    // Many proxies ask by the gateway's own address: then the name that the client has signed is none of the request.
    let rewritten = |name| {
        let headers = signed(key.as_ref().unwrap(), "https", name, "/v1/libraries");
        client.request("GET", "/v1/libraries").headers(&headers).send()
    };
    rewritten("bridge.example.com").ok();
    rewritten("bridge.example.org").refused(401, "signature_invalid");
}

#[test]
fn slow_clients_are_cut_off() {
    let (bridge, _) = alone(|config| {
        config.library("plain", fixture::library("plain", HOME)).header(fixture::header("plain"));
        config.set("listen", vec!["127.0.0.1:0", "https://127.0.0.1:0"]).tls(&Authority::new());
    });
    let addresses = bridge.addresses();
    let plain = addresses[0].as_str();
    let body = format!("PUT /v1/agents/plain HTTP/1.1\r\nHost: {plain}\r\nContent-Length: 60000\r\n\r\n");
    let idle = format!("GET /healthz HTTP/1.1\r\nHost: {plain}\r\n\r\n");
    let secure = addresses[1].strip_prefix("https://").unwrap();
    std::thread::scope(|scope| {
        let cases = [
            ("says nothing", scope.spawn(|| trickled(plain, "", false))),
            ("says nothing to TLS", scope.spawn(|| trickled(secure, "", false))),
            ("stops in a TLS handshake", scope.spawn(|| trickled(secure, "\u{16}\u{3}\u{1}", false))),
            ("sends a head byte by byte", scope.spawn(|| trickled(plain, "GET / HTTP/1.1\r\nHost: x\r\nX: ", true))),
            ("sends a body byte by byte", scope.spawn(|| trickled(plain, &body, true))),
            ("says nothing after an answer", scope.spawn(|| trickled(plain, &idle, false))),
        ];
        for (case, ended) in cases {
            let answer = ended.join().unwrap();
            let answer = answer.unwrap_or_else(|| panic!("a client that {case} is not cut off"));
            let of_body = answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout");
            assert_eq!(of_body, case.contains("body"), "{case}: {answer}");
        }
    });
    bridge.client().get("/healthz").ok();
}

/// Sends the beginning of a request, then single bytes or nothing, and gives what was answered until the connection was
/// ended; `None` if it was not.
fn trickled(authority: &str, begin: &str, more: bool) -> Option<String> {
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    stream.write_all(begin.as_bytes()).unwrap();
    let mut answer = Vec::new();
    for _ in 0..90 {
        if more {
            // It fails once the connection has ended, and then there is nothing more to read.
            let _ = stream.write_all(b"x");
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes) {
            Ok(0) => return Some(String::from_utf8_lossy(&answer).into_owned()),
            Ok(count) => answer.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return Some(String::from_utf8_lossy(&answer).into_owned()),
        }
    }
    None
}

#[test]
fn there_is_a_limit_to_connections() {
    let (bridge, address) = alone(|config| {
        config.set("max_connections", 2);
    });
    let held: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let mut third = TcpStream::connect(&address).unwrap();
    write!(third, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    bridge.logs(&["no more connections", "limit=2"]);
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(third.read(&mut [0; 16]).is_err(), "it has to wait");
    drop(held);
    third.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = String::new();
    third.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn too_large_a_head_is_refused() {
    let (_bridge, address) = alone(|_| {});
    let own = format!("Host: {address}");
    for (bytes, expected) in [(20_000, "200"), (40_000, "431"), (1_000_000, "431")] {
        let filler = format!("X-Filler: {}", "x".repeat(bytes));
        assert_eq!(status(&address, "/healthz", &[&own, &filler]), expected, "{bytes}");
    }
    let answer = raw::get(&address, "/healthz", &[&own, &format!("X-Filler: {}", "x".repeat(40_000))]);
    assert!(answer.contains("headers_too_large"), "{answer}");
}

#[test]
fn a_refusal_is_read_by_who_sends_its_whole_body_first() {
    let (_bridge, address) = alone(|config| {
        config.set("max_body", "64KiB");
    });
    let whole = "x".repeat(8 << 20);
    let head = |target: &str, more: &str| format!("POST {target} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n");
    let sent = |framing: &str, close: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let body = if framing == "Transfer-Encoding: chunked" {
            format!("{:x}\r\n{whole}\r\n0\r\n\r\n", whole.len())
        } else {
            whole.clone()
        };
        let request = format!("{}{body}", head(TOO_LONG, &format!("{framing}\r\n{close}")));
        stream.write_all(request.as_bytes()).expect("all of it is taken");
        stream
    };
    for framing in [format!("Content-Length: {}", whole.len()), "Transfer-Encoding: chunked".to_owned()] {
        let mut answer = String::new();
        sent(&framing, "Connection: close\r\n").read_to_string(&mut answer).expect("the connection is not reset");
        assert!(answer.starts_with("HTTP/1.1 413"), "{framing}: {answer}");
        // The connection can be used again.
        let mut stream = sent(&framing, "");
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert!(answers.starts_with("HTTP/1.1 413") && answers.contains("HTTP/1.1 200"), "{framing}: {answers}");
    }
    let asks = head(TOO_LONG, "Content-Length: 8388608\r\nExpect: 100-continue\r\nConnection: close\r\n");
    let answer = raw::exchange(&address, &asks);
    assert!(answer.starts_with("HTTP/1.1 413"), "nobody asks for the body: {answer}");
}

#[test]
fn the_command_line_speaks_tls() {
    let authority = Authority::new();
    let bridge = Bridge::start(|config| {
        plain_library(config);
        config.set("listen", "https://127.0.0.1:0").tls(&authority);
    });
    let folder = bridge.config().folder();
    let (file, root) = (folder.join("bridge32.toml"), folder.join("root.pem"));
    std::fs::write(&root, authority.pem()).unwrap();
    let url = bridge.addresses().remove(0);
    let port = url.rsplit(':').next().unwrap();
    let call = |more: &[&str]| {
        let config = ["call", "plain", "Five", "--config", file.to_str().unwrap()];
        run(&[&config[..], more].concat())
    };
    let (code, output, text) = call(&["--url", &url, "--cacert", root.to_str().unwrap()]);
    assert_eq!((code, output.trim()), (Some(0), "5"), "{text}");
    let (code, _, text) = call(&["--url", &url]);
    assert!(code == Some(3) && text.contains("is not trusted") && text.contains("--cacert"), "{text}");
    let other_name = format!("https://[::ffff:127.0.0.1]:{port}");
    let (code, _, text) = call(&["--url", &other_name, "--cacert", root.to_str().unwrap()]);
    assert!(code == Some(3) && text.contains("is not trusted") && text.contains("it names"), "{text}");
    let (code, _, text) = call(&["--url", &url, "--cacert", file.to_str().unwrap()]);
    assert!(code == Some(1) && text.contains("has no certificate"), "{text}");
}

#[test]
fn the_check_looks_at_certificates_and_listeners() {
    let mut config = Config::new();
    config.set("listen", "https://127.0.0.1:0").tls(&Authority::new());
    let check = |config: &Config| {
        let file = config.write();
        let (code, output, _) = run(&["check", "--config", file.to_str().unwrap()]);
        (code, output)
    };
    assert_eq!(check(&config).0, Some(0));
    std::fs::write(config.folder().join("cert.pem"), "nothing").unwrap();
    let (code, output) = check(&config);
    assert!(code == Some(1) && output.contains("problem: tls.certificate"), "{output}");
    config.set("listen", "127.0.0.1:0");
    let (code, output) = check(&config);
    assert!(code == Some(0) && output.contains("warning: tls: no listener uses it"), "{output}");
}
