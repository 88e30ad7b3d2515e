//! The paths of a configuration: relative to the file that says them, on Windows with `%VARIABLES%`.

use std::path::{Component, Path, PathBuf};

use super::super::values;
use super::{Document, OneOrMany};

/// A key, and why what it says is no path.
type Wrong = (String, String);

impl Document {
    /// Makes every path absolute, and puts in the values of variables.
    ///
    /// # Errors
    /// A variable that is not set.
    pub(super) fn resolve(&mut self, directory: &Path) -> Result<(), Wrong> {
        let mut paths: Vec<(String, &mut PathBuf)> = Vec::new();
        paths.extend(self.include.iter_mut().map(|path| ("include".to_owned(), path)));
        let single = [
            ("data_dir", &mut self.data_dir),
            ("bulk_dir", &mut self.bulk_dir),
            ("auth.keys_file", &mut self.auth.keys_file),
            ("metrics.token_file", &mut self.metrics.token_file),
            ("tls.certificate", &mut self.tls.certificate),
            ("tls.key", &mut self.tls.key),
        ];
        paths.extend(single.into_iter().filter_map(|(key, path)| Some((key.to_owned(), path.as_mut()?))));
        paths.extend(self.library_folders.iter_mut().flatten().map(|path| ("library_folders".to_owned(), path)));
        for (name, library) in &mut self.library {
            let fallbacks = library.fallback.iter_mut().flatten();
            let fallbacks = fallbacks.map(|fallback| ("fallback.", &mut fallback.file, &mut fallback.header));
            for (table, file, header) in fallbacks.chain([("", &mut library.file, &mut library.header)]) {
                let key = |leaf: &str| format!("library.{name}.{table}{leaf}");
                let headers = header.iter_mut().flat_map(|header| match header {
                    OneOrMany::One(path) => std::slice::from_mut(path),
                    OneOrMany::Many(paths) => paths.as_mut_slice(),
                });
                paths.extend(file.iter_mut().map(|path| (key("file"), path)));
                paths.extend(headers.map(|path| (key("header"), path)));
            }
        }
        for (key, path) in paths {
            if let Some(text) = path.to_str() {
                *path = expanded(text).map_err(|message| (key, message))?.into();
            }
            *path = absolute(directory, path);
        }
        for (name, runtime) in &mut self.runtime {
            runtime.directory = Some(directory.to_owned());
            let words = runtime.command.iter_mut().flatten().map(|word| ("command".to_owned(), word));
            let variables = runtime.env.iter_mut().map(|(variable, value)| (format!("env.{variable}"), value));
            for (leaf, text) in words.chain(variables) {
                *text = expanded(text).map_err(|message| (format!("runtime.{name}.{leaf}"), message))?;
            }
            if let Some(program) = runtime.command.as_mut().and_then(|command| command.first_mut()) {
                *program = resolve_program(program, directory);
            }
        }
        Ok(())
    }
}

/// A path of a configuration is relative to the file that says it. One with a drive is not; where the gateway does not run on Windows,
/// it is the runtime's own.
pub(super) fn absolute(directory: &Path, path: &Path) -> PathBuf {
    if path.to_str().is_some_and(values::has_drive) { path.to_owned() } else { clean(&directory.join(path)) }
}

/// A program beside the configuration file is meant before one of the search path.
fn resolve_program(program: &str, directory: &Path) -> String {
    let beside = directory.join(program);
    let has_folder = program.contains('/') || (cfg!(windows) && program.contains('\\'));
    if has_folder || beside.is_file() { clean(&beside).display().to_string() } else { program.to_owned() }
}

/// Without `.` components, which would show in every message.
fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

/// Elsewhere a percent sign is one like any other.
fn expanded(text: &str) -> Result<String, String> {
    if cfg!(windows) { expand(text, |name| std::env::var(name).ok()) } else { Ok(text.to_owned()) }
}

/// Puts in the values of `%VARIABLES%`. `%%` is a percent sign, and so is one that no name and second one follow.
fn expand(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('%') {
        let Some((name, after)) = behind.split_once('%') else { break };
        done += before;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_()".contains(c);
        if !name.chars().all(is_name) {
            done.push('%');
            rest = behind;
            continue;
        }
        if name.is_empty() {
            done.push('%');
            rest = after;
            continue;
        }
        done += &value(name).ok_or_else(|| {
            format!(
                "`{text}`: the environment has no variable {name}. A percent sign that is meant is written twice: %%"
            )
        })?;
        rest = after;
    }
    Ok(done + rest)
}

#[cfg(test)]
mod tests {
    fn expand(text: &str) -> Result<String, String> {
        super::expand(text, |name| (name == "ProgramFiles").then(|| r"C:\Program Files".to_owned()))
    }

    #[test]
    fn variables_have_their_values_put_in() {
        for (text, expected) in [
            (r"%ProgramFiles%\Vendor\calc.dll", r"C:\Program Files\Vendor\calc.dll"),
            (r"a\%ProgramFiles%%ProgramFiles%", r"a\C:\Program FilesC:\Program Files"),
            (r"100%\calc.dll", r"100%\calc.dll"),
            (r"100%\%ProgramFiles%", r"100%\C:\Program Files"),
            (r"50% of 100%\x", r"50% of 100%\x"),
            ("%%", "%"),
            (r"C:\My%%20Files%%\x", r"C:\My%20Files%\x"),
            ("%Y-%m", "%Y-%m"),
            ("", ""),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = expand(r"%VENDOR_HOME%\calc.dll").unwrap_err();
        assert!(error.contains("no variable VENDOR_HOME"), "{error}");
    }
}
