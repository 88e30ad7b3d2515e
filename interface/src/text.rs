//! Pointers to characters: which are text, and where it ends.

use bridge32_protocol::interface::{Direction, Expression, Extent, Length};

use crate::builtin;
use crate::extents::Extents;
use crate::findings::annotation;
use crate::parameters::{Passing, Role, is_byte};
use crate::report::{Guess, Topic};
use crate::types::{ArraySize, CType, Characters};
use crate::unsupported::Reason;

impl Passing<'_> {
    /// Whether what is pointed to is text. Characters that are counted in bytes are data, unless they are said to be a
    /// string; and bytes are one if that is said.
    pub(crate) fn characters(&self, to: &CType, in_bytes: bool) -> Option<Characters> {
        let terminated = self.is_terminated();
        match to {
            CType::Scalar { characters: Some(characters), .. } => {
                (*characters != Characters::Narrow || !in_bytes || terminated).then_some(*characters)
            }
            CType::Scalar { .. } if is_byte(to) => {
                (terminated || self.declared.documentation.encoding.is_some()).then_some(Characters::Narrow)
            }
            _ => None,
        }
    }

    /// Whether the library may give a buffer here that no NUL character ends: reading a string could go beyond it.
    pub(crate) fn may_be_a_buffer(&self, constant: bool) -> bool {
        let declared = self.declared;
        let says_text = constant
            || self.is_terminated()
            || declared.stated_direction().is_some()
            || declared.documentation.encoding.is_some()
            || self.is_string_type();
        self.role == Role::CallbackParameter && !says_text
    }

    /// Whether the name of its type says that it is a string.
    fn is_string_type(&self) -> bool {
        self.declared.spelling.split_whitespace().any(builtin::is_string)
    }

    /// What says that a NUL character ends the string.
    fn note_terminated(&mut self) {
        if let Some(sal) = self.declared.sal.iter().find(|sal| sal.terminated && !sal.inner) {
            let text = format!("a NUL-terminated string: {}", annotation(sal));
            self.notes.state(Topic::Length, text, Some(sal.at));
        }
    }

    fn has_fixed_size(&self, capacity: &Length) -> bool {
        let array = matches!(self.declared.ty.ty, CType::Array { size: ArraySize::Known(_), .. });
        array && matches!(capacity.count, Expression::Constant(_))
    }

    fn is_terminated(&self) -> bool {
        self.declared.sal.iter().any(|sal| sal.terminated && !sal.inner)
    }

    pub(crate) fn text(
        &mut self,
        characters: Characters,
        constant: bool,
        extents: Option<Extents>,
    ) -> (Extent, Option<Reason>) {
        let encoding = self.encoding(characters);
        let input = self.declared.direction(self.role) == Direction::In;
        let terminated = self.is_terminated();
        match extents {
            // `const char code[4]`: a library that reads all of it must not read beyond it, NUL or not.
            Some(Extents { capacity, written }) if !(input && terminated) || self.has_fixed_size(&capacity) => {
                (Extent::TextBuffer { encoding, capacity, written }, None)
            }
            _ if self.role == Role::Result => {
                if terminated {
                    self.note_terminated();
                } else {
                    let text = "a NUL-terminated string, because it points to characters";
                    self.notes.guess(Guess::Text, text);
                }
                if self.declared.frees.is_none() {
                    let text = "the library keeps the string, because nothing says that the caller frees it";
                    self.notes.assume(Topic::Ownership, text);
                }
                (Extent::Text(encoding), None)
            }
            _ if input => {
                if !terminated && matches!(self.role, Role::Parameter | Role::CallbackParameter) {
                    let why = match constant {
                        true => "it points to const characters",
                        false if self.is_string_type() => "the name of its type says so",
                        false => "it is an input without a length",
                    };
                    self.notes.guess(Guess::Text, format!("a NUL-terminated string, because {why}"));
                }
                self.note_terminated();
                (Extent::Text(encoding), None)
            }
            _ => {
                let spelling = self.declared.spelling.clone();
                (Extent::Text(encoding), Some(Reason::TextCapacity(spelling)))
            }
        }
    }
}
