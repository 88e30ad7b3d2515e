//! Libraries that nobody here wrote: zlib and the C library's mathematics, as ELF and as PE, 32 and 64 bits wide.

use std::path::{Path, PathBuf};

use bridge32_tests::{Bridge, TARGETS, Target, Value, base64, bytes, json};

/// The headers of the demo, which `cargo xtask build` ships.
fn demo_header(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo").join(name)
}

fn zlib_file(target: Target) -> &'static str {
    match target {
        Target::Linux32 => "/usr/lib32/libz.so.1",
        Target::Linux64 => "/lib/x86_64-linux-gnu/libz.so.1",
        Target::Win32 => "/usr/i686-w64-mingw32/lib/zlib1.dll",
        Target::Win64 => "/usr/x86_64-w64-mingw32/lib/zlib1.dll",
    }
}

fn zlib() -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS {
            config.library(target.name(), zlib_file(target)).header(demo_header("zlib.h"));
        }
    })
}

/// A megabyte that compresses somewhat: words from a small generator of numbers (a linear congruential one).
fn megabyte() -> Vec<u8> {
    let mut state = 32_u32;
    let mut data = Vec::with_capacity(1 << 20);
    while data.len() < 1 << 20 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match state >> 30 {
            0 => data.extend_from_slice(&state.to_le_bytes()),
            1 => data.extend_from_slice(b"bridge "),
            2 => data.extend_from_slice(&[state.to_le_bytes()[1]; 16]),
            _ => data.extend_from_slice(b"thirty-two bits"),
        }
    }
    data.truncate(1 << 20);
    data
}

#[test]
fn crc32_is_that_of_another_implementation() {
    let bridge = zlib();
    let data = megabyte();
    for target in TARGETS {
        let crc32 = |start: u32, data: &[u8]| {
            let arguments = json!({"crc": start, "buf": base64(data), "len": data.len()});
            bridge.call(target.name(), "crc32", arguments).result()
        };
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926_u32, "{target}");
        assert_eq!(crc32(0, &data), crc32fast::hash(&data), "{target}");
        let half = crc32(0, &data[..500_000]).as_u64().unwrap().try_into().unwrap();
        assert_eq!(crc32(half, &data[500_000..]), crc32fast::hash(&data), "in two parts on {target}");
        let inferred = bridge.call(target.name(), "crc32", json!({"crc": 0, "buf": base64(b"123456789")}));
        assert_eq!(inferred.result(), 0xcbf4_3926_u32, "{target}");
    }
}

#[test]
fn a_megabyte_survives_compress2_and_uncompress_and_is_the_same_everywhere() {
    let bridge = zlib();
    let data = megabyte();
    let mut packed = Vec::new();
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments).ok();
        let bound = call("compressBound", json!({"sourceLen": data.len()}))["result"].as_u64().unwrap();
        let level = "Z_BEST_COMPRESSION";
        let arguments = json!({"destLen": bound, "source": base64(&data), "sourceLen": data.len(), "level": level});
        let body = call("compress2", arguments);
        assert_eq!(body["result"], 0, "{target}");
        let compressed = bytes(&body["outputs"]["dest"]);
        assert_eq!(body["outputs"]["destLen"], compressed.len(), "{target}");
        assert!(compressed.len() < data.len() / 2, "{target}: {}", compressed.len());
        let arguments = json!({"destLen": data.len(), "source": base64(&compressed), "sourceLen": compressed.len()});
        let body = call("uncompress", arguments);
        assert_eq!(body["result"], 0, "{target}");
        assert!(bytes(&body["outputs"]["dest"]) == data, "{target}");
        packed.push(compressed);
    }
    assert!(packed.windows(2).all(|pair| pair[0] == pair[1]), "the three give the same bytes");
}

#[test]
fn errors_of_the_library_are_its_results() {
    let bridge = zlib();
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments).result();
        let source = base64(megabyte());
        assert_eq!(
            call("compress2", json!({"destLen": 10, "source": source, "level": 6})),
            -5,
            "Z_BUF_ERROR on {target}"
        );
        assert_eq!(
            call("uncompress", json!({"destLen": 10, "source": base64(b"nonsense")})),
            -3,
            "Z_DATA_ERROR on {target}"
        );
        let version = call("zlibVersion", json!({}));
        assert!(version.as_str().unwrap().starts_with("1."), "{target}: {version}");
    }
}

fn mathematics() -> Bridge {
    Bridge::start(|config| {
        config.library("linux32", "/lib32/libm.so.6").header(demo_header("math.h"));
        config.library("linux64", "/lib/x86_64-linux-gnu/libm.so.6").header(demo_header("math.h"));
    })
}

#[test]
fn the_mathematics_of_the_system_are_exact() {
    let bridge = mathematics();
    for library in ["linux32", "linux64"] {
        let call = |function, arguments: Value| bridge.call(library, function, arguments).result().as_f64().unwrap();
        for x in [0.0, 0.5, 1.0, -2.0, 3.25, 1e-10, 100.0, 1e5, 12345.678] {
            for (function, expected) in [("cos", f64::cos(x)), ("sin", f64::sin(x)), ("floor", f64::floor(x))] {
                let result = call(function, json!({"x": x}));
                assert_eq!(result.to_bits(), expected.to_bits(), "{function}({x}) on {library}: {result} {expected}");
            }
            if x >= 0.0 {
                assert_eq!(call("sqrt", json!({"x": x})).to_bits(), x.sqrt().to_bits(), "sqrt({x}) on {library}");
            }
        }
        assert_eq!(bridge.call(library, "ldexp", json!({"x": 0.75, "exp": 4})).result(), 12.0, "{library}");
        assert_eq!(call("atan2", json!({"y": 1, "x": -1})).to_bits(), f64::atan2(1.0, -1.0).to_bits(), "{library}");
        assert_eq!(bridge.call(library, "sqrtf", json!({"x": 2.25})).result(), 1.5, "{library}");
        assert_eq!(
            bridge.call(library, "llround", json!({"x": -1e15})).result(),
            -1_000_000_000_000_000_i64,
            "{library}"
        );
        let body = bridge.call(library, "frexp", json!({"x": 12.0})).ok();
        assert_eq!((&body["result"], &body["outputs"]["exp"]), (&json!(0.75), &json!(4)), "{library}");
        assert_eq!(bridge.call(library, "sqrt", json!({"x": -1})).result(), "NaN", "{library}");
        assert_eq!(bridge.call(library, "log", json!({"x": 0})).result(), "-Infinity", "{library}");
    }
}
