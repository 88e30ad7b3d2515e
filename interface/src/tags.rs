//! Joins what annotations and comments say with the parameters, the result or the member that they speak of.

use std::collections::HashSet;

use bridge32_protocol::interface::Release;

use crate::documentation::{Documentation, ParameterDocumentation, Subject, Tag, TagKind};
use crate::doxygen;
use crate::lengths;
use crate::parameters::{Declared, Surroundings};
use crate::prototypes::{FunctionParameter, FunctionType, Place};
use crate::report::Reporter;
use crate::sal::Sal;
use crate::source::Position;
use crate::tag_values;
use crate::types::{CType, Qualified};

/// Whose parameters are joined: for diagnostics.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'o> {
    /// The function's name; empty for the type of a callback.
    pub(crate) name: &'o str,
    pub(crate) at: Position,
}

/// The parameters of a function with all that was said of them, and the names that two of them have.
pub(crate) fn declare(
    function: &FunctionType,
    documentation: &mut Documentation,
    around: &Surroundings,
    owner: Owner,
    reporter: &mut Reporter,
) -> (Vec<Declared>, Vec<String>) {
    let mut declared = Vec::with_capacity(function.parameters.len());
    let (mut names, mut doubled) = (HashSet::new(), Vec::new());
    for (index, raw) in function.parameters.iter().enumerate() {
        let free = || free_name(index, &function.parameters);
        let mut name = raw.name.clone().unwrap_or_else(free);
        if !names.insert(name.clone()) {
            let whose = if owner.name.is_empty() { "a callback" } else { owner.name };
            reporter.error(raw.place.at, format!("two parameters of “{whose}” have the name “{name}”: rename one"));
            doubled.push(name);
            name = free();
        }
        let own = comment_of(&name, raw.place, documentation, around, reporter);
        declared.push(one(name, &raw.ty, &raw.spelling, &raw.sal, raw.place.at, own));
    }
    (declared, doubled)
}

fn free_name(index: usize, parameters: &[FunctionParameter]) -> String {
    let taken = |name: &str| parameters.iter().any(|raw| raw.name.as_deref() == Some(name));
    let mut name = format!("arg{index}");
    while taken(&name) {
        name.push('_');
    }
    name
}

/// Something of which nothing is said but this.
pub(crate) fn one(
    name: String,
    ty: &Qualified,
    spelling: &str,
    sal: &[Sal<'static>],
    at: Position,
    documentation: ParameterDocumentation,
) -> Declared {
    Declared {
        name,
        ty: ty.clone(),
        spelling: spelling.to_owned(),
        at,
        sal: sal.to_vec(),
        documentation,
        length: None,
        handle: false,
        frees: None,
        releases: None,
        sensitive: false,
    }
}

/// What the comments say of a parameter or member: that of the whole, or the one in the list. The tags of the latter
/// join those of the whole.
pub(crate) fn comment_of(
    name: &str,
    place: Place,
    whole: &mut Documentation,
    around: &Surroundings,
    reporter: &mut Reporter,
) -> ParameterDocumentation {
    let mut documented = whole.parameter(name).cloned().unwrap_or_default();
    let Some(comment) = around.comments.of(place) else { return documented };
    let own = doxygen::read_of(comment.text, name);
    for problem in &own.problems {
        reporter.warning(comment.at, problem.clone());
    }
    if let Some(own) = own.parameter(name) {
        if documented.text.is_empty() {
            documented.text.clone_from(&own.text);
        }
        documented.encoding = documented.encoding.or_else(|| own.encoding.clone());
        documented.direction = documented.direction.or(own.direction);
    }
    whole.tags.extend(own.tags);
    documented
}

/// Carries out the tags that speak of parameters, members or the result.
pub(crate) fn apply(
    documentation: &Documentation,
    declared: &mut [Declared],
    mut result: Option<&mut Declared>,
    around: &Surroundings,
    owner: Owner,
    reporter: &mut Reporter,
) {
    let last = documentation.parameters.last().map(|parameter| parameter.name.clone());
    for tag in &documentation.tags {
        let mut targets = Targets { declared, result: result.as_deref_mut(), last: last.as_deref() };
        if let Err(problem) = targets.apply(tag, around) {
            reporter.error(owner.at, format!("“{} {}”{}: {problem}", tag.kind.word(), tag.text, of(owner)));
        }
    }
}

fn of(owner: Owner) -> String {
    if owner.name.is_empty() { String::new() } else { format!(" of “{}”", owner.name) }
}

/// The arguments behind the last parameter, as `@sensitive` names them.
const EXTRA: &str = "...";

/// Whether the arguments behind the last parameter are said to be sensitive.
pub(crate) fn hides_extra(documentation: &Documentation) -> bool {
    let mut tags = documentation.tags.iter().filter(|tag| tag.kind == TagKind::Sensitive);
    tags.any(|tag| sensitive_names(tag).any(|name| name == EXTRA))
}

fn sensitive_names(tag: &Tag) -> impl Iterator<Item = &str> {
    tag.text.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty())
}

/// What a tag may speak of.
struct Targets<'t> {
    declared: &'t mut [Declared],
    result: Option<&'t mut Declared>,
    /// The parameter that the comment described last.
    last: Option<&'t str>,
}

impl Targets<'_> {
    fn apply(&mut self, tag: &Tag, around: &Surroundings) -> Result<(), String> {
        let (first, rest) = tag.text.split_once(char::is_whitespace).unwrap_or((&tag.text, ""));
        let rest = rest.trim();
        match tag.kind {
            TagKind::Length => {
                let named = !rest.is_empty() && self.named(first, is_pointer).is_some();
                let (target, text) = if named {
                    (self.named(first, is_pointer), rest)
                } else {
                    (self.subject(&tag.subject, is_pointer), &*tag.text)
                };
                let target =
                    target.ok_or_else(|| format!("it does not say of which pointer: write `@length buffer {text}`"))?;
                target.length = Some(lengths::tokens(text, target.at));
            }
            TagKind::Handle => {
                let target = match self.named(first, is_pointer) {
                    Some(target) => Some(target),
                    None if first.is_empty() => self.subject(&tag.subject, is_pointer),
                    None => None,
                };
                target.ok_or("it names no pointer: write `@handle` and the name of a parameter, or `return`")?.handle =
                    true;
            }
            TagKind::Frees => {
                let fits = if first == "return" { gives_or_takes } else { gives_address };
                let named = !rest.is_empty() && self.named(first, fits).is_some();
                let (target, function) =
                    if named { (self.named(first, fits), rest) } else { (self.freed(&tag.subject), first) };
                let function = function.split_whitespace().next().unwrap_or_default();
                let function = function.trim_end_matches(['.', ',', ';', '(', ')']);
                let target =
                    target.ok_or("it does not say of what: the result is no pointer; name a parameter first")?;
                if function.is_empty() {
                    return Err("the function that frees is missing".to_owned());
                }
                target.frees = Some(function.to_owned());
            }
            TagKind::Releases => self.release(tag, first, rest, around)?,
            TagKind::Sensitive => self.hide(tag)?,
        }
        Ok(())
    }

    /// `@sensitive`, with any number of names: a typing error must not go unnoticed.
    fn hide(&mut self, tag: &Tag) -> Result<(), String> {
        let any = |_: &CType| true;
        let mut names = sensitive_names(tag).peekable();
        if names.peek().is_none() {
            let target = self.subject(&tag.subject, any);
            target.ok_or("it does not say of what: write `@sensitive` and the name, or `return`")?.sensitive = true;
        }
        for name in names.filter(|name| *name != EXTRA) {
            let target = self.named(name, any);
            target.ok_or_else(|| format!("there is no parameter or member “{name}”"))?.sensitive = true;
        }
        Ok(())
    }

    fn release(&mut self, tag: &Tag, first: &str, rest: &str, around: &Surroundings) -> Result<(), String> {
        let named = self.named(first, gives_or_takes).is_some();
        let condition = if named { rest } else { &*tag.text };
        let constant = |name: &str| around.types.constants.get(name).copied();
        let release = tag_values::release(condition, constant);
        let numeric = self.result.as_deref().is_some_and(|result| matches!(result.ty.ty, CType::Scalar { .. }));
        let target = match (named, &tag.subject) {
            (true, _) => self.named(first, gives_or_takes),
            (false, Subject::Result) => None,
            (false, subject) => self.subject(subject, gives_or_takes),
        };
        let target = target.ok_or("it names no pointer or handle among the parameters")?;
        let release = release.ok_or("behind the parameter, only a condition such as `if return == 0` goes")?;
        if !numeric && release != Release::Always {
            return Err("the result is no number that could be compared".to_owned());
        }
        target.releases = Some(release);
        Ok(())
    }

    fn named(&mut self, name: &str, fits: impl Fn(&CType) -> bool) -> Option<&mut Declared> {
        if name == "return" {
            return self.result.as_deref_mut().filter(|result| fits(&result.ty.ty));
        }
        self.declared.iter_mut().find(|declared| declared.name == name && fits(&declared.ty.ty))
    }

    /// What a tag without a name speaks of: where it stands, or the only one that it can mean.
    fn subject(&mut self, subject: &Subject, fits: impl Fn(&CType) -> bool) -> Option<&mut Declared> {
        let name = match subject {
            Subject::Parameter(name) => Some(&**name),
            Subject::Result if self.named("return", &fits).is_some() => Some("return"),
            Subject::Result => self.last,
            Subject::Whole => None,
        };
        if let Some(name) = name {
            return self.named(name, fits);
        }
        let mut all = self.declared.iter_mut().filter(|declared| fits(&declared.ty.ty));
        let only = all.next()?;
        all.next().is_none().then_some(only)
    }

    /// What `@frees` without a name speaks of: the parameter that it stands with, if it gives an address, or the result.
    fn freed(&mut self, subject: &Subject) -> Option<&mut Declared> {
        if let Subject::Parameter(name) = subject {
            // A member, where there is no result.
            let member = self.result.is_none();
            let fits = |ty: &CType| gives_address(ty) || (member && gives_or_takes(ty));
            if self.named(name, fits).is_some() {
                return self.named(name, fits);
            }
        }
        self.named("return", gives_or_takes)
    }
}

fn is_pointer(ty: &CType) -> bool {
    matches!(ty, CType::Pointer { .. } | CType::Array { .. })
}

/// Whether an address is passed.
fn gives_or_takes(ty: &CType) -> bool {
    is_pointer(ty) || matches!(ty, CType::Handle { .. } | CType::Bstr)
}

/// Whether a function can hand an address out through it.
fn gives_address(ty: &CType) -> bool {
    let (CType::Pointer { to, .. } | CType::Array { of: to, .. }) = ty else { return false };
    gives_or_takes(to)
}
