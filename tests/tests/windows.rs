//! Windows itself, as Wine has it: structures, callbacks, handles and errors of kernel32, user32 and oleaut32.

use std::path::Path;

use bridge32_tests::{Bridge, Target, Value, base64, bytes, fixture, json, windows_path};

const KERNEL32: &str = "
    typedef BOOL (CALLBACK *LOCALE_ENUMPROCW)(_In_z_ LPWSTR locale);
    BOOL WINAPI EnumSystemLocalesW(_In_ LOCALE_ENUMPROCW lpLocaleEnumProc, DWORD dwFlags);

    typedef struct _SYSTEMTIME {
        WORD wYear, wMonth, wDayOfWeek, wDay, wHour, wMinute, wSecond, wMilliseconds;
    } SYSTEMTIME, *LPSYSTEMTIME;
    void WINAPI GetLocalTime(_Out_ LPSYSTEMTIME lpSystemTime);
    typedef struct _FILETIME { DWORD dwLowDateTime; DWORD dwHighDateTime; } FILETIME, *LPFILETIME;
    BOOL WINAPI SystemTimeToFileTime(_In_ const SYSTEMTIME *lpSystemTime, _Out_ LPFILETIME lpFileTime);

    typedef struct _OSVERSIONINFOW {
        DWORD dwOSVersionInfoSize, dwMajorVersion, dwMinorVersion, dwBuildNumber, dwPlatformId;
        WCHAR szCSDVersion[128];
    } OSVERSIONINFOW, *LPOSVERSIONINFOW;
    BOOL WINAPI GetVersionExW(_Inout_ LPOSVERSIONINFOW lpVersionInformation);

    typedef struct _SYSTEM_INFO {
        union {
            DWORD dwOemId;
            struct { WORD wProcessorArchitecture; WORD wReserved; };
        };
        DWORD dwPageSize;
        LPVOID lpMinimumApplicationAddress;
        LPVOID lpMaximumApplicationAddress;
        DWORD_PTR dwActiveProcessorMask;
        DWORD dwNumberOfProcessors, dwProcessorType, dwAllocationGranularity;
        WORD wProcessorLevel, wProcessorRevision;
    } SYSTEM_INFO, *LPSYSTEM_INFO;
    void WINAPI GetSystemInfo(_Out_ LPSYSTEM_INFO lpSystemInfo);

    /** @param[out] narrow @encoding utf-8 */
    int WINAPI WideCharToMultiByte(UINT page, DWORD flags, _In_z_ LPCWSTR wide, int wideLength,
                                   _Out_writes_z_(room) LPSTR narrow, int room, _In_opt_z_ LPCSTR replacement,
                                   _Out_opt_ LPBOOL replaced);
    LPSTR WINAPI lstrcpynA(_Out_writes_z_(iMaxLength) LPSTR lpString1, _In_z_ LPCSTR lpString2, int iMaxLength);

    #define GENERIC_READ 0x80000000
    #define GENERIC_WRITE 0x40000000
    #define CREATE_ALWAYS 2
    #define OPEN_EXISTING 3
    #define FILE_ATTRIBUTE_NORMAL 0x80
    HANDLE WINAPI CreateFileW(_In_z_ LPCWSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode,
                              _In_opt_ void *lpSecurityAttributes, DWORD dwCreationDisposition,
                              DWORD dwFlagsAndAttributes, _In_opt_ HANDLE hTemplateFile);
    BOOL WINAPI WriteFile(HANDLE hFile, _In_reads_bytes_(size) LPCVOID buffer, DWORD size, _Out_ LPDWORD written,
                          _In_opt_ void *lpOverlapped);
    BOOL WINAPI ReadFile(HANDLE hFile, _Out_writes_bytes_to_(size, *read) LPVOID buffer, DWORD size, _Out_ LPDWORD read,
                         _In_opt_ void *lpOverlapped);
    /** @releases hObject if return != 0 */
    BOOL WINAPI CloseHandle(HANDLE hObject);
    BOOL WINAPI DeleteFileW(_In_z_ LPCWSTR lpFileName);
";

const USER32: &str = "
    BOOL WINAPI MessageBeep(UINT uType);
    int WINAPIV wsprintfW(_Out_writes_z_(1024) LPWSTR buffer, _In_z_ LPCWSTR format, ...);
    typedef struct tagRECT { LONG left; LONG top; LONG right; LONG bottom; } RECT, *LPRECT;
    typedef struct tagPOINT { LONG x; LONG y; } POINT;
    BOOL WINAPI SetRect(_Out_ LPRECT rect, int left, int top, int right, int bottom);
    BOOL WINAPI IntersectRect(_Out_ LPRECT result, _In_ const RECT *a, _In_ const RECT *b);
    BOOL WINAPI PtInRect(_In_ const RECT *rect, POINT point);
";

const OLEAUT32: &str = "
    /** @return the copy @frees SysFreeString */
    BSTR WINAPI SysAllocString(_In_z_ const OLECHAR *text);
    UINT WINAPI SysStringLen(_In_opt_ BSTR text);
    UINT WINAPI SysStringByteLen(_In_opt_ BSTR text);
    void WINAPI SysFreeString(_In_opt_ BSTR text);
    /** @param[out] result the two in one @frees SysFreeString */
    HRESULT WINAPI VarBstrCat(_In_opt_ BSTR left, _In_opt_ BSTR right, _Out_ BSTR *result);
    /** @param[out] result the number in digits @frees SysFreeString */
    HRESULT WINAPI VarBstrFromI4(LONG value, DWORD locale, ULONG flags, _Out_ BSTR *result);
    HRESULT WINAPI VarI4FromStr(_In_z_ const OLECHAR *text, DWORD locale, ULONG flags, _Out_ LONG *result);
";

fn windows() -> Bridge {
    Bridge::start(|config| {
        for (name, header) in [("kernel32", KERNEL32), ("user32", USER32), ("oleaut32", OLEAUT32)] {
            let file = format!(r"C:\windows\system32\{name}.dll");
            config.library(name, file).declares(header).set("runtime", "win32");
        }
    })
}

#[test]
fn callbacks_are_called_as_stdcall() {
    let bridge = windows();
    let enumerate = |callback: Value| {
        let arguments = json!({"lpLocaleEnumProc": callback, "dwFlags": 2});
        bridge.call("kernel32", "EnumSystemLocalesW", arguments).ok()
    };
    let body = enumerate(json!({"returns": true, "record": true}));
    assert_eq!(body["result"], true, "{body}");
    let told = &body["outputs"]["lpLocaleEnumProc"];
    let invocations = told["invocations"].as_array().unwrap();
    assert!(invocations.len() > 50 && told["count"] == invocations.len(), "{told}");
    assert!(invocations.iter().any(|one| one["args"]["locale"] == "00000409"), "American English: {told}");
    assert!(invocations.iter().all(|one| one["args"]["locale"].as_str().unwrap().len() == 8), "{told}");
    let body = enumerate(json!({"returns": true, "stop_after": 3, "stop_returns": false}));
    assert_eq!(body["outputs"]["lpLocaleEnumProc"]["count"], 3, "{body}");
}

#[test]
fn structures_come_out_as_objects() {
    let bridge = windows();
    let time = bridge.call("kernel32", "GetLocalTime", json!({})).output("lpSystemTime");
    let part = |name: &str| time[name].as_u64().unwrap_or_else(|| panic!("{name} of {time}"));
    assert!(part("wYear") >= 2024 && (1..=12).contains(&part("wMonth")) && part("wMilliseconds") < 1000, "{time}");
    let size = json!({"dwOSVersionInfoSize": 276, "dwMajorVersion": 0, "dwMinorVersion": 0, "dwBuildNumber": 0,
        "dwPlatformId": 0, "szCSDVersion": ""});
    let body = bridge.call("kernel32", "GetVersionExW", json!({"lpVersionInformation": size})).ok();
    let version = &body["outputs"]["lpVersionInformation"];
    assert_eq!((&body["result"], &version["dwPlatformId"]), (&json!(true), &json!(2)), "Windows NT: {body}");
    assert!(version["dwMajorVersion"].as_u64() >= Some(6) && version["szCSDVersion"].is_string(), "{body}");
    let info = bridge.call("kernel32", "GetSystemInfo", json!({})).output("lpSystemInfo");
    assert_eq!((&info["dwPageSize"], &info["dwAllocationGranularity"]), (&json!(4096), &json!(65536)), "{info}");
    assert!(info["dwNumberOfProcessors"].as_u64() >= Some(1), "{info}");
}

#[test]
fn structures_go_in_as_objects() {
    let bridge = windows();
    let time = json!({"wYear": 1970, "wMonth": 1, "wDayOfWeek": 4, "wDay": 1, "wHour": 0, "wMinute": 0, "wSecond": 0,
        "wMilliseconds": 0});
    let file_time = bridge.call("kernel32", "SystemTimeToFileTime", json!({"lpSystemTime": time})).output("lpFileTime");
    let part = |name: &str| file_time[name].as_u64().unwrap();
    // 1970 in steps of 100 ns since 1601, as every conversion between the two systems has it.
    assert_eq!(part("dwHighDateTime") << 32 | part("dwLowDateTime"), 116_444_736_000_000_000);
    let (a, b) = (
        json!({"left": 0, "top": 0, "right": 10, "bottom": 10}),
        json!({"left": 5, "top": -5, "right": 20, "bottom": 5}),
    );
    let body = bridge.call("user32", "IntersectRect", json!({"a": a, "b": b})).ok();
    let expected = json!({"left": 5, "top": 0, "right": 10, "bottom": 5});
    assert_eq!((&body["result"], &body["outputs"]["result"]), (&json!(true), &expected), "{body}");
    let inside = |x, y| bridge.call("user32", "PtInRect", json!({"rect": a, "point": {"x": x, "y": y}})).result();
    assert_eq!((inside(9, 0), inside(10, 0), inside(0, -1)), (json!(true), json!(false), json!(false)));
    bridge.call("user32", "PtInRect", json!({"rect": a, "point": {"x": 1, "y": 2, "z": 3}})).mismatch("/point/z");
}

#[test]
fn text_is_converted_as_windows_does() {
    let bridge = windows();
    let arguments = json!({"page": 65001, "flags": 0, "wide": "桥 32", "wideLength": -1, "room": 20, "replaced": null});
    let body = bridge.call("kernel32", "WideCharToMultiByte", arguments).ok();
    assert_eq!((&body["result"], &body["outputs"]["narrow"]), (&json!(7), &json!("桥 32")), "{body}");
    let copy =
        |room: i32| bridge.call("kernel32", "lstrcpynA", json!({"lpString2": "bridge", "iMaxLength": room})).ok();
    let body = copy(20);
    assert_eq!((&body["result"], &body["outputs"]["lpString1"]), (&json!("bridge"), &json!("bridge")), "{body}");
    assert_eq!(copy(4)["outputs"]["lpString1"], "bri");
    let more = json!([{"type": "const wchar_t *", "value": "桥"}, {"type": "int", "value": 32}]);
    let body = bridge.call("user32", "wsprintfW", json!({"format": "%s=%d", "...": more})).ok();
    assert_eq!((&body["result"], &body["outputs"]["buffer"]), (&json!(4), &json!("桥=32")), "{body}");
    assert_eq!(bridge.call("user32", "MessageBeep", json!({"uType": 0xffff_ffff_u32})).result(), true);
}

#[test]
fn files_are_handles() {
    let bridge = windows();
    let file = bridge.config().folder().join("brücke.bin");
    let open = |access: &str, disposition: &str| {
        let arguments = json!({"lpFileName": windows_path(&file), "dwDesiredAccess": access, "dwShareMode": 0,
            "dwCreationDisposition": disposition, "dwFlagsAndAttributes": "FILE_ATTRIBUTE_NORMAL"});
        let handle = bridge.call("kernel32", "CreateFileW", arguments).result();
        assert!(handle.is_string(), "{handle}");
        handle
    };
    let close = |handle: &Value| bridge.call("kernel32", "CloseHandle", json!({"hObject": handle}));
    let data: Vec<u8> = (0..=255).collect();
    let handle = open("GENERIC_WRITE", "CREATE_ALWAYS");
    let body = bridge.call("kernel32", "WriteFile", json!({"hFile": handle, "buffer": base64(&data)})).ok();
    assert_eq!((&body["result"], &body["outputs"]["written"]), (&json!(true), &json!(256)), "{body}");
    assert_eq!(close(&handle).result(), true);
    assert_eq!(std::fs::read(&file).unwrap(), data);
    let handle = open("GENERIC_READ", "OPEN_EXISTING");
    let body = bridge.call("kernel32", "ReadFile", json!({"hFile": handle, "size": 1000})).ok();
    assert_eq!(body["outputs"]["read"], 256, "{body}");
    assert_eq!(bytes(&body["outputs"]["buffer"]), data);
    assert_eq!(close(&handle).result(), true);
    close(&handle).refused(410, "stale_handle");
    bridge.call("kernel32", "ReadFile", json!({"hFile": handle, "size": 1})).refused(410, "stale_handle");
}

#[test]
fn the_last_error_is_told_in_words() {
    let bridge = windows();
    let missing = windows_path(Path::new("/no/such/file"));
    let arguments = json!({"lpFileName": missing, "dwDesiredAccess": "GENERIC_READ", "dwShareMode": 0,
        "dwCreationDisposition": "OPEN_EXISTING", "dwFlagsAndAttributes": 0});
    let body = bridge.call("kernel32", "CreateFileW", arguments).ok();
    let code = body["last_error"]["code"].as_i64().unwrap_or_else(|| panic!("no last error: {body}"));
    assert!([2, 3].contains(&code), "ERROR_FILE_NOT_FOUND or ERROR_PATH_NOT_FOUND: {body}");
    assert!(body["last_error"]["message"].as_str().is_some_and(|words| words.len() > 5), "{body}");
    let body = bridge.call("kernel32", "DeleteFileW", json!({"lpFileName": missing})).ok();
    assert_eq!(body["result"], false, "{body}");
    assert!(body["last_error"].is_object(), "{body}");
    let body = bridge.call("kernel32", "GetLocalTime", json!({})).ok();
    assert_eq!(body.get("last_error"), None, "{body}");
}

#[test]
fn a_bstr_has_its_length_with_it() {
    let bridge = windows();
    let call = |function, arguments| bridge.call("oleaut32", function, arguments).ok();
    for (text, units) in [("", 0), ("桥 32", 4), ("a\0b", 3), ("😀", 2)] {
        assert_eq!(call("SysStringLen", json!({"text": text}))["result"], units, "{text:?}");
        assert_eq!(call("SysStringByteLen", json!({"text": text}))["result"], 2 * units, "{text:?}");
    }
    assert_eq!(call("SysStringLen", json!({"text": null}))["result"], 0);
    assert_eq!(call("SysAllocString", json!({"text": "Brücke"}))["result"], "Brücke");
    for _ in 0..100 {
        let body = call("VarBstrCat", json!({"left": "桥\0", "right": "32"}));
        assert_eq!((&body["result"], &body["outputs"]["result"]), (&json!(0), &json!("桥\u{0}32")), "{body}");
    }
    let body = call("VarBstrFromI4", json!({"value": -42, "locale": 0x409, "flags": 0}));
    assert_eq!(body["outputs"]["result"], "-42", "{body}");
}

#[test]
fn an_hresult_is_told_in_words() {
    let bridge = windows();
    let parse = |text: &str| {
        let arguments = json!({"text": text, "locale": 0x409, "flags": 0});
        bridge.call("oleaut32", "VarI4FromStr", arguments).ok()
    };
    let body = parse("1234");
    assert_eq!((&body["result"], &body["outputs"]["result"]), (&json!(0), &json!(1234)), "{body}");
    let body = parse("no number");
    assert!(body["result"].as_i64().is_some_and(|result| result != 0), "{body}");
    // DISP_E_TYPEMISMATCH
    let code = body["hresult"]["code"].as_i64().unwrap_or_else(|| panic!("no hresult: {body}"));
    assert_eq!(code & 0xffff_ffff, 0x8002_0005, "{body}");
    assert!(body["hresult"]["message"].as_str().is_some_and(|words| words.len() > 5), "{body}");
}

#[test]
fn wine_starts_whatever_folder_the_gateways_environment_names_for_temporary_files() {
    let bridge = Bridge::start(|config| {
        config.env("TMPDIR", "/tmp");
        config.library("plain", fixture::library("plain", Target::Win32)).header(fixture::header("plain"));
    });
    assert_eq!(bridge.call("plain", "Five", json!({})).result(), 5);
}
