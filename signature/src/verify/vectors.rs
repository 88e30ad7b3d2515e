//! Fixed strings: the examples of RFC 9421, and vectors of our own for what a request's signature covers, whose bases were
//! written by hand and whose MACs were computed by Python's `hmac`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

/// Header lines as they came.
fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line =
        |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    let mut headers = HeaderMap::new();
    lines.iter().map(line).for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

/// The base of a message for the components and parameters of `input`, or why there is none.
fn base(message: Message<'_>, input: &str) -> Result<String, String> {
    let dictionary = format!("sig1={input}");
    let dictionary = Dictionary::read(dictionary.as_bytes()).unwrap();
    let list = dictionary.members()[0].list().unwrap();
    let mut parameters = String::new();
    list.write(&mut parameters);
    let components = Component::read_all(list.items).map_err(|error| error.to_string())?;
    base::build(message, &components, &parameters).map_err(|error| error.to_string())
}

const POST: Request<'static> =
    Request { method: "POST", scheme: "https", authority: "www.example.com", target: "/path?param=value" };

#[test]
fn the_hmac_vector_of_rfc_9421_holds() {
    // Appendix B.2.5. It covers neither the method nor the target, so only the base and the MAC can be checked.
    let secret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    let key = Key::new("test-shared-secret", &STANDARD.decode(secret).unwrap()).unwrap();
    let headers = headers(&[("date", "Tue, 20 Apr 2021 02:07:55 GMT"), ("content-type", "application/json")]);
    let request =
        Request { method: "POST", scheme: "https", authority: "example.com", target: "/foo?param=Value&Pet=dog" };
    let input = r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let base = base(Message::Request(request, &headers), input).unwrap();
    assert_eq!(
        base,
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n\
         \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
    );
    assert_eq!(key.signature(&base), ":pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");
    assert!(key.made(&base, &STANDARD.decode("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=").unwrap()));
}

#[test]
fn components_have_the_values_that_rfc_9421_shows() {
    // §2.1, §2.1.2 and §2.2, and what the sections say of headers that are empty.
    let headers = headers(&[
        ("x-ows-header", "  Leading and trailing whitespace.   "),
        ("cache-control", "max-age=60"),
        ("cache-control", "   must-revalidate"),
        ("example-dict", "  a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("x-empty-header", ""),
    ]);
    for (component, value) in [
        ("\"x-ows-header\"", "Leading and trailing whitespace."),
        ("\"cache-control\"", "max-age=60, must-revalidate"),
        ("\"example-dict\"", "a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("\"x-empty-header\"", ""),
        ("\"example-dict\";key=\"a\"", "1"),
        ("\"example-dict\";key=\"d\"", "?1"),
        ("\"example-dict\";key=\"b\"", "2;x=1;y=2"),
        ("\"example-dict\";key=\"c\"", "(a b c)"),
        ("\"@method\"", "POST"),
        ("\"@target-uri\"", "https://www.example.com/path?param=value"),
        ("\"@authority\"", "www.example.com"),
        ("\"@scheme\"", "https"),
        ("\"@request-target\"", "/path?param=value"),
        ("\"@path\"", "/path"),
        ("\"@query\"", "?param=value"),
    ] {
        let base = base(Message::Request(POST, &headers), &format!("({component})")).unwrap();
        assert_eq!(base, format!("{component}: {value}\n\"@signature-params\": ({component})"));
    }
    for (target, query) in [("/path?queryString", "?queryString"), ("/path?", "?"), ("/path", "?"), ("/?a?b", "?a?b")] {
        let request = Request { target, ..POST };
        let base = base(Message::Request(request, &headers), "(\"@query\")").unwrap();
        assert_eq!(base, format!("\"@query\": {query}\n\"@signature-params\": (\"@query\")"));
    }
}

#[test]
fn the_response_of_rfc_9421_covers_its_request() {
    // §2.4
    let request =
        Request { method: "POST", scheme: "https", authority: "example.com", target: "/foo?param=Value&Pet=dog" };
    let sent = headers(&[(
        "content-digest",
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
    )]);
    let got = headers(&[("content-type", "application/json")]);
    let message = Message::Response { status: 503, headers: &got, request: (request, &sent) };
    let input = r#"("@status" "content-type" "@authority";req "@method";req "@path";req "content-digest";req);created=1618884479"#;
    let expected = [
        r#""@status": 503"#,
        r#""content-type": application/json"#,
        r#""@authority";req: example.com"#,
        r#""@method";req: POST"#,
        r#""@path";req: /foo"#,
        r#""content-digest";req: sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"#,
        &format!(r#""@signature-params": {input}"#),
    ];
    assert_eq!(base(message, input).unwrap(), expected.join("\n"));
}

#[test]
fn what_cannot_be_covered_is_named() {
    let mut headers = headers(&[("x-name", "a, a=1, a"), ("x-list", "(1")]);
    headers.insert("x-latin", HeaderValue::from_bytes(b"\xe4").unwrap());
    for component in [
        "1",
        "\"X-Name\"",
        "\"x name\"",
        "\"\"",
        "\"@\"",
        "\"@status\"",
        "\"@query-param\";name=\"a\"",
        "\"@signature-params\"",
        "\"@method\";req",
        "\"@method\";key=\"a\"",
        "\"x-name\";sf",
        "\"x-name\";bs",
        "\"x-name\";tr",
        "\"x-name\";req=?0",
        "\"x-name\";key=\"a\"",
        "\"x-list\";key=\"a\"",
        "\"x-list\";key=a",
        "\"x-absent\"",
        "\"x-latin\"",
    ] {
        let error = base(Message::Request(POST, &headers), &format!("({component})")).unwrap_err();
        assert!(error.starts_with(component) && error.contains("cannot be covered: "), "{component}: {error}");
    }
    let twice = r#"("x-name" "@path" "x-name")"#;
    assert!(base(Message::Request(POST, &headers), twice).unwrap_err().contains("twice"));
    let twice = r#"("x-name";req;key="a" "x-name";key="a";req)"#;
    assert!(base(Message::Request(POST, &headers), twice).unwrap_err().contains("twice"));
}

/// A request, what its signer says, and what must come of it.
struct Vector {
    about: &'static str,
    request: Request<'static>,
    body: &'static str,
    digest: &'static str,
    input: &'static str,
    base: &'static str,
    mac: &'static str,
}

#[test]
fn vectors_of_our_own_hold() {
    let secret: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let key = Key::new("vector", &secret).unwrap();
    for Vector { about, request, body, digest, input, base: expected, mac } in VECTORS {
        let mut lines = vec![];
        lines.extend((!digest.is_empty()).then_some(("content-digest", *digest)));
        let unsigned = headers(&lines);
        assert_eq!(base(Message::Request(*request, &unsigned), input).as_deref(), Ok(*expected), "{about}");
        let (input, signature) = (format!("v={input}"), format!("v=:{mac}:"));
        lines.extend([("signature-input", input.as_str()), ("signature", signature.as_str())]);
        let verified =
            verify(request, &headers(&lines), body.as_bytes(), |id| (id == "vector").then_some(&key), 1_800_000_000);
        let expected = Verified { key_id: "vector".into(), nonce: "n-1".into(), created: 1_800_000_000 };
        assert_eq!(verified, Ok(expected), "{about}");
    }
}

const VECTORS: &[Vector] = &[
    Vector {
        about: "a GET without a query",
        request: Request { method: "GET", scheme: "http", authority: "127.0.0.1:8032", target: "/v1/libraries" },
        body: "",
        digest: "",
        input: r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="vector";nonce="n-1""#,
        base: concat!(
            r#""@method": GET"#,
            "\n",
            r#""@authority": 127.0.0.1:8032"#,
            "\n",
            r#""@target-uri": http://127.0.0.1:8032/v1/libraries"#,
            "\n",
            r#""@signature-params": ("@method" "@authority" "@target-uri");created=1800000000;keyid="vector";nonce="n-1""#,
        ),
        mac: "4yKFY0kwMJLYJi9iBJxDPBsNVlq5lYPQTNE4sO/5Pgw=",
    },
    Vector {
        about: "a path and no query",
        request: Request { method: "GET", scheme: "http", authority: "127.0.0.1:8032", target: "/v1/libraries" },
        body: "",
        digest: "",
        input: r#"("@method" "@authority" "@path" "@query");created=1800000000;keyid="vector";nonce="n-1""#,
        base: concat!(
            r#""@method": GET"#,
            "\n",
            r#""@authority": 127.0.0.1:8032"#,
            "\n",
            r#""@path": /v1/libraries"#,
            "\n",
            r#""@query": ?"#,
            "\n",
            r#""@signature-params": ("@method" "@authority" "@path" "@query");created=1800000000;keyid="vector";nonce="n-1""#,
        ),
        mac: "uYhBxSN0sB1/db6G6U676+6tkCtDPu5xZNzi3ntyWM4=",
    },
    Vector {
        about: "a query with percent signs, which stay",
        request: Request {
            method: "GET",
            scheme: "http",
            authority: "localhost:8032",
            target: "/v1/libraries/z%20z?name=%c3%a4&x=a+b&x=",
        },
        body: "",
        digest: "",
        input: r#"("@query" "@path" "@authority" "@method");created=1800000000;keyid="vector";nonce="n-1""#,
        base: concat!(
            r#""@query": ?name=%c3%a4&x=a+b&x="#,
            "\n",
            r#""@path": /v1/libraries/z%20z"#,
            "\n",
            r#""@authority": localhost:8032"#,
            "\n",
            r#""@method": GET"#,
            "\n",
            r#""@signature-params": ("@query" "@path" "@authority" "@method");created=1800000000;keyid="vector";nonce="n-1""#,
        ),
        mac: "5spc0m5vauaSbw67t+HZU4CAhRAocxcY7VQTR6WLsLs=",
    },
    Vector {
        about: "the port of the scheme and a name in upper case",
        request: Request {
            method: "DELETE",
            scheme: "https",
            authority: "BRIDGE.example:443",
            target: "/v1/libraries/z/interface",
        },
        body: "",
        digest: "",
        input: r#"("@method" "@authority" "@path" "@query" "@scheme");created=1800000000;keyid="vector";nonce="n-1""#,
        base: concat!(
            r#""@method": DELETE"#,
            "\n",
            r#""@authority": bridge.example"#,
            "\n",
            r#""@path": /v1/libraries/z/interface"#,
            "\n",
            r#""@query": ?"#,
            "\n",
            r#""@scheme": https"#,
            "\n",
            r#""@signature-params": ("@method" "@authority" "@path" "@query" "@scheme");created=1800000000;keyid="vector";nonce="n-1""#,
        ),
        mac: "4n+lgH653Vfgst4QidWbQ887Wnzdzb5jeDspF9SxVw0=",
    },
    Vector {
        about: "a body by its digest",
        request: Request {
            method: "POST",
            scheme: "http",
            authority: "127.0.0.1:8032",
            target: "/v1/libraries/z/functions/crc32",
        },
        body: r#"{"crc":0,"buf":"aGVsbG8="}"#,
        digest: "sha-256=:RVXOTieN65AYVkw6KV9t7r+Yxrpakd3iz2npm/xLjJY=:",
        input: r#"("@method" "@authority" "@target-uri" "content-digest");created=1800000000;keyid="vector";nonce="n-1";alg="hmac-sha256""#,
        base: concat!(
            r#""@method": POST"#,
            "\n",
            r#""@authority": 127.0.0.1:8032"#,
            "\n",
            r#""@target-uri": http://127.0.0.1:8032/v1/libraries/z/functions/crc32"#,
            "\n",
            r#""content-digest": sha-256=:RVXOTieN65AYVkw6KV9t7r+Yxrpakd3iz2npm/xLjJY=:"#,
            "\n",
            r#""@signature-params": ("@method" "@authority" "@target-uri" "content-digest");created=1800000000;keyid="vector";nonce="n-1";alg="hmac-sha256""#,
        ),
        mac: "WIKk1ItwvHpC2oeV/RKtmYqWGDg1d/p3jB/qNA0TSiQ=",
    },
    Vector {
        about: "a request target, and other parameters",
        request: Request {
            method: "PUT",
            scheme: "http",
            authority: "[::1]:8032",
            target: "/v1/libraries/z/interface?a=1",
        },
        body: "int f(int);",
        digest: "sha-256=:+5ykZ36i+OB4Hi3hL0RuXq6Lq4CG6hJwr+cPMv6tnR0=:",
        input: r#"("content-digest" "@request-target" "@target-uri" "@authority" "@method");tag="a \"tag\"";expires=1800000300;nonce="n-1";x=1.5;y;keyid="vector";created=1800000000"#,
        base: concat!(
            r#""content-digest": sha-256=:+5ykZ36i+OB4Hi3hL0RuXq6Lq4CG6hJwr+cPMv6tnR0=:"#,
            "\n",
            r#""@request-target": /v1/libraries/z/interface?a=1"#,
            "\n",
            r#""@target-uri": http://[::1]:8032/v1/libraries/z/interface?a=1"#,
            "\n",
            r#""@authority": [::1]:8032"#,
            "\n",
            r#""@method": PUT"#,
            "\n",
            r#""@signature-params": ("content-digest" "@request-target" "@target-uri" "@authority" "@method");tag="a \"tag\"";expires=1800000300;nonce="n-1";x=1.5;y;keyid="vector";created=1800000000"#,
        ),
        mac: "AbTcK08IoX/bGghGzSFvGOeGZeT60Qq1WSxNmU1aFoE=",
    },
    Vector {
        about: "the root of a proxy",
        request: Request { method: "OPTIONS", scheme: "https", authority: "bridge.example", target: "/?" },
        body: "",
        digest: "",
        input: r#"("@method" "@authority" "@path" "@query");created=1800000000;keyid="vector";nonce="n-1""#,
        base: concat!(
            r#""@method": OPTIONS"#,
            "\n",
            r#""@authority": bridge.example"#,
            "\n",
            r#""@path": /"#,
            "\n",
            r#""@query": ?"#,
            "\n",
            r#""@signature-params": ("@method" "@authority" "@path" "@query");created=1800000000;keyid="vector";nonce="n-1""#,
        ),
        mac: "OvCZBg9gF9BQ7ILlulZpVJmuRoRgVuMi37J/jfhfzVM=",
    },
];
