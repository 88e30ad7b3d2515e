//! Why a function cannot be called through the bridge, in words for its user: every reason there is.

/// A reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reason {
    /// A structure or union, by value or behind a pointer.
    Structure(String),
    /// A pointer of which only handles could be passed.
    Opaque(String),
    /// A pointer to a function.
    Callback(String),
    /// A pointer to a pointer.
    Indirect(String),
    /// `long double` and the like.
    Type(String),
    /// A type that nobody declared.
    Unknown(String),
    /// A text buffer of unknown size.
    TextCapacity(String),
    /// A byte buffer of unknown size.
    ByteBuffer(String),
    /// An array of unknown size.
    ArrayLength(String),
    /// An array of arrays.
    ArrayOfArrays(String),
    /// A length that is not understood: why not.
    Length(String),
    /// Two parameters have one name.
    SameName,
    /// `...`
    Variadic,
    /// A calling convention that cannot be called.
    Convention(String),
}

impl Reason {
    /// The reason in words. `what` is the parameter's name, or `None` for the result or the whole function.
    pub(crate) fn text(&self, what: Option<&str>) -> String {
        let is_result = what.is_none();
        let what = what.map_or_else(|| "the result".to_owned(), |name| format!("the parameter “{name}”"));
        match self {
            Self::Structure(spelling) if is_result => {
                format!("{what} is a structure ({spelling}): structures cannot be handed back yet")
            }
            Self::Structure(spelling) => format!(
                "{what} is a structure ({spelling}): structures cannot be passed yet; if its bytes will do, declare a \
                 pointer to it as `void *` with a size, such as `_Inout_updates_bytes_(16) void *`"
            ),
            Self::Opaque(spelling) if is_result => {
                format!("{what} is a pointer ({spelling}) to no string: handles cannot be handed back yet")
            }
            Self::Opaque(spelling) => format!(
                "{what} is a pointer to unknown data ({spelling}): handles cannot be passed yet; if it points to \
                 bytes, say how many: `_In_reads_bytes_(n)`, `_Out_writes_bytes_(n)` or `@length n`"
            ),
            Self::Callback(spelling) => {
                format!("{what} is a pointer to a function ({spelling}): callbacks cannot be passed yet")
            }
            Self::Indirect(spelling) => {
                format!("{what} is a pointer to a pointer ({spelling}): these cannot be passed yet")
            }
            Self::Type(spelling) => format!("{what} has the type {spelling}, which cannot be passed yet"),
            Self::Unknown(name) => {
                format!(
                    "{what} has the type {name}, which is not declared here: add its typedef, or the header it is in"
                )
            }
            Self::TextCapacity(spelling) => format!(
                "{what} is a text buffer ({spelling}) of unknown size: say how long the buffer is, with \
                 `_Out_writes_(n)` or `@length n`; if it is only read, declare it `const` or say `_In_` or `@param[in]`"
            ),
            Self::ByteBuffer(spelling) => format!(
                "{what} points to bytes ({spelling}), and the header does not say how many: write \
                 `_In_reads_bytes_(n)`, `_Out_writes_bytes_(n)` or `_Out_writes_bytes_to_(*n, *n)` before it, or \
                 `@length n` into its comment; if it is one single byte, say `_In_`, `_Out_` or `_Inout_`"
            ),
            Self::ArrayLength(spelling) => format!(
                "{what} is an array ({spelling}) of unknown size: say how many elements it has, with `_In_reads_(n)`, \
                 `_Out_writes_(n)` or `@length n`"
            ),
            Self::ArrayOfArrays(spelling) => {
                format!("{what} is an array of arrays ({spelling}): these cannot be passed yet; declare a flat array")
            }
            Self::Length(reason) => format!("the length of {what} is not understood: {reason}"),
            Self::SameName => format!("{what} has the name of another one: rename it"),
            Self::Variadic => {
                "it takes a variable number of arguments (...): such functions cannot be called yet; declare the \
                 parameters that you pass"
                    .to_owned()
            }
            Self::Convention(keyword) => format!("its calling convention {keyword} cannot be called yet"),
        }
    }
}
