//! What Microsoft's source annotations say of a parameter: `_In_reads_(n)`, and the older `__in_ecount(n)`, `IN`.
//!
//! The names are made of words, so they are read, not listed (source: "Annotating function parameters and return
//! values", and sal.h of several Windows SDKs).

use bridge32_protocol::interface::{Direction, Unit};

use crate::lexer::Token;
use crate::source::Position;

/// One annotation.
#[expect(clippy::struct_excessive_bools, reason = "each is a word of its own in an annotation's name")]
#[derive(Clone, Debug)]
pub(crate) struct Sal<'a> {
    /// As it is spelled.
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) direction: Option<Direction>,
    /// A null pointer is allowed.
    pub(crate) optional: bool,
    /// The string ends with a NUL character.
    pub(crate) terminated: bool,
    /// How much lies behind the pointer.
    pub(crate) length: Option<SalLength<'a>>,
    /// The length is that of what the pointer behind the pointer points to (`_Outptr_result_buffer_`).
    pub(crate) inner: bool,
    /// What the pointer points to is gone after the call (`_Frees_ptr_`, `_Post_invalid_`).
    pub(crate) releases: bool,
}

impl Sal<'_> {
    /// The same, of a text that does not last.
    pub(crate) fn to_owned(&self) -> Sal<'static> {
        let owned =
            |tokens: &Vec<Token>| tokens.iter().map(|token| token.clone().into_owned(token.at)).collect::<Vec<_>>();
        let length = self.length.as_ref().map(|length| SalLength {
            unit: length.unit,
            capacity: owned(&length.capacity),
            written: length.written.as_ref().map(owned),
            unusual: length.unusual,
        });
        Sal { name: self.name.clone(), length, ..*self }
    }
}

/// The arguments of an annotation that has some.
#[derive(Clone, Debug)]
pub(crate) struct SalLength<'a> {
    pub(crate) unit: Unit,
    pub(crate) capacity: Vec<Token<'a>>,
    pub(crate) written: Option<Vec<Token<'a>>>,
    /// What is counted is not a number of elements from the pointer on (`_In_reads_to_ptr_`, `_x_`).
    pub(crate) unusual: bool,
}

/// The first words of the annotations.
const FAMILIES: &[&str] = &[
    "Acquires",
    "Always",
    "Analysis",
    "At",
    "Benign",
    "COM",
    "Called",
    "Check",
    "Const",
    "Create",
    "Deref",
    "Enum",
    "Field",
    "Format",
    "Frees",
    "Function",
    "Group",
    "Guarded",
    "Has",
    "IRQL",
    "In",
    "Inout",
    "Interlocked",
    "Kernel",
    "Literal",
    "Maybenull",
    "Maybevalid",
    "Must",
    "Notnull",
    "Notvalid",
    "Null",
    "NullNull",
    "On",
    "Opt",
    "Out",
    "Outptr",
    "Param",
    "Points",
    "Post",
    "Pre",
    "Prepost",
    "Printf",
    "Readable",
    "Ref",
    "Releases",
    "Requires",
    "Reserved",
    "Result",
    "Ret",
    "Return",
    "Scanf",
    "Strict",
    "Struct",
    "Success",
    "Use",
    "Valid",
    "When",
];

/// Whether the name is one of SAL's. It then is an annotation even where a header defines it away.
pub(crate) fn is_annotation(name: &str) -> bool {
    let inner = name.strip_prefix('_').and_then(|name| name.strip_suffix('_'));
    let modern = inner.is_some_and(|inner| FAMILIES.contains(&inner.split('_').next().unwrap_or_default()));
    let rest = name.trim_start_matches("__").trim_start_matches("RPC__");
    let legacy = name.starts_with("__")
        && !name.ends_with("__")
        && ["in", "out", "inout", "deref", "reserved", "nullterminated", "checkReturn", "success", "drv", "callback"]
            .contains(&rest.split('_').next().unwrap_or_default());
    modern || legacy
}

/// `IN`, `OUT` and `OPTIONAL` of old Windows headers: annotations only where they stand in a parameter list.
pub(crate) fn is_legacy_word(name: &str) -> bool {
    matches!(name, "IN" | "OUT" | "INOUT" | "OPTIONAL")
}

/// Reads an annotation's name and its arguments, which are split at the commas.
pub(crate) fn read<'a>(token: &Token<'a>, arguments: Vec<Vec<Token<'a>>>) -> Sal<'a> {
    let name = token.text.clone().into_owned();
    let lower = name.trim_matches('_').to_ascii_lowercase();
    // Those of rpcsal.h: `__RPC__in_ecount(n)`.
    let lower = lower.trim_start_matches("rpc__").to_owned();
    let words: Vec<&str> = lower.split('_').collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    let mut sal = Sal {
        at: token.at,
        direction: match words[0] {
            "in" | "reserved" => Some(Direction::In),
            "out" | "outptr" => Some(Direction::Out),
            "com" if has(&["outptr"]) => Some(Direction::Out),
            "inout" => Some(Direction::InOut),
            "deref" if has(&["out"]) => Some(Direction::Out),
            "deref" if has(&["inout"]) => Some(Direction::InOut),
            _ => None,
        },
        optional: has(&["opt", "optional", "reserved"]),
        terminated: has(&["z", "nz"]),
        length: None,
        inner: matches!(words[0], "outptr" | "deref" | "com"),
        releases: matches!(
            &*lower,
            "frees_ptr" | "frees_ptr_opt" | "post_ptr_invalid" | "post_invalid" | "drv_freesmem"
        ),
        name,
    };
    let bytes = has(&["bytes", "bcount", "bytecount", "bytecap", "bytebuffer"]);
    let counted = bytes || has(&["reads", "writes", "updates", "ecount", "count", "cap", "buffer", "size"]);
    if counted && (sal.direction.is_some() || matches!(words[0], "field" | "ret" | "deref")) {
        let two = has(&["to", "part", "post"]) && !has(&["ptr"]);
        let mut arguments = arguments.into_iter();
        let capacity = arguments.next().unwrap_or_default();
        sal.length = Some(SalLength {
            unit: if bytes { Unit::Bytes } else { Unit::Elements },
            capacity,
            written: if two { arguments.next() } else { None },
            unusual: has(&["ptr", "ptrdiff", "x"]),
        });
    }
    sal
}
