//! C types, and how much lies behind a pointer.

use serde::{Deserialize, Serialize};

use super::{Convention, Parameter};
use crate::target::Target;

/// A C type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// No value; only as a result or behind an opaque or sized pointer (`void*`).
    Void,
    /// A number, a truth value or an enumerator.
    Scalar(Scalar),
    /// An address.
    Pointer(Box<Pointer>),
    /// A structure or union by value: the key into [`Interface::structures`].
    Structure(String),
    /// An array, as a member of a structure, behind a pointer, or as a variable. (A parameter `int a[4]` is a pointer.)
    Array(Box<Array>),
    /// The address of a function that the library calls.
    Callback(Box<Signature>),
    /// Something that cannot be passed; the function's `unsupported` says why.
    Unsupported {
        /// The type as C spells it.
        spelling: String,
    },
}

/// An array of a fixed size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Array {
    /// The elements' type.
    pub of: Type,
    /// How many there are.
    pub count: u32,
    /// The elements are characters of a string that ends with a NUL or with the array: JSON string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Encoding>,
}

/// The type of a function that is passed by its address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// The declared calling convention; `None` means cdecl.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convention: Option<Convention>,
    /// Its parameters, as those of a [`Function`]. The library gives what is `In`.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub result: Type,
}

/// A type that is one machine value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalar {
    /// Any integer type.
    Integer(Integer),
    /// `bool`, `BOOL`, `BOOLEAN`: any non-zero value is true.
    Boolean(Width),
    /// `float`.
    Float,
    /// `double`.
    Double,
    /// An `int` with named values: the key into [`Interface::enumerations`].
    Enumeration(String),
}

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Integer {
    /// Its width.
    pub width: Width,
    /// Whether it has negative values.
    pub signed: bool,
}

impl Integer {
    /// The smallest and the largest value on `target`.
    pub const fn range(self, target: Target) -> (i128, i128) {
        let bits = self.width.bytes(target) as u32 * 8;
        if self.signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
    }
}

/// The width of an integer type: fixed, or left to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Width {
    /// `char`, `int8_t`, `BYTE`.
    W8,
    /// `short`, `int16_t`, `WORD`.
    W16,
    /// `int`, `int32_t`, and `DWORD`/`LONG` of Windows on every target.
    W32,
    /// `long long`, `int64_t`.
    W64,
    /// `long`.
    Long,
    /// `size_t`, `ptrdiff_t`, `intptr_t`, `DWORD_PTR`.
    Pointer,
    /// `wchar_t`.
    Wchar,
}

impl Width {
    /// Bytes of an integer of this width on `target`.
    pub const fn bytes(self, target: Target) -> u8 {
        match self {
            Self::W8 => 1,
            Self::W16 => 2,
            Self::W32 => 4,
            Self::W64 => 8,
            Self::Long => target.long_bytes(),
            Self::Pointer => target.pointer_bytes(),
            Self::Wchar => target.wchar_bytes(),
        }
    }
}

/// A pointer type, with how much lies behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    /// What it points to.
    pub to: Type,
    /// The pointed-to data is `const`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub constant: bool,
    /// How much lies behind it.
    pub extent: Extent,
    /// What the library gives back through this pointer belongs to the caller, who frees it with this function (`@frees`).
    /// Text and data are freed as soon as they have been read; of a handle, it is the function that closes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed_by: Option<String>,
}

/// How much lies behind a pointer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// One value.
    One,
    /// A string that ends with a NUL character: JSON string.
    Text(Encoding),
    /// A string in a buffer of the caller's: it ends with a NUL character or with the buffer. JSON string.
    TextBuffer {
        /// How the characters are encoded.
        encoding: Encoding,
        /// The buffer's size.
        capacity: Length,
        /// How much of it is valid after the call, if that is known (`_Out_writes_to_`): the text ends there, at the
        /// latest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        written: Option<Length>,
    },
    /// So many values, or bytes: base64 where the element is a byte (`void`, `unsigned char`, `char` that is not text),
    /// otherwise a JSON array.
    Elements {
        /// How many there are before the call: what an output buffer is allocated with.
        capacity: Length,
        /// How many of them are valid after the call, if that may be fewer (`_Out_writes_to_`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        written: Option<Length>,
    },
    /// A `BSTR`: UTF-16 text with its length before it, allocated by `SysAllocString`. JSON string.
    Bstr,
    /// Only the library looks behind it: JSON has a handle, a token that the bridge gave out for an address.
    Handle {
        /// What it points to: the name of a structure (`sqlite3`), `void`, or the name of a handle type (`HKEY`). A handle
        /// of one kind is not accepted for another; `void` and `HANDLE` go with all.
        kind: String,
        /// It is a number of the operating system (`HANDLE`, `HWND`), not an address.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        system: bool,
    },
}

/// A number of elements or of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// How it is computed from the other arguments.
    pub count: Expression,
    /// What is counted.
    pub unit: Unit,
}

/// What a [`Length`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Elements of the pointed-to type (bytes for `void`).
    Elements,
    /// Bytes.
    Bytes,
}

/// An arithmetic expression over a function's arguments, or over the members of a structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expression {
    /// A number.
    Constant(i64),
    /// The value of the parameter, or member, of that index.
    Parameter(u32),
    /// The value behind the pointer parameter of that index (`*len`).
    Pointee(u32),
    /// What the function returned; only in lengths that are needed after the call.
    Result,
    /// The sum of two.
    Add(Box<Self>, Box<Self>),
    /// The difference of two.
    Subtract(Box<Self>, Box<Self>),
    /// The product of two.
    Multiply(Box<Self>, Box<Self>),
    /// The quotient of two, truncated.
    Divide(Box<Self>, Box<Self>),
}

/// How the characters of a string are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8: also for `char*` strings of a library whose header does not say.
    #[default]
    Utf8,
    /// What `wchar_t` holds on the target: UTF-16LE on Windows, UTF-32LE elsewhere.
    Wide,
    /// UTF-16LE on every target.
    Utf16,
    /// A code page by its WHATWG label (`gbk`, `windows-1252`, `shift_jis`).
    CodePage(String),
    /// The ANSI code page of the agent's system (`GetACP`), as the `…A` functions of Windows use; UTF-8 elsewhere.
    Ansi,
}
