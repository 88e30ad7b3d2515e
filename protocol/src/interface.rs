//! The interface of a library: its functions and types, in terms of C.
//!
//! Types are *C's*, not a machine's: `long` stays `long`, a structure is its list of members, and only the agent's layout
//! (or whoever asks [`Width::bytes`]) turns them into sizes. So one interface serves every target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod types;

pub use types::{Array, Encoding, Expression, Extent, Integer, Length, Pointer, Scalar, Signature, Type, Unit, Width};

/// Everything that is known of a library's functions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interface {
    /// The functions, in the order of the header. A call names one by its index here.
    pub functions: Vec<Function>,
    /// The data that the library exports (`extern int counter;`), in the order of the header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// Structures and unions by name: the typedef's if there is one, else the tag's. [`Type::Structure`] refers to them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub structures: BTreeMap<String, Structure>,
    /// Enumerations by name (`enum color` and typedefs alike are listed under the name that parameters use).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub enumerations: BTreeMap<String, Enumeration>,
    /// `#define`d integer constants and enumerators: accepted by name wherever an integer is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constants: BTreeMap<String, i64>,
    /// How 64-bit integers are answered.
    #[serde(default, skip_serializing_if = "Int64::is_number")]
    pub int64: Int64,
}

/// How 64-bit integers are answered in JSON; numbers and decimal strings are accepted either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Int64 {
    /// As numbers, which JavaScript rounds beyond 2^53.
    #[default]
    Number,
    /// As decimal strings.
    String,
}

impl Int64 {
    /// The default, which need not be said.
    pub fn is_number(&self) -> bool {
        *self == Self::Number
    }
}

impl Interface {
    /// The number and the declaration of a function, by its declared name.
    pub fn function(&self, name: &str) -> Option<(usize, &Function)> {
        self.functions.iter().enumerate().find(|(_, function)| function.name == name)
    }
}

/// Data that a library exports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// The name as declared.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// It is `const`: it can be read only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub constant: bool,
    /// Its value stands in no error text, log or record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// The documentation comment's text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Why it cannot be read through the bridge, in words for the user; `None` if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
    /// The declaration as the header has it, white space folded.
    pub declaration: String,
    /// The header that it is in, by its name; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The line of that header where the declaration begins (1 is the first).
    pub line: u32,
}

/// A `struct` or `union` whose members are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Structure {
    /// Which of the two.
    pub kind: StructureKind,
    /// Its members, in order.
    pub fields: Vec<Field>,
    /// `#pragma pack(n)`: no member is aligned to more than `n` bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<u32>,
    /// `__attribute__((packed))`: no member is aligned at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub packed: bool,
    /// `__attribute__((aligned(n)))`, `__declspec(align(n))`: the whole is aligned to at least `n` bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<u32>,
    /// The documentation comment's text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Whether members lie behind or over each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StructureKind {
    /// Behind each other.
    Struct,
    /// Over each other: in JSON exactly one of them is given.
    Union,
}

/// A member of a [`Structure`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name, unique within the structure. Empty for an unnamed bit-field (padding) and for an anonymous structure
    /// or union, whose members are, in C and in JSON, members of the one around it.
    pub name: String,
    /// Its type. Lengths in it refer to the members of this structure, by index.
    #[serde(rename = "type")]
    pub ty: Type,
    /// The width of a bit-field; 0 for an unnamed one that only ends the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// It is aligned to at least so many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<u32>,
    /// Its value, and all within it, stands in no error text, log or record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// What the documentation says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// The named values of an `enum`. Its C type is `int` on every target that is supported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enumeration {
    /// Name and value, in the order of declaration.
    pub enumerators: Vec<(String, i64)>,
}

/// One function's declaration, and what its annotations and comments add to it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the declaration")]
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
    /// More arguments may follow (`...`): JSON member `"..."`, a list of `{"type", "value"}`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub variadic: bool,
    /// What the function returns.
    pub result: Type,
    /// The result is an `HRESULT`: its meaning is told in words.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hresult: bool,
    /// How the library exports it, where that is not the declared name (`@export ?f@@YAHH@Z`, `@ordinal 5`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportName>,
    /// Its result stands in no error text, log or record (`@sensitive return`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive_result: bool,
    /// Nor do the arguments behind `...` (`@sensitive ...`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive_extra: bool,
    /// Text that cannot be encoded or decoded is passed with replacement characters instead of being refused (`@lossy`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lossy: bool,
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
    /// The header that it is in, by its name; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The line of that header where the declaration begins (1 is the first).
    pub line: u32,
}

/// How a library exports a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportName {
    /// By exactly this name, whatever the declared one.
    Name(String),
    /// By this ordinal of a PE file.
    Ordinal(u32),
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
    /// The function closes or frees what is passed here (`@releases`): the handle is good for nothing afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<Release>,
    /// Its value, and all within it, stands in no error text, log or record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// What the documentation says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// When a function has released what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// Whatever it returns.
    Always,
    /// Only if its result, an integer, compares so (`@releases db if return == 0`).
    When {
        /// How it is compared.
        comparison: Comparison,
        /// With what.
        value: i64,
    },
}

/// A comparison of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether `left` and `right` compare so.
    pub const fn holds(self, left: i128, right: i128) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
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
