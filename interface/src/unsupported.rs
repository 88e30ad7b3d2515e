//! Why a function cannot be called, or a variable not be read, through the bridge, in words for its user: every reason there is.

/// A reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reason {
    /// A structure or union whose layout is not known: its spelling, and what is wrong with it.
    Structure(String, String),
    /// One without a body, by value or as the element of an array.
    Incomplete(String),
    /// A pointer to a function that cannot be called back: its spelling, and why not.
    Callback(String, String),
    /// `long double` and the like.
    Type(String),
    /// One whose size, layout or alignment is not known: its spelling, and why.
    Layout(String, String),
    /// A type that nobody declared.
    Unknown(String),
    /// A text buffer of unknown size.
    TextCapacity(String),
    /// A byte buffer of unknown size.
    ByteBuffer(String),
    /// An array of unknown size.
    ArrayLength(String),
    /// Values, and a number that may be theirs or that of their bytes: the spelling, and the number's name.
    Size(String, String),
    /// A length that is not understood: why not.
    Length(String),
    /// Two parameters have one name.
    SameName,
    /// A calling convention that cannot be called.
    Convention(String),
}

/// What a reason is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About<'a> {
    Parameter(&'a str),
    Result,
    /// A variable by itself.
    Variable,
}

impl About<'_> {
    fn words(self) -> String {
        match self {
            Self::Parameter(name) => format!("the parameter “{name}”"),
            Self::Result => "the result".to_owned(),
            Self::Variable => "the variable".to_owned(),
        }
    }

    /// How to make a handle of it.
    fn handle(self) -> String {
        match self {
            Self::Parameter(name) => format!("`@handle {name}`"),
            Self::Result => "`@handle return`".to_owned(),
            Self::Variable => "a pointer to it".to_owned(),
        }
    }
}

impl Reason {
    /// The reason in words.
    pub(crate) fn text(&self, about: About) -> String {
        let what = about.words();
        let handle = about.handle();
        match self {
            Self::Structure(spelling, problem) => format!(
                "{what} is a structure ({spelling}) that cannot be passed, because {problem}; behind a pointer, say how \
                 many bytes it has (`_Inout_updates_bytes_(16)`), or pass a block of memory ({handle})"
            ),
            Self::Incomplete(spelling) => format!(
                "{what} is a structure ({spelling}) whose members are not declared here: add its definition, or the \
                 header it is in"
            ),
            Self::Callback(spelling, problem) => {
                format!("{what} is a pointer to a function ({spelling}) that cannot be called back: {problem}")
            }
            Self::Type(spelling) => format!("{what} has the type {spelling}, which cannot be passed yet"),
            Self::Layout(spelling, why) => format!(
                "{what} has the type {spelling}, which cannot be passed, because {why}; where another type says the same, \
                 declare it with that"
            ),
            Self::Unknown(name) => {
                format!(
                    "{what} has the type {name}, which is not declared here: add its typedef, or the header it is in"
                )
            }
            Self::TextCapacity(spelling) => format!(
                "{what} is a text buffer ({spelling}) of unknown size: say how long the buffer is, with \
                 `_Out_writes_(n)` or `@length n`; if it is only read, declare it `const` or say `_In_` or \
                 `@param[in]`; if the library keeps it, pass a block of memory ({handle})"
            ),
            Self::ByteBuffer(spelling) => format!(
                "{what} points to bytes ({spelling}), and the header does not say how many: write \
                 `_In_reads_bytes_(n)`, `_Out_writes_bytes_(n)` or `_Out_writes_bytes_to_(*n, *n)` before it, or \
                 `@length n` into its comment; if it is one single byte, say `_In_`, `_Out_` or `_Inout_`; if the \
                 library keeps it, pass a block of memory ({handle})"
            ),
            Self::ArrayLength(spelling) if matches!(about, About::Variable) => {
                format!("{what} is an array ({spelling}) of unknown size: write the number of its elements between []")
            }
            Self::ArrayLength(spelling) => format!(
                "{what} is an array ({spelling}) of unknown size: say how many elements it has, with `_In_reads_(n)`, \
                 `_Out_writes_(n)` or `@length n`, or pass a block of memory ({handle})"
            ),
            Self::Size(spelling, size) => format!(
                "{what} points to values ({spelling}), and “{size}” may be how many there are, or how many bytes they \
                 have: write `_In_reads_({size})` or `_In_reads_bytes_({size})` before it (`_Out_writes_…`, \
                 `_Inout_updates_…`), or `@length n` into its comment; if it is one value, say `_In_`, `_Out_` or \
                 `_Inout_`; if the library keeps it, pass a block of memory ({handle})"
            ),
            Self::Length(reason) => format!("the length of {what} is not understood: {reason}"),
            Self::SameName => format!("{what} has the name of another one: rename it"),
            Self::Convention(keyword) => format!("its calling convention {keyword} cannot be called yet"),
        }
    }
}
