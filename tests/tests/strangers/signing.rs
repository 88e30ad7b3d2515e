//! The files of `examples/` that sign, each with the HTTP library that it is for: queries, bodies, none, and paths in any script.

use std::path::Path;
use std::time::Instant;

use bridge32_tests::{Bridge, Config, Value, dist, json};

use crate::tools::{checked, checkout, key_of, kit, succeed, tool};

/// Prints the status of each request, sent with requests, httpx, and httpx asynchronously.
const PYTHON: &str = r#"
import asyncio, json, sys
import httpx, requests
import httpx_auth, requests_auth

base, cases = sys.argv[1], json.loads(sys.argv[2])
whole = lambda case: (case["method"], base + case["path"], case.get("body"), {"Content-Type": case["type"]})
auth = requests_auth.BridgeAuth.from_environment()
for method, url, body, headers in map(whole, cases):
    print(requests.request(method, url, data=body, headers=headers, auth=auth).status_code)
auth = httpx_auth.BridgeAuth.from_environment()
for method, url, body, headers in map(whole, cases):
    print(httpx.request(method, url, content=body, headers=headers, auth=auth).status_code)

async def main():
    async with httpx.AsyncClient(auth=auth) as client:
        for method, url, body, headers in map(whole, cases):
            print((await client.request(method, url, content=body, headers=headers)).status_code)

asyncio.run(main())
"#;

const TYPESCRIPT: &str = r#"
import { signedFetch } from "./signed-fetch.js";

type Case = { method: string; path: string; type: string; body?: string };
const { BRIDGE32_KEY_ID: keyId = "", BRIDGE32_SECRET: secret = "" } = process.env;
const bridge = signedFetch(keyId, secret);
const send = async (request: (url: string, options: RequestInit) => Promise<Response>) => {
  for (const { method, path, type, body } of JSON.parse(process.argv[3] ?? "") as Case[]) {
    const options = { method, body, headers: { "content-type": type } };
    console.log((await request(`${process.argv[2]}${path}`, options)).status);
  }
};
await send(bridge);
// As openapi-fetch calls it.
await send((url, options) => bridge(new Request(url, options)));
"#;

const GO: &str = r#"package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	secret, _ := base64.StdEncoding.DecodeString(os.Getenv("BRIDGE32_SECRET"))
	client := http.Client{Transport: SignedTransport{KeyID: os.Getenv("BRIDGE32_KEY_ID"), Secret: secret}}
	var cases []struct {
		Method, Path, Type string
		Body               *string
	}
	if err := json.Unmarshal([]byte(os.Args[2]), &cases); err != nil {
		log.Fatal(err)
	}
	for _, wanted := range cases {
		var body io.Reader
		if wanted.Body != nil {
			body = strings.NewReader(*wanted.Body)
		}
		request, err := http.NewRequest(wanted.Method, os.Args[1]+wanted.Path, body)
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Content-Type", wanted.Type)
		answer, err := client.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}
"#;

/// Requests, and the status of their answers. What is not signed as it is sent would be a 401.
fn cases() -> Vec<(Value, u16)> {
    let case = |method: &str, path: &str| json!({"method": method, "path": path, "type": "application/json"});
    let with = |method: &str, path: &str, media_type: &str, body: &str| json!({"method": method, "path": path, "type": media_type, "body": body});
    let json = "application/json";
    let header = "/** Zählt. */\nint Count(void);\nvoid Divide(int dividend, int divisor, _Out_ int *quotient, _Out_ int *remainder);\n";
    vec![
        (case("GET", "/v1/libraries"), 200),
        (case("GET", "/v1/libraries/demo/exports?filter=di&limit=1"), 200),
        (case("GET", "/v1/libraries/demo/exports?filter=%C3%BC%20%2B%26"), 200),
        (case("GET", "/v1/libraries/demo/exports?"), 200),
        (case("GET", "/v1/libraries/bücher"), 404),
        (case("GET", "/v1/libraries/漢 字/exports?filter=x"), 404),
        (case("GET", "/v1/libraries/a%2Fb"), 404),
        (case("POST", "/v1/libraries/demo/functions/Count"), 200),
        (with("POST", "/v1/libraries/demo/functions/Count", json, ""), 200),
        (with("POST", "/v1/libraries/demo/functions/Divide", json, r#"{"dividend": 17, "divisor": 5}"#), 200),
        (with("POST", "/v1/libraries/demo/functions/öffne", json, "{\"text\": \"ü\\n漢\"}\r\n"), 404),
        (with("PUT", "/v1/libraries/demo/interface", "text/x-c", header), 200),
    ]
}

fn demo() -> Bridge {
    let mut config = Config::new();
    config.key("helpers", &["call:*", "read", "manage"]);
    let demo = dist::folder().join("demo");
    config.library("demo", demo.join("libdemo.so")).header(demo.join("demo.h"));
    Bridge::with(config)
}

/// Runs a program in a folder with these files of `examples/` and this one, and compares the statuses that it prints: those of
/// all requests, `rounds` times.
fn every_request_is_answered(helpers: &[&str], program: (&str, &str), rounds: usize, command: &[&str]) {
    let (bridge, start) = (demo(), Instant::now());
    let folder = tempfile::tempdir().unwrap();
    for helper in helpers {
        let file = checkout("examples").join(helper);
        std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.path().join(program.0), program.1).unwrap();
    prepare(folder.path());
    let (cases, statuses): (Vec<Value>, Vec<u16>) = cases().into_iter().unzip();
    let url = format!("http://{}", bridge.client().authority());
    let mut run = tool("sh");
    run.args(["-c", &format!("{} \"$@\"", command.join(" ")), "sh", &url, &Value::from(cases).to_string()]);
    let output = succeed(run.current_dir(folder.path()).envs(key_of(bridge.config())));
    let seen: Vec<u16> = output.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(seen, statuses.repeat(rounds), "{helpers:?}");
    checked(&format!("{helpers:?}: {} requests", seen.len()), start);
}

/// What tsc needs beside the sources.
pub(crate) fn prepare(folder: &Path) {
    std::os::unix::fs::symlink(kit("node").join("node_modules"), folder.join("node_modules")).unwrap();
    for file in ["package.json", "tsconfig.json"] {
        std::fs::copy(checkout("examples/typescript").join(file), folder.join(file)).unwrap();
    }
}

#[test]
fn the_python_files_sign_what_their_libraries_send() {
    let helpers = ["python/requests_auth.py", "python/httpx_auth.py"];
    every_request_is_answered(&helpers, ("main.py", PYTHON), 3, &["python main.py"]);
}

#[test]
fn the_typescript_file_signs_what_fetch_sends() {
    let command = ["tsc >&2 &&", "node generated/main.js"];
    every_request_is_answered(&["typescript/signed-fetch.ts"], ("main.ts", TYPESCRIPT), 2, &command);
}

#[test]
fn the_go_file_signs_what_net_http_sends() {
    let helpers = ["go/signing.go", "go/go.mod"];
    every_request_is_answered(&helpers, ("main.go", GO), 1, &["go run ."]);
}

#[test]
fn the_program_of_the_document_is_signed_by_a_library_that_knows_nothing_of_bridge32() {
    let bridge = demo();
    let text = std::fs::read_to_string(checkout("docs/signing.md")).unwrap();
    let begin = text.find("    import base64, hashlib").unwrap();
    let lines = text[begin..].lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let program: String = lines.map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n").collect();
    let [(_, id), (_, secret)] = key_of(bridge.config());
    let authority = bridge.client().authority();
    let own =
        [("…the secret…", &*secret), ("key_id=\"demo\"", &format!("key_id=\"{id}\"")), ("127.0.0.1:8032", authority)];
    let program = own.iter().fold(program, |program, (shown, meant)| {
        assert!(program.contains(shown), "no {shown} in {program}");
        program.replace(shown, meant)
    });
    let output = succeed(tool("python").arg("-c").arg(&program));
    assert!(output.contains("'result': 5"), "{output}");
}
