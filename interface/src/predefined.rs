//! The macros that compilers and their system headers define, as C text.

use crate::Options;
use crate::source::Position;
use bridge32_protocol::target::Target;

/// The index of no file: that of the text made here.
pub(crate) const FILE: usize = u16::MAX as usize;

/// Where the macros of compilers and users are said to be defined.
const COMPILER: Position = Position { file: u16::MAX, offset: 0 };

/// Where the macros of windows.h are said to be defined.
pub(crate) const WINDOWS: Position = Position { file: u16::MAX, offset: 1 };

/// What the compilers of the target and the user define, to be read before the headers.
pub(crate) fn prelude(options: &Options) -> [(Position, String); 3] {
    let mut target = String::from(COMMON);
    target.push_str(match options.target {
        Target::Linux32 | Target::Linux64 => LINUX,
        Target::Win32 | Target::Win64 => MSVC,
    });
    target.push_str(match options.target {
        Target::Linux32 => "#define __i386__ 1\n#define __i386 1\n#define i386 1\n#define __ILP32__ 1\n",
        Target::Linux64 => {
            "#define __x86_64__ 1\n#define __x86_64 1\n#define __amd64__ 1\n#define __LP64__ 1\n#define _LP64 1\n"
        }
        Target::Win32 => "#define _M_IX86 600\n#define _X86_ 1\n",
        Target::Win64 => "#define _WIN64 1\n#define _M_X64 100\n#define _M_AMD64 100\n#define _AMD64_ 1\n",
    });
    target.push_str(&widths(options.target));
    let mut user = String::new();
    for (name, value) in &options.definitions {
        // One definition, one line: a line break would begin another directive.
        let line = format!("#define {name} {value}").replace(['\n', '\r'], " ");
        user.push_str(&line);
        user.push('\n');
    }
    [(COMPILER, target), (WINDOWS, WINDOWS_MACROS.to_owned()), (COMPILER, user)]
}

/// The types of the platform, by which the headers of compilers define `size_t` and its like (GCC: "Common Predefined
/// Macros").
fn widths(target: Target) -> String {
    let (pointer, size) = match target {
        Target::Linux32 | Target::Win32 => ("int", "unsigned int"),
        Target::Linux64 => ("long", "unsigned long"),
        Target::Win64 => ("long long", "unsigned long long"),
    };
    let (wchar, wint) =
        if target.is_windows() { ("unsigned short", "unsigned short") } else { ("int", "unsigned int") };
    let (bits, long_bits) = (target.pointer_bytes() * 8, target.long_bytes() * 8);
    let long_max = if long_bits == 64 { "0x7fffffffffffffffL" } else { "0x7fffffffL" };
    let (pointer_max, size_max) =
        if bits == 64 { ("0x7fffffffffffffffLL", "0xffffffffffffffffULL") } else { ("0x7fffffff", "0xffffffffU") };
    let (wchar_max, wchar_min) = if target.is_windows() { ("0xffff", "0") } else { ("0x7fffffff", "(-0x7fffffff-1)") };
    let limits = format!(
        "#define __LONG_MAX__ {long_max}\n#define __LONG_WIDTH__ {long_bits}\n#define __SIZE_MAX__ {size_max}\n\
         #define __UINTPTR_MAX__ {size_max}\n#define __INTPTR_MAX__ {pointer_max}\n#define __PTRDIFF_MAX__ {pointer_max}\n\
         #define __SIZE_WIDTH__ {bits}\n#define __INTPTR_WIDTH__ {bits}\n#define __PTRDIFF_WIDTH__ {bits}\n\
         #define __SIZEOF_SIZE_T__ {0}\n#define __SIZEOF_PTRDIFF_T__ {0}\n#define __WCHAR_MAX__ {wchar_max}\n\
         #define __WCHAR_MIN__ {wchar_min}\n#define __WCHAR_WIDTH__ {1}\n#define __SIZEOF_WINT_T__ {2}\n",
        target.pointer_bytes(),
        target.wchar_bytes() * 8,
        if target.is_windows() { 2 } else { 4 },
    );
    limits
        + &format!(
            "#define __SIZE_TYPE__ {size}\n#define __UINTPTR_TYPE__ {size}\n#define __PTRDIFF_TYPE__ {pointer}\n\
         #define __INTPTR_TYPE__ {pointer}\n#define __WCHAR_TYPE__ {wchar}\n#define __WINT_TYPE__ {wint}\n\
         #define __SIZEOF_POINTER__ {}\n#define __SIZEOF_LONG__ {}\n#define __SIZEOF_WCHAR_T__ {}\n",
            target.pointer_bytes(),
            target.long_bytes(),
            target.wchar_bytes(),
        )
}

/// System headers that are often included with quotes.
pub(crate) fn is_known_header(name: &str) -> bool {
    [
        "windows.h",
        "windef.h",
        "winnt.h",
        "wtypes.h",
        "stdint.h",
        "stddef.h",
        "stdbool.h",
        "stdio.h",
        "stdlib.h",
        "string.h",
        "limits.h",
        "wchar.h",
        "tchar.h",
        "sal.h",
        "specstrings.h",
        "basetsd.h",
        "inttypes.h",
    ]
    .contains(&name)
}

/// What the headers of Windows say that are nothing but a `#pragma pack`, and are included around structures.
pub(crate) fn packing_header(name: &str) -> Option<&'static str> {
    Some(match name {
        "pshpack1.h" => "pack(push,1)",
        "pshpack2.h" => "pack(push,2)",
        "pshpack4.h" => "pack(push,4)",
        "pshpack8.h" => "pack(push,8)",
        "pshpack16.h" => "pack(push,16)",
        "poppack.h" => "pack(pop)",
        _ => return None,
    })
}

const COMMON: &str = "\
#define __STDC__ 1
#define __STDC_VERSION__ 201112L
#define __STDC_HOSTED__ 1
#define __CHAR_BIT__ 8
#define __INT8_TYPE__ signed char
#define __INT16_TYPE__ short
#define __INT32_TYPE__ int
#define __INT64_TYPE__ long long
#define __UINT8_TYPE__ unsigned char
#define __UINT16_TYPE__ unsigned short
#define __UINT32_TYPE__ unsigned int
#define __UINT64_TYPE__ unsigned long long
#define __INTMAX_TYPE__ long long
#define __UINTMAX_TYPE__ unsigned long long
#define __INT8_MAX__ 0x7f
#define __INT16_MAX__ 0x7fff
#define __INT32_MAX__ 0x7fffffff
#define __INT64_MAX__ 0x7fffffffffffffffLL
#define __UINT8_MAX__ 0xff
#define __UINT16_MAX__ 0xffff
#define __UINT32_MAX__ 0xffffffffU
#define __UINT64_MAX__ 0xffffffffffffffffULL
#define __INTMAX_MAX__ 0x7fffffffffffffffLL
#define __UINTMAX_MAX__ 0xffffffffffffffffULL
#define __SCHAR_MAX__ 0x7f
#define __SHRT_MAX__ 0x7fff
#define __INT_MAX__ 0x7fffffff
#define __LONG_LONG_MAX__ 0x7fffffffffffffffLL
#define __SCHAR_WIDTH__ 8
#define __SHRT_WIDTH__ 16
#define __INT_WIDTH__ 32
#define __LONG_LONG_WIDTH__ 64
#define __INTMAX_WIDTH__ 64
#define __CHAR16_TYPE__ unsigned short
#define __CHAR32_TYPE__ unsigned int
#define __SIZEOF_FLOAT__ 4
#define __SIZEOF_DOUBLE__ 8
#define __ORDER_LITTLE_ENDIAN__ 1234
#define __ORDER_BIG_ENDIAN__ 4321
#define __BYTE_ORDER__ 1234
#define __SIZEOF_SHORT__ 2
#define __SIZEOF_INT__ 4
#define __SIZEOF_LONG_LONG__ 8
#define NULL 0
#define __LINE__ 1
#define __FILE__ \"\"
#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long long
#define _int8 char
#define _int16 short
#define _int32 int
#define _int64 long long
#define __const const
#define __const__ const
#define __signed signed
#define __signed__ signed
#define __volatile__ volatile
#define __inline inline
#define __inline__ inline
#define _inline inline
#define __forceinline static inline
#define alignas _Alignas
#define __restrict restrict
#define __restrict__ restrict
#define __alignof__ _Alignof
#define INT8_MAX 127
#define INT16_MAX 32767
#define INT32_MAX 2147483647
#define UINT8_MAX 255
#define UINT16_MAX 65535
#define UINT32_MAX 4294967295u
#define CHAR_BIT 8
#define SCHAR_MAX 127
#define UCHAR_MAX 255
#define SHRT_MAX 32767
#define USHRT_MAX 65535
#define INT_MAX 2147483647
#define INT_MIN (-2147483647-1)
#define UINT_MAX 4294967295u
";

const LINUX: &str = "\
#define __linux__ 1
#define __linux 1
#define linux 1
#define __gnu_linux__ 1
#define __unix__ 1
#define __unix 1
#define unix 1
#define __ELF__ 1
#define __GNUC__ 12
#define __GNUC_MINOR__ 2
#define PATH_MAX 4096
#define __BEGIN_DECLS
#define __END_DECLS
#define __THROW
#define __THROWNL
#define __wur
#define __GLIBC_USE(feature) 0
";

const MSVC: &str = "\
#define _WIN32 1
#define WIN32 1
#define _MSC_VER 1900
#define _INTEGRAL_MAX_BITS 64
";

/// Understood on every target: headers that were written for Windows are compiled elsewhere too.
const WINDOWS_MACROS: &str = "\
#define WINAPI __stdcall
#define WINAPIV __cdecl
#define APIENTRY __stdcall
#define CALLBACK __stdcall
#define PASCAL __stdcall
#define NTAPI __stdcall
#define STDMETHODCALLTYPE __stdcall
#define STDAPICALLTYPE __stdcall
#define STDAPIVCALLTYPE __cdecl
#define CDECL __cdecl
#define WMIAPI __stdcall
#define RPC_ENTRY __stdcall
#define __RPC_API __stdcall
#define __RPC_USER __stdcall
#define __RPC_STUB __stdcall
#define __RPC_CALLEE __stdcall
#define __RPC_FAR
#define WSAAPI __stdcall
#define SQL_API __stdcall
#define SEC_ENTRY __stdcall
#define SNMP_FUNC_TYPE __stdcall
#define NET_API_FUNCTION __stdcall
#define IMAGEAPI __declspec(dllimport) __stdcall
#define EXPENTRY __stdcall
#define EXTERN_C extern
#define STDAPI HRESULT __stdcall
#define STDAPI_(type) type __stdcall
#define CONST const
#define VOID void
#define FAR
#define NEAR
#define far
#define near
#define DECLSPEC_IMPORT __declspec(dllimport)
#define DECLSPEC_ALIGN(n) __declspec(align(n))
#define DECLSPEC_NORETURN
#define DECLSPEC_DEPRECATED
#define WINBASEAPI
#define WINUSERAPI
#define WINGDIAPI
#define WINADVAPI
#define WINCOMMCTRLAPI
#define WINSHELLAPI
#define WINSOCK_API_LINKAGE
#define WINIMPM
#define NTSYSAPI
#define NTSYSCALLAPI
#define SHSTDAPI HRESULT __stdcall
#define SHSTDAPI_(type) type __stdcall
#define SHFOLDERAPI HRESULT __stdcall
#define LWSTDAPI HRESULT __stdcall
#define LWSTDAPI_(type) type __stdcall
#define WINOLEAPI HRESULT __stdcall
#define WINOLEAPI_(type) type __stdcall
#define _CRTIMP
#define _ACRTIMP
#define UNALIGNED
#define FORCEINLINE static inline
#define DECLARE_HANDLE(name) typedef struct name##__ *name
#define UNREFERENCED_PARAMETER(p)
#define MAX_PATH 260
#define TRUE 1
#define FALSE 0
#define WINAPI_FAMILY_PARTITION(p) 1
#define WINAPI_PARTITION_DESKTOP 1
#define WINAPI_PARTITION_APP 1
#define _WIN32_WINNT 0x0A00
#define _WIN32_IE 0x0A00
#define WINVER 0x0A00
#define NTDDI_VERSION 0x0A000000
#define __MINGW_NAME_AW(name) name##A
#define __MINGW_NAME_AW_EXT(name,ext) name##A##ext
#define __MINGW_EXTENSION
#define __MINGW_TYPEDEF_AW(name) typedef name##A name;
#define __MINGW_TYPEDEF_UAW(name) typedef name##A name;
#define DEFINE_ENUM_FLAG_OPERATORS(name)
#define DEFINE_GUID(name,...)
#define _DEFINE_GUID(name,...)
#define MM_MAX_NUMAXES 16
#define LF_FACESIZE 32
#define CCHDEVICENAME 32
#define CCHFORMNAME 32
#define ANYSIZE_ARRAY 1
#define __LONG32 long
#define __C89_NAMELESS
#define WINSTORAGEAPI
#define BEGIN_INTERFACE
#define END_INTERFACE
#define CONST_VTBL
#define DECLSPEC_UUID(id)
#define DECLSPEC_NOVTABLE
";
