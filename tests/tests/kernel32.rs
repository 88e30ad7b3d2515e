//! A library of Windows itself: kernel32, called as stdcall, under the path by which the runtime knows it.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bridge32_tests::{Bridge, json};

fn kernel32() -> Bridge {
    Bridge::start(|config| {
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/kernel32.h");
        config.library("kernel32", r"C:\windows\system32\kernel32.dll").header(header).set("runtime", "win32");
    })
}

#[test]
fn functions_of_windows_work() {
    let bridge = kernel32();
    let call = |function, arguments| bridge.call("kernel32", function, arguments).result();
    assert_eq!(call("MulDiv", json!({"nNumber": 7, "nNumerator": 6, "nDenominator": 2})), 21);
    assert_eq!(call("MulDiv", json!({"nNumber": 2_000_000_000, "nNumerator": 3, "nDenominator": -3})), -2_000_000_000);
    assert_eq!(call("MulDiv", json!({"nNumber": 1, "nNumerator": 1, "nDenominator": 0})), -1);
    assert_eq!(call("lstrlenW", json!({"lpString": "桥 32"})), 4);
    assert_eq!(call("lstrlenW", json!({"lpString": "😀"})), 2);
    assert_eq!(call("lstrlenA", json!({"lpString": "bridge"})), 6);
    assert_eq!(bridge.agent("kernel32")["pointer_bits"], 32);
}

#[test]
fn the_tick_count_advances() {
    let bridge = kernel32();
    let ticks = |function| bridge.call("kernel32", function, json!({})).result().as_u64().unwrap();
    let (short, long) = (ticks("GetTickCount"), ticks("GetTickCount64"));
    assert!(u32::try_from(short).is_ok(), "{short}");
    assert!(long.wrapping_sub(short) % (1 << 32) < 60_000, "both count the same: {short} {long}");
    std::thread::sleep(Duration::from_millis(60));
    let later = ticks("GetTickCount").wrapping_sub(short) % (1 << 32);
    assert!((40..60_000).contains(&later), "{later} ms");
}

#[test]
fn the_local_time_comes_back_as_a_structure() {
    let bridge = kernel32();
    let time = bridge.call("kernel32", "GetLocalTime", json!({})).output("lpSystemTime");
    let words = ["wYear", "wMonth", "wDayOfWeek", "wDay", "wHour", "wMinute", "wSecond", "wMilliseconds"]
        .map(|name| time[name].as_i64().unwrap_or_else(|| panic!("{name} of {time}")));
    let [year, month, weekday, day, hour, minute, second, millisecond] = words;
    assert!((1..=12).contains(&month) && (0..7).contains(&weekday) && (1..=31).contains(&day), "{words:?}");
    assert!(hour < 24 && minute < 60 && second < 60 && millisecond < 1000, "{words:?}");
    // Days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let local = days * 86400 + hour * 3600 + minute * 60 + second;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    assert!((local - now).abs() < 15 * 3600, "no time zone is farther away than 14 hours: {words:?}");
    assert_eq!(weekday, (days + 4).rem_euclid(7), "{words:?}");
}

#[test]
fn an_export_can_be_called_with_a_prototype() {
    let bridge = kernel32();
    let call = |prototype, arguments| bridge.call_ad_hoc("kernel32", prototype, &arguments);
    let answer = call("int WINAPI MulDiv(int a, int b, int c);", json!({"a": 10, "b": 10, "c": 4}));
    assert_eq!(answer.result(), 25);
    assert_eq!(answer.ok()["outputs"], json!({}));
    assert_eq!(call("int __stdcall lstrlenW(const wchar_t *text)", json!({"text": "abc"})).result(), 3);
    let wrong = call("int WINAPI MulDiv(int a, int b, int c)", json!({"a": "x", "b": 1, "c": 1}));
    assert_eq!(wrong.refused(422, "argument_mismatch")["pointer"], "/args/a");
    let answer =
        call("UINT WINAPI GetSystemDirectoryW(_Out_writes_(size) LPWSTR buffer, UINT size)", json!({"size": 260}));
    assert_eq!(answer.output("buffer").as_str().unwrap().to_lowercase(), r"c:\windows\system32");
    let answer = call("BOOL WINAPI QueryPerformanceFrequency(_Out_ long long *frequency)", json!({}));
    assert_eq!(answer.result(), true);
    assert!(answer.output("frequency").as_u64().unwrap() > 0);
}

#[test]
fn a_prototype_that_cannot_be_used_is_refused() {
    let bridge = kernel32();
    let call = |prototype| bridge.call_ad_hoc("kernel32", prototype, &json!({}));
    for prototype in ["", "int", "int x;", "int f(", "int f(void); int g(void);", "struct s { int a; };"] {
        call(prototype).refused(422, "invalid_prototype");
    }
    call("int NoSuchExport(void)").refused(404, "unknown_function");
    let problem = call("int __stdcall muldiv(int a, int b, int c)").refused(404, "unknown_function");
    assert!(problem["detail"].as_str().unwrap().contains("MulDiv"), "{problem}");
    call("int __stdcall MulDiv(int a, int b, int c)").mismatch("/args/a");
    let post = |body| bridge.client().post("/v1/libraries/kernel32/calls", &body);
    post(json!({"args": {}})).refused(400, "malformed_request");
    post(json!({"prototype": "int f(void)", "args": []})).refused(400, "malformed_request");
    post(json!({"prototype": "int f(void)", "arguments": {}})).refused(400, "malformed_request");
}

#[test]
fn a_wrong_convention_of_a_prototype_is_noticed_and_the_agent_lives_on() {
    let bridge = kernel32();
    let arguments = json!({"a": 1, "b": 2, "c": 3});
    let problem = bridge
        .call_ad_hoc("kernel32", "int __cdecl MulDiv(int a, int b, int c)", &arguments)
        .refused(422, "convention_mismatch");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("MulDiv") && detail.contains("__stdcall"), "{detail}");
    let arguments = json!({"nNumber": 7, "nNumerator": 6, "nDenominator": 2});
    assert_eq!(bridge.call("kernel32", "MulDiv", arguments).result(), 21);
    assert_eq!(bridge.generation("kernel32"), 1);
}
