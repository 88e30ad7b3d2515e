//! What it costs to pass large buffers as they are, and what the gateway keeps of them in memory; against plain axum, which takes
//! the same body piece by piece, hashes it and answers it.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bridge32_signature::{Key, Request, sign};
use bridge32_tests::{Bridge, Target, fixture};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::baseline::{BULK, Baseline};
use crate::{Found, usage};

/// Bytes of the buffer.
const BYTES: usize = 64 << 20;
/// Of so many requests the fastest counts, and the middle one is told.
const TIMES: usize = 9;
/// So many bytes are read at a time.
const PIECE: usize = 1 << 20;
const BINARY: &str = "application/octet-stream";

/// What is asked, and of whom.
struct Work<'a> {
    name: &'static str,
    authority: &'a str,
    key: Option<&'a Key>,
    target: String,
    /// Whether the buffer comes back.
    returns: bool,
}

/// What was found of one of them.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    megabytes: f64,
    fastest_ms: f64,
    median_ms: f64,
    mb_s: f64,
    ratio: f64,
}

pub(crate) fn measure() -> Result<Found, Box<dyn Error>> {
    let mut key = None;
    let bridge = Bridge::start(|config| {
        for (name, target, zlib) in [
            ("linux32", Target::Linux32, "/usr/lib32/libz.so.1"),
            ("win32", Target::Win32, "/usr/i686-w64-mingw32/lib/zlib1.dll"),
        ] {
            config.library(name, fixture::library("bulk", target)).header(fixture::header("bulk"));
            let header = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/zlib.h");
            config.library(&format!("{name}-zlib"), zlib).header(header);
        }
        key = Some(config.key("bench", &["call:*", "read"]));
    });
    let baseline = Baseline::start()?;
    let plain = baseline.address.to_string();
    let function = |library: &str, function: &str| format!("/v1/libraries/{library}/functions/{function}");
    let crc32 = |library: &str| format!("{}?args=%7B%22crc%22:0%7D", function(library, "crc32"));
    let (authority, key) = (bridge.client().authority(), key.as_ref());
    let of_baseline = |name, returns| Work { name, authority: &plain, key: None, target: BULK.to_owned(), returns };
    let of_bridge = |name, target, returns| Work { name, authority, key, target, returns };
    let works = [
        of_baseline("in: plain axum", false),
        of_bridge("in: crc32, linux32", crc32("linux32-zlib"), false),
        of_bridge("in: crc32, win32", crc32("win32-zlib"), false),
        of_baseline("in, out: plain axum", true),
        of_bridge("in, out: memcpy, linux32", function("linux32", "Copy"), true),
        of_bridge("in, out: memcpy, win32", function("win32", "Copy"), true),
    ];
    let body = noise();
    // What every process has once it has done it.
    for work in &works {
        work.once(&body[..4 << 20])?;
    }
    let before = usage::peak_kib(bridge.pid());
    let mut times = vec![Vec::new(); works.len()];
    for _ in 0..TIMES {
        // They take turns, so that a machine which gets slower does so for all.
        for (work, times) in works.iter().zip(&mut times) {
            times.push(work.once(&body)?);
        }
    }
    let extra = usage::peak_kib(bridge.pid()).saturating_sub(before);
    let mut lines: Vec<Line> = Vec::new();
    for (work, mut times) in works.iter().zip(times) {
        times.sort_unstable();
        let (fastest, median) = (times[0].as_secs_f64(), times[TIMES / 2].as_secs_f64());
        let megabytes = BYTES as f64 / 1e6 * if work.returns { 2.0 } else { 1.0 };
        let base = lines
            .iter()
            .rev()
            .find(|line| line.name.ends_with("plain axum") && line.megabytes.total_cmp(&megabytes).is_eq());
        let ratio = base.map_or(1.0, |base| median * 1e3 / base.median_ms);
        let (fastest_ms, median_ms) = (fastest * 1e3, median * 1e3);
        lines.push(Line { name: work.name, megabytes, fastest_ms, median_ms, mb_s: megabytes / median, ratio });
    }
    Ok(Found {
        text: table(&lines, extra),
        json: json!({"rows": lines, "gateway_extra_kib": extra}),
        regressions: Vec::new(),
    })
}

impl Work<'_> {
    /// From the connection to the last byte of the answer. What signs it was made before: that is the client's own.
    fn once(&self, body: &[u8]) -> Result<Duration, Box<dyn Error>> {
        let Self { authority, target, .. } = self;
        let accept = if self.returns { BINARY } else { "application/json" };
        let mut head = format!(
            "POST {target} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: {BINARY}\r\nContent-Length: {}\r\nAccept: {accept}\r\n\
             Connection: close\r\n",
            body.len()
        );
        if let Some(key) = self.key {
            let request = Request { method: "POST", scheme: "http", authority, target };
            for (name, value) in sign(key, &request, body, Timestamp::now().as_second())?.pairs() {
                write!(head, "{name}: {value}\r\n")?;
            }
        }
        head.push_str("\r\n");
        let began = Instant::now();
        let mut stream = TcpStream::connect(authority)?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let (mut piece, mut beginning, mut received) = (vec![0; PIECE], Vec::new(), 0);
        loop {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                break;
            }
            if beginning.len() < 4096 {
                beginning.extend_from_slice(&piece[..read.min(4096)]);
            }
            received += read;
        }
        let took = began.elapsed();
        let is_whole = beginning.starts_with(b"HTTP/1.1 200") && (!self.returns || received > body.len());
        if is_whole {
            return Ok(took);
        }
        Err(format!("{}: {received} bytes of {}", self.name, String::from_utf8_lossy(&beginning)).into())
    }
}

/// Bytes that repeat nowhere.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).take(BYTES / 8).flatten().collect()
}

fn table(lines: &[Line], extra: u64) -> String {
    let mut text = format!("  {:<28}{:>8}{:>10}{:>10}{:>8}{:>8}\n", "", "MB", "best ms", "median ms", "MB/s", "ratio");
    for Line { name, megabytes, fastest_ms, median_ms, mb_s, ratio } in lines {
        let _ =
            writeln!(text, "  {name:<28}{megabytes:>8.0}{fastest_ms:>10.1}{median_ms:>10.1}{mb_s:>8.0}{ratio:>8.2}");
    }
    let _ = writeln!(text, "  the gateway's memory: {extra} KiB more at its peak than before");
    text
}
