//! The gateway's own face: what is where, who is answered, and what a configuration must be.

use bridge32_tests::bridge::refused;
use bridge32_tests::{Bridge, Config, HOME, TARGETS, TARGETS_32, Value, fixture, json, raw};

use crate::on_all_targets;

#[test]
fn health_needs_nothing() {
    let bridge = on_all_targets("plain");
    assert_eq!(bridge.client().get("/healthz").ok()["status"], "ok");
    let ready = bridge.client().get("/readyz").ok();
    assert_eq!(
        ready["libraries"],
        Value::Object(TARGETS.map(|target| (target.name().to_owned(), json!("ready"))).into_iter().collect())
    );
}

#[test]
fn libraries_and_agents_are_listed() {
    let bridge = on_all_targets("plain");
    let libraries = bridge.client().get("/v1/libraries").ok();
    let libraries = libraries["libraries"].as_array().unwrap();
    assert_eq!(libraries.len(), TARGETS.len());
    for library in libraries {
        assert_eq!((&library["name"], &library["state"]), (&library["runtime"], &json!("ready")), "{library}");
        assert_eq!(library["functions"], json!({"declared": 1, "callable": 1}), "{library}");
    }
    let agents = bridge.client().get("/v1/agents").ok();
    for agent in agents["agents"].as_array().unwrap() {
        let has = |key: &str| agent.get(key).is_some_and(|value| !value.is_null());
        let keys = ["id", "state", "generation", "pid", "runtime", "pointer_bits", "version", "libraries", "health"];
        assert!(keys.into_iter().all(has), "{agent}");
        assert_eq!((&agent["state"], &agent["generation"]), (&json!("ready"), &json!(1)));
    }
}

#[test]
fn an_interface_shows_how_functions_were_bound() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS {
            let file = fixture::library("plain", target);
            config
                .library(target.name(), file)
                .declares("/** Five. */\nint Five(void);\nint Six(void);\nint Bad(struct s x);");
        }
    });
    for target in TARGETS {
        let interface = bridge.client().get(&format!("/v1/libraries/{target}/interface")).ok();
        let functions = interface["functions"].as_array().unwrap();
        let [five, six, bad] = &functions[..] else { panic!("{interface}") };
        assert_eq!((&five["callable"], &five["description"]), (&json!(true), &json!("Five.")), "{target}: {five}");
        assert_eq!((&five["bound_convention"], &five["line"]), (&json!("cdecl"), &json!(2)), "{target}: {five}");
        assert_eq!(six["callable"], false, "{target}: {six}");
        assert!(six["reason"].as_str().unwrap().contains("Six"), "{target}: {six}");
        assert_eq!(bad["callable"], false, "{target}: {bad}");
        bridge.call(target.name(), "Six", json!({})).refused(404, "unknown_function");
        bridge.call(target.name(), "Bad", json!({})).refused(422, "unsupported_declaration");
        assert_eq!(bridge.call(target.name(), "Five", json!({})).result(), 5, "{target}");
        assert_eq!(bridge.library(target.name())["functions"], json!({"declared": 3, "callable": 1}), "{target}");
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let bridge = on_all_targets("plain");
    let client = bridge.client();
    let problem = bridge.call("nope", "Five", json!({})).refused(404, "unknown_library");
    assert!(problem["detail"].as_str().unwrap().contains("nope"), "{problem}");
    for path in ["", "/exports", "/interface"] {
        client.get(&format!("/v1/libraries/nope{path}")).refused(404, "unknown_library");
    }
    bridge.call_ad_hoc("nope", "int Five(void)", &json!({})).refused(404, "unknown_library");
    let problem = bridge.call(HOME.name(), "Nope", json!({})).refused(404, "unknown_function");
    assert!(problem["detail"].as_str().unwrap().contains("Nope"), "{problem}");
    client.get("/v1/agents/nope").refused(404, "unknown_agent");
    client.request("POST", "/v1/agents/nope/restart").send().refused(404, "unknown_agent");
    for path in [
        "/v1",
        "/v1/nothing",
        &format!("/v1/libraries/{HOME}/nothing"),
        "/v1/libraries/",
        "/%2e%2e/etc/passwd",
        "/v1/libraries/%FF",
    ] {
        let answer = client.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
}

#[test]
fn a_slash_at_the_end_is_told() {
    let bridge = on_all_targets("plain");
    let told = |path: &str| bridge.client().get(path).refused(404, "not_found")["detail"].as_str().unwrap().to_owned();
    let path = format!("/v1/libraries/{HOME}");
    assert!(told(&format!("{path}/")).contains(&format!("something at {path}, without the slash")));
    assert!(!told("/v1/nowhere/").contains("slash"));
}

#[test]
fn a_wrong_method_is_told_which_ones_there_are() {
    let bridge = on_all_targets("plain");
    for (method, path, allowed) in [
        ("DELETE", "/v1/libraries", "GET"),
        ("POST", "/healthz", "GET"),
        ("GET", &*format!("/v1/libraries/{HOME}/functions/Five"), "POST"),
        ("POST", &*format!("/v1/agents/{HOME}"), "GET, PUT"),
    ] {
        let answer = bridge.client().request(method, path).send();
        let detail = answer.refused(405, "method_not_allowed")["detail"].to_string();
        assert!(detail.contains(&format!("what is: {allowed}")), "{method} {path}: {detail}");
        let allow = answer.header("allow").unwrap_or_default();
        assert!(allowed.split(", ").all(|method| allow.contains(method)), "{method} {path}: {allow}");
    }
}

#[test]
fn only_its_own_name_is_answered() {
    let bridge = on_all_targets("plain");
    let authority = bridge.client().authority();
    let port = authority.rsplit(':').next().unwrap();
    let status = |headers: &[&str]| {
        let answer = raw::get(authority, "/v1/libraries", headers);
        answer.split(' ').nth(1).unwrap_or_else(|| panic!("{headers:?}: {answer}")).to_owned()
    };
    assert_eq!(status(&[&format!("Host: {authority}")]), "200");
    assert_eq!(status(&[&format!("Host: localhost:{port}")]), "200");
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        "127.0.0.1",
        "127.0.0.1:1",
        &format!("127.0.0.1.evil.example:{port}"),
    ] {
        assert_eq!(status(&[&format!("Host: {host}")]), "403", "{host}");
    }
    let own = format!("Host: {authority}");
    assert_ne!(status(&[&own, "Host: evil.example"]), "200");
    assert_ne!(status(&[]), "200");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(status(&[&own, &format!("Origin: {origin}")]), "403", "{origin}");
    }
    assert_eq!(status(&[&own, &format!("Origin: http://{authority}")]), "200");
    // The absolute form names a host as well.
    let answer = raw::get(authority, "http://evil.example/v1/libraries", &[&own]);
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    let text = raw::get(authority, "/v1/libraries", &["Host: evil.example"]);
    assert!(text.contains("\"code\":\"forbidden\"") && text.contains("evil.example"), "{text}");
}

#[test]
fn every_answer_forbids_what_a_browser_might_do_with_it() {
    let bridge = on_all_targets("plain");
    for path in ["/", "/healthz", "/v1/libraries", "/nothing", "/openapi.json"] {
        let answer = bridge.client().get(path);
        assert!(
            answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src")),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let document = bridge.client().get("/openapi.json").ok();
    assert_eq!(document["openapi"], "3.0.3");
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    let mut config = Config::new();
    config.library("plain", "plain.so").set("deadlin", "5s");
    let text = refused(&config);
    assert!(text.contains("deadlin") && text.contains("deadline") && text.contains("bridge32.toml"), "{text}");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut config = Config::new();
    config.set("listen", address.as_str());
    let text = refused(&config);
    assert!(text.contains(&address), "{text}");
}

#[test]
fn the_environment_overrides_the_file() {
    let bridge = Bridge::start(|config| {
        config.library("My-Lib", fixture::library("trouble", HOME)).set("deadline", "20s");
        config.env("BRIDGE32_LIBRARY__MY_LIB__DEADLINE", "300ms");
        let header = fixture::header("trouble");
        config.env("BRIDGE32_LIBRARY__MY_LIB__HEADER", header.to_str().unwrap());
        config.env("BRIDGE32_LISTN", "127.0.0.1:1");
    });
    bridge.call("My-Lib", "Nap", json!({"milliseconds": 3000})).refused(504, "deadline_exceeded");
    assert_eq!(bridge.library("My-Lib")["deadline_ms"], 300);
    assert!(bridge.log().contains("BRIDGE32_LISTN"), "a variable that means nothing is warned about");
}

#[test]
fn headers_may_be_several_and_definitions_choose_among_them() {
    let bridge = Bridge::start(|config| {
        let more = config.folder().join("more.h");
        std::fs::write(&more, "#ifdef WITH_MORE\nnumber EchoInt(number value);\n#endif\nint EchoShort(int value);\n")
            .unwrap();
        for target in TARGETS_32 {
            let file = fixture::library("scalars", target);
            let definitions = toml::Table::from_iter([("WITH_MORE".to_owned(), 1.into())]);
            let mut library = config.library(target.name(), file);
            library.declares("typedef int number;").set("definitions", definitions);
            let first = format!("{}/{target}.h", more.parent().unwrap().display());
            library.set("header", vec![first, more.display().to_string()]);
        }
    });
    for target in TARGETS_32 {
        assert_eq!(bridge.call(target.name(), "EchoInt", json!({"value": 9})).result(), 9, "{target}");
    }
}

#[test]
fn the_encoding_of_a_library_holds_where_the_header_is_silent() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            let file = fixture::library("text", target);
            config
                .library(target.name(), file)
                .declares("const char *HexOfUtf8(const char *text);")
                .set("encoding", "gbk");
        }
    });
    for target in TARGETS_32 {
        assert_eq!(bridge.call(target.name(), "HexOfUtf8", json!({"text": "你好"})).result(), "c4e3bac3", "{target}");
    }
}
