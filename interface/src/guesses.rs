//! What lies behind a pointer parameter where nothing says how much: one value, an array with its number behind it, or
//! something that only the library makes. All of it is listed as assumed.

use bridge32_protocol::interface::Extent;

use crate::counts::{self, Meaning};
use crate::parameters::{Decided, Passing, Role};
use crate::report::{Guess, Topic};
use crate::types::CType;
use crate::unsupported::Reason;

impl Passing<'_> {
    /// A pointer parameter of which nothing is said.
    pub(crate) fn guess(&mut self, to: &CType, constant: bool) -> Decided {
        if let CType::Struct(id) = to
            && let Some(maker) = self.around.usage.maker(id, constant)
        {
            let text = format!("a handle, because the library makes such structures itself: “{maker}” gives one out");
            self.notes.guess(Guess::Handle, text);
            return (self.handle_to(to, constant), None);
        }
        let name = &self.declared.name;
        let behind = if self.role == Role::Parameter { counts::behind(name, self.scope.operands) } else { None };
        let Some((meaning, extent, count)) = behind else {
            self.notes.guess(Guess::One, "one value, because nothing says how many");
            return (self.pointer_to(to, constant, Extent::One), None);
        };
        let is_array = match (meaning, to) {
            (Meaning::Count, CType::Struct(id)) => {
                !self.around.usage.is_taken_alone(id) || counts::is_named_after(count, name)
            }
            // Of an address, it is how much the library is to put there.
            (_, CType::Struct(_)) | (Meaning::Size, CType::Pointer { .. }) => false,
            (Meaning::Count | Meaning::Length, _) => true,
            (Meaning::Size, _) if self.around.types.size(to) == Some(1) => true,
            (Meaning::Size, _) => {
                let reason = Reason::Size(self.declared.spelling.clone(), count.to_owned());
                return (self.pointer_to(to, constant, Extent::One), Some(reason));
            }
        };
        if is_array {
            let text = format!("an array, and “{count}” is how many there are, because of the name of that parameter");
            self.notes.assume(Topic::Length, text);
            return (self.pointer_to(to, constant, extent), None);
        }
        let text = format!("one value, because nothing says that “{count}” is how many there are");
        self.notes.guess(Guess::One, text);
        (self.pointer_to(to, constant, Extent::One), None)
    }
}
