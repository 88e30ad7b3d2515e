//! The types of one value that system headers declare, since those headers are not read. (Structures and callbacks of
//! Windows are C text: see [`crate::windows`].)
//!
//! The Windows names mean the same on every target (`DWORD` has 32 bits on all): a header that declares them itself
//! has the last word.

use std::rc::Rc;

use bridge32_protocol::interface::{Integer, Scalar, Width};

use crate::types::{CType, Characters, Qualified};

/// The type of that name. `unicode` decides what `TCHAR` is, `windows` the width of a few POSIX types.
pub(crate) fn lookup(name: &str, unicode: bool, windows: bool) -> Option<Qualified> {
    let spec =
        c(name).or_else(|| windows_scalar(name)).or_else(|| windows_pointer(name)).or_else(|| platform(name, windows));
    if let Some(spec) = spec {
        return Some(parse(spec, unicode));
    }
    let handle = |system| Qualified::new(CType::Handle { kind: name.to_owned(), system });
    if HANDLES.contains(&name) {
        return Some(handle(true));
    }
    match name {
        // Addresses, of blocks whose shape is nobody's business.
        "PSID" | "PSECURITY_DESCRIPTOR" => Some(handle(false)),
        "PHANDLE" | "LPHANDLE" => Some(pointer(lookup("HANDLE", unicode, windows)?, false)),
        "PHKEY" => Some(pointer(lookup("HKEY", unicode, windows)?, false)),
        _ => None,
    }
}

fn pointer(to: Qualified, constant: bool) -> Qualified {
    Qualified::new(CType::Pointer { to: Rc::new(to.ty), constant: to.constant || constant })
}

/// Reads the small language of the tables: `*const char`, `u32`.
fn parse(spec: &str, unicode: bool) -> Qualified {
    if let Some(rest) = spec.strip_prefix('*') {
        let to = parse(rest.strip_prefix("const ").unwrap_or(rest), unicode);
        return pointer(to, rest.starts_with("const "));
    }
    let integer = |width, signed| CType::scalar(Scalar::Integer(Integer { width, signed }));
    let characters = |width, signed, characters| CType::Scalar {
        scalar: Scalar::Integer(Integer { width, signed }),
        characters: Some(characters),
    };
    Qualified::new(match spec {
        "void" => CType::Void,
        "wchar" => characters(Width::Wchar, false, Characters::Wide),
        "tbyte" if !unicode => return parse("u8", unicode),
        "tchar" | "tbyte" if unicode => return parse("utf16", unicode),
        "utf16" => characters(Width::W16, false, Characters::Utf16),
        "char" | "tchar" => characters(Width::W8, true, Characters::Narrow),
        "i8" => integer(Width::W8, true),
        "u8" => integer(Width::W8, false),
        "i16" => integer(Width::W16, true),
        "u16" => integer(Width::W16, false),
        "i32" => integer(Width::W32, true),
        "u32" => integer(Width::W32, false),
        "i64" => integer(Width::W64, true),
        "u64" => integer(Width::W64, false),
        "long" => integer(Width::Long, true),
        "ulong" => integer(Width::Long, false),
        "iptr" => integer(Width::Pointer, true),
        "uptr" => integer(Width::Pointer, false),
        "bool8" => CType::scalar(Scalar::Boolean(Width::W8)),
        "bool32" => CType::scalar(Scalar::Boolean(Width::W32)),
        "float" => CType::scalar(Scalar::Float),
        "double" => CType::scalar(Scalar::Double),
        "FILE" => CType::Struct(Rc::from(spec)),
        "BSTR" => CType::Bstr,
        other => CType::Other(other.to_owned()),
    })
}

/// Keywords, and the headers of the C library.
fn c(name: &str) -> Option<&'static str> {
    Some(match name {
        "void" => "void",
        "char" => "char",
        "short" | "int16_t" | "int_least16_t" => "i16",
        "int" | "signed" | "int32_t" | "int_least32_t" | "pid_t" | "errno_t" | "sig_atomic_t" => "i32",
        "long" => "long",
        "float" | "float_t" => "float",
        "double" | "double_t" => "double",
        "unsigned" | "uint32_t" | "uint_least32_t" | "uint" | "uid_t" | "gid_t" | "mode_t" | "in_addr_t" | "u_int"
        | "u_int32_t" => "u32",
        "_Bool" | "bool" => "bool8",
        "int8_t" | "int_least8_t" | "int_fast8_t" => "i8",
        "uint8_t" | "uint_least8_t" | "uint_fast8_t" | "u_char" | "u_int8_t" | "unchar" => "u8",
        "uint16_t" | "uint_least16_t" | "ushort" | "u_short" | "in_port_t" | "u_int16_t" => "u16",
        "int64_t" | "int_least64_t" | "intmax_t" | "int_fast64_t" | "off64_t" | "quad_t" => "i64",
        "uint64_t" | "uint_least64_t" | "uintmax_t" | "uint_fast64_t" | "u_quad_t" | "u_int64_t" => "u64",
        "ulong" | "u_long" => "ulong",
        "size_t" | "rsize_t" | "uintptr_t" => "uptr",
        "ssize_t" | "ptrdiff_t" | "intptr_t" => "iptr",
        "wchar_t" => "wchar",
        "char16_t" => "utf16",
        "va_list" | "__builtin_va_list" | "__gnuc_va_list" => "va_list",
        "FILE" | "fpos_t" => "FILE",
        "jmp_buf" => "jmp_buf",
        _ => return None,
    })
}

/// What has 64 bits with `_FILE_OFFSET_BITS=64` (glibc's manual: "Feature Test Macros").
pub(crate) const FILE_SIZES: &[(&str, &str)] = &[
    ("off_t", "int64_t"),
    ("blkcnt_t", "int64_t"),
    ("ino_t", "uint64_t"),
    ("fsblkcnt_t", "uint64_t"),
    ("fsfilcnt_t", "uint64_t"),
    ("rlim_t", "uint64_t"),
];

/// Types whose width the platforms disagree on.
fn platform(name: &str, windows: bool) -> Option<&'static str> {
    Some(match (name, windows) {
        ("int_fast16_t" | "int_fast32_t", false) => "iptr",
        ("uint_fast16_t" | "uint_fast32_t", false) => "uptr",
        ("int_fast16_t" | "int_fast32_t" | "__time32_t" | "socklen_t", true) => "i32",
        ("uint_fast16_t" | "uint_fast32_t" | "char32_t", true) | ("wint_t" | "socklen_t", false) => "u32",
        ("wint_t" | "wctype_t", true) => "u16",
        ("wctype_t" | "ino_t" | "fsblkcnt_t" | "fsfilcnt_t" | "rlim_t", false) => "ulong",
        // As wide as `wchar_t`, and UTF-32 like it.
        ("char32_t", false) => "wchar",
        ("time_t" | "clock_t" | "off_t" | "blkcnt_t", false) | ("off_t" | "clock_t", true) => "long",
        // Since Visual C++ 2005, unless _USE_32BIT_TIME_T is defined.
        ("time_t" | "__time64_t", true) => "i64",
        _ => return None,
    })
}

fn windows_scalar(name: &str) -> Option<&'static str> {
    Some(match name {
        "BYTE" | "UCHAR" | "UINT8" | "UINT_8" | "uint8" | "SQLCHAR" => "u8",
        "INT8" => "i8",
        "CHAR" | "CCHAR" => "char",
        "WCHAR" | "OLECHAR" | "SQLWCHAR" => "utf16",
        "TCHAR" | "_TCHAR" => "tchar",
        "TBYTE" => "tbyte",
        "WORD" | "USHORT" | "ATOM" | "LANGID" | "UINT16" | "VARTYPE" | "INTERNET_PORT" | "CLIPFORMAT"
        | "SQLUSMALLINT" => "u16",
        "SHORT" | "INT16" | "VARIANT_BOOL" | "CSHORT" | "SQLRETURN" | "SQLSMALLINT" | "RETCODE" => "i16",
        "DWORD"
        | "UINT"
        | "ULONG"
        | "DWORD32"
        | "UINT32"
        | "ULONG32"
        | "LCID"
        | "COLORREF"
        | "LCTYPE"
        | "CALID"
        | "CALTYPE"
        | "REGSAM"
        | "ACCESS_MASK"
        | "SECURITY_INFORMATION"
        | "FOURCC"
        | "MCIDEVICEID"
        | "EXECUTION_STATE"
        | "MMVERSION"
        | "MMRESULT"
        | "FLONG"
        | "NET_API_STATUS"
        | "PROPID"
        | "GEOTYPE"
        | "LGRPID" => "u32",
        "INT" | "LONG" | "HRESULT" | "INT32" | "LONG32" | "NTSTATUS" | "HFILE" | "GEOID" | "LSTATUS" | "DISPID"
        | "SCODE" | "RPC_STATUS" => "i32",
        "BOOL" | "WINBOOL" => "bool32",
        "BOOLEAN" => "bool8",
        "FLOAT" => "float",
        "DOUBLE" | "DATE" => "double",
        "DWORD64" | "ULONGLONG" | "DWORDLONG" | "ULONG64" | "UINT64" | "QWORD" | "UNSIGNED__int64" => "u64",
        "LONGLONG" | "LONG64" | "INT64" | "USN" => "i64",
        "UINT_PTR" | "DWORD_PTR" | "ULONG_PTR" | "SIZE_T" | "WPARAM" | "KAFFINITY" | "SOCKET" | "SQLULEN" => "uptr",
        "INT_PTR" | "LONG_PTR" | "SSIZE_T" | "LPARAM" | "LRESULT" | "SQLLEN" => "iptr",
        _ => return None,
    })
}

fn windows_pointer(name: &str) -> Option<&'static str> {
    Some(match name {
        "PVOID" | "LPVOID" | "PVOID64" | "RPC_IF_HANDLE" | "RPC_BINDING_HANDLE" | "SQLPOINTER" => "*void",
        "LPCVOID" | "PCVOID" => "*const void",
        "LPSTR" | "PSTR" | "PCHAR" | "LPCH" | "PCH" | "NPSTR" => "*char",
        "LPCSTR" | "PCSTR" | "LPCCH" | "PCCH" | "PCZZSTR" => "*const char",
        "LPWSTR" | "PWSTR" | "PWCHAR" | "LPWCH" | "PWCH" | "NWPSTR" | "LPOLESTR" | "LMSTR" => "*utf16",
        "LPCWSTR" | "PCWSTR" | "LPCWCH" | "PCWCH" | "LPCOLESTR" | "PCZZWSTR" => "*const utf16",
        "LPTSTR" | "PTSTR" | "LPTCH" | "PTCH" | "PTCHAR" => "*tchar",
        "LPCTSTR" | "PCTSTR" | "LPCTCH" | "PCTCH" => "*const tchar",
        "LPDWORD"
        | "PDWORD"
        | "PULONG"
        | "LPUINT"
        | "PUINT"
        | "PUINT32"
        | "PULONG32"
        | "PDWORD32"
        | "PLCID"
        | "PSECURITY_INFORMATION"
        | "PACCESS_MASK"
        | "LPCOLORREF" => "*u32",
        "LPINT" | "PINT" | "LPLONG" | "PLONG" | "PINT32" | "PLONG32" => "*i32",
        "LPWORD" | "PWORD" | "PUSHORT" | "PUINT16" => "*u16",
        "PSHORT" | "PINT16" => "*i16",
        "LPBYTE" | "PBYTE" | "PUCHAR" | "PUINT8" => "*u8",
        "PINT8" => "*i8",
        "LPBOOL" | "PBOOL" | "PWINBOOL" | "LPWINBOOL" => "*bool32",
        "PBOOLEAN" => "*bool8",
        "PFLOAT" => "*float",
        "PULONGLONG" | "PDWORD64" | "PUINT64" | "PDWORDLONG" | "PULONG64" => "*u64",
        "PLONGLONG" | "PINT64" | "PLONG64" => "*i64",
        "PDWORD_PTR" | "PULONG_PTR" | "PSIZE_T" | "PUINT_PTR" => "*uptr",
        "PINT_PTR" | "PLONG_PTR" | "PSSIZE_T" => "*iptr",
        "LPBSTR" => "*BSTR",
        "BSTR" => "BSTR",
        _ => return None,
    })
}

/// Whether the name of a type says that it is a string, though its characters are not `const` (winnt.h: those annotated
/// `_Null_terminated_`).
pub(crate) fn is_string(name: &str) -> bool {
    matches!(name, "LPSTR" | "PSTR" | "NPSTR" | "LPWSTR" | "PWSTR" | "NWPSTR" | "LPOLESTR" | "LPTSTR" | "PTSTR")
}

/// Numbers that mean something to the system only, though C calls them pointers.
const HANDLES: &[&str] = &[
    "HANDLE",
    "HWND",
    "HMODULE",
    "HINSTANCE",
    "HKEY",
    "HDC",
    "HGDIOBJ",
    "HBITMAP",
    "HBRUSH",
    "HPEN",
    "HFONT",
    "HICON",
    "HCURSOR",
    "HMENU",
    "HRGN",
    "HPALETTE",
    "HGLOBAL",
    "HLOCAL",
    "HRSRC",
    "HHOOK",
    "HACCEL",
    "HDWP",
    "HDESK",
    "HWINSTA",
    "HMONITOR",
    "HTASK",
    "HKL",
    "HENHMETAFILE",
    "HMETAFILE",
    "HCOLORSPACE",
    "HDROP",
    "HGLRC",
    "HIMAGELIST",
    "HINTERNET",
    "SC_HANDLE",
    "SERVICE_STATUS_HANDLE",
    "HWAVEOUT",
    "HWAVEIN",
    "HMIDIOUT",
    "HMIDIIN",
    "HCERTSTORE",
    "HRAWINPUT",
    "HPOWERNOTIFY",
    "HGESTUREINFO",
    "HTOUCHINPUT",
    "HWINEVENTHOOK",
    "HCONV",
    "HSZ",
    "HDEVNOTIFY",
    "HDEVINFO",
    "DPI_AWARENESS_CONTEXT",
    "HMETAFILEPICT",
    "SQLHENV",
    "SQLHDBC",
    "SQLHSTMT",
    "SQLHDESC",
    "SQLHANDLE",
];
