//! What to write into a header so that an assumption is one no more.

use bridge32_interface::{Finding, Guess, Topic};

use crate::dashboard::filters::text;

/// The word for what something is about, in English.
pub(super) const fn topic(what: Topic) -> &'static str {
    match what {
        Topic::Direction => text!("direction"),
        Topic::Length => text!("length"),
        Topic::Encoding => text!("encoding"),
        Topic::Convention => text!("convention"),
        Topic::Ownership => text!("ownership"),
    }
}

/// What confirms an assumption, or says otherwise; in English. NAME stands for the parameter, or `return`.
pub(super) fn hint(assumed: &Finding) -> &'static str {
    match assumed.what {
        Topic::Direction => text!(
            "If so, write `_Inout_` before the parameter, or `@param[in,out] NAME` in the comment; else `_In_` or `_Out_`."
        ),
        Topic::Length if assumed.guess == Some(Guess::Text) => {
            text!("If so, write `_In_z_` before the parameter. One that has a length: `@length NAME n` in the comment.")
        }
        Topic::Length if assumed.guess == Some(Guess::Handle) => {
            text!("If so, write `@handle NAME` in the comment. Data of a length: `@length NAME n`.")
        }
        Topic::Length if assumed.guess == Some(Guess::One) => text!(
            "If so, write `@length NAME 1` in the comment. An array: `@length NAME n`, or `_In_reads_(n)` before the parameter."
        ),
        Topic::Length => text!(
            "If so, write `@length NAME n` in the comment, or `_In_reads_(n)` or `_Out_writes_(n)` before the parameter."
        ),
        Topic::Encoding => text!(
            "If so, write `@encoding NAME utf-8` in the comment, or another encoding, such as gbk. `encoding` in the library's table is for all."
        ),
        Topic::Convention => {
            text!("If so, write `__cdecl` before the function's name; else `__stdcall` or what the vendor says.")
        }
        Topic::Ownership => {
            text!("If so, nothing need be written. If the caller has to free it: `@frees FUNCTION` in the comment.")
        }
    }
}
