//! What a check finds: what was looked at, what is so, and what to do about it.

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Good to know; nothing has to be done.
    Note,
    /// Something does not work as somebody may expect, or soon will not.
    Warning,
    /// It keeps the gateway from starting, or a library from being called.
    Problem,
}

impl Level {
    /// The word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// How much it matters.
    pub(super) level: Level,
    /// Which check found it.
    pub(super) check: &'static str,
    /// What was looked at: a file, a key of the configuration, a library.
    pub(super) subject: String,
    /// What is so, and why that matters.
    pub(super) found: String,
    /// What to do: a command or an edit where possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
    /// Where more of it stands, from the project's root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) docs: Option<&'static str>,
}

/// Everything that was found, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Findings {
    all: Vec<Finding>,
    check: &'static str,
}

impl Findings {
    /// What comes now is found by this check.
    pub(super) fn begin(&mut self, check: &'static str) {
        self.check = check;
    }

    /// It is as it should be.
    pub(super) fn ok(&mut self, subject: impl Into<String>, found: impl Into<String>) {
        self.add(Level::Ok, subject, found);
    }

    /// It is good to know.
    pub(super) fn note(&mut self, subject: impl Into<String>, found: impl Into<String>) -> Added<'_> {
        self.add(Level::Note, subject, found)
    }

    /// It may not be what somebody expects.
    pub(super) fn warning(&mut self, subject: impl Into<String>, found: impl Into<String>) -> Added<'_> {
        self.add(Level::Warning, subject, found)
    }

    /// It has to be mended.
    pub(super) fn problem(&mut self, subject: impl Into<String>, found: impl Into<String>) -> Added<'_> {
        self.add(Level::Problem, subject, found)
    }

    /// Any of them.
    pub(super) fn add(&mut self, level: Level, subject: impl Into<String>, found: impl Into<String>) -> Added<'_> {
        let (subject, found) = (subject.into(), found.into());
        // Errors often begin with what they are about.
        let found = found.strip_prefix(&format!("{subject}: ")).map_or_else(|| found.clone(), str::to_owned);
        let finding = Finding { level, check: self.check, subject, found, remedy: None, docs: None };
        self.all.push(finding);
        Added(self.all.last_mut())
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Finding] {
        &self.all
    }

    /// The same with another word for a text, for tests whose folders have a new name each time.
    #[cfg(test)]
    pub(super) fn masked(mut self, text: &str, word: &str) -> Self {
        for finding in &mut self.all {
            finding.subject = finding.subject.replace(text, word);
            finding.found = finding.found.replace(text, word);
            finding.remedy = finding.remedy.take().map(|remedy| remedy.replace(text, word));
        }
        self
    }

    /// How many there are of a level.
    pub(super) fn count(&self, level: Level) -> usize {
        self.all.iter().filter(|finding| finding.level == level).count()
    }
}

/// A finding that was just added, to be completed.
pub(super) struct Added<'a>(Option<&'a mut Finding>);

impl Added<'_> {
    /// What to do about it.
    pub(super) fn remedy(mut self, text: impl Into<String>) -> Self {
        if let Some(finding) = &mut self.0 {
            finding.remedy = Some(text.into());
        }
        self
    }

    /// Where more of it stands.
    pub(super) fn see(mut self, page: &'static str) -> Self {
        if let Some(finding) = &mut self.0 {
            finding.docs = Some(page);
        }
        self
    }
}
