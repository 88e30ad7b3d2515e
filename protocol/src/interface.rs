//! The interface of a library: its functions and types, in terms of C.
//!
//! Types are *C's*, not a machine's: `long` stays `long`, and only the agent's layout (or whoever asks
//! [`Width::bytes`]) turns it into a size. So one interface serves every target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::target::Target;

/// Everything that is known of a library's functions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// The functions, in the order of the header. A call names one by its index here.
    pub functions: Vec<Function>,
    /// Enumerations by name (`enum color` and typedefs alike are listed under the name that parameters use).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub enumerations: BTreeMap<String, Enumeration>,
    /// `#define`d integer constants and enumerators: accepted by name wherever an integer is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constants: BTreeMap<String, i64>,
}

impl Interface {
    /// The number and the declaration of a function, by its declared name.
    pub fn function(&self, name: &str) -> Option<(usize, &Function)> {
        self.functions.iter().enumerate().find(|(_, function)| function.name == name)
    }
}

/// The named values of an `enum`. Its C type is `int` on every target that is supported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enumeration {
    /// Name and value, in the order of declaration.
    pub enumerators: Vec<(String, i64)>,
}

/// One function's declaration, and what its annotations and comments add to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// The name as declared, undecorated.
    pub name: String,
    /// The documentation comment's text, without its tags.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What the documentation says of the result.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub result_description: String,
    /// The declared calling convention; `None` where the header is silent (then a decorated export name decides, or
    /// cdecl).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convention: Option<Convention>,
    /// The parameters in order.
    pub parameters: Vec<Parameter>,
    /// What the function returns.
    pub result: Type,
    /// Calling it twice does no harm (`@idempotent`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// Its own deadline in milliseconds (`@deadline 2s`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Why this function cannot be called through the bridge, in words for the user; `None` if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
    /// The declaration as the header has it, white space folded.
    pub declaration: String,
    /// The line of the header where the declaration begins (1 is the first).
    pub line: u32,
}

/// How arguments are handed over and who removes them. On 64-bit targets there is one convention, and these names are
/// ignored, as compilers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// Arguments on the stack, removed by the caller.
    Cdecl,
    /// Arguments on the stack, removed by the function (`WINAPI`, `CALLBACK`, `PASCAL`).
    Stdcall,
    /// The first two integers in ecx and edx, the rest removed by the function.
    Fastcall,
    /// `this` in ecx, the rest removed by the function.
    Thiscall,
}

impl Convention {
    /// The keyword of C compilers for it.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Cdecl => "__cdecl",
            Self::Stdcall => "__stdcall",
            Self::Fastcall => "__fastcall",
            Self::Thiscall => "__thiscall",
        }
    }
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name, unique within the function; `arg0`, `arg1`, … where the prototype has none.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Which way the pointed-to data goes; `In` for everything passed by value.
    pub direction: Direction,
    /// A null pointer is allowed (`_In_opt_`, …): JSON `null`, or left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What the documentation says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Which way data goes through a pointer parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The client gives it, the function reads it.
    In,
    /// The function writes it; it is among the outputs of the call and not in the request.
    Out,
    /// Both; it may be left out of the request (then it is zeroed).
    InOut,
}

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
    /// Something that cannot be passed yet; the function's `unsupported` says why.
    Unsupported {
        /// The type as C spells it.
        spelling: String,
    },
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
    /// Unknown: only a handle could be passed.
    Opaque,
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

/// An arithmetic expression over a function's arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expression {
    /// A number.
    Constant(i64),
    /// The value of the parameter of that index.
    Parameter(u32),
    /// The value behind the pointer parameter of that index (`*len`).
    Pointee(u32),
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
}
