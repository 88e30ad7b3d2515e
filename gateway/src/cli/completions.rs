//! `bridge32 completions`: completion for shells, with the names of the configuration's libraries and their functions.
//!
//! The script that a shell loads runs this program at each TAB, with [`VARIABLE`] set; [`answer`] then prints what fits,
//! before the command line is parsed. So the names are those of the configuration as it is at that moment.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, CompletionCandidate};

use super::call::source::{self, Known};
use super::words::first_sentence;
use super::{Cli, Failed};
use crate::config::{self, Config};

/// What the script sets.
const VARIABLE: &str = "BRIDGE32_COMPLETE";

/// Print the script that completes command lines in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(bridge32 completions bash)                       (in ~/.bashrc)
  source <(bridge32 completions zsh)                        (in ~/.zshrc)
  bridge32 completions fish | source                        (in ~/.config/fish/config.fish)
  bridge32 completions powershell | Out-String | iex        (in $PROFILE)
  eval (bridge32 completions elvish | slurp)                (in ~/.config/elvish/rc.elv)

Names of libraries and functions are those of --config, BRIDGE32_CONFIG, or bridge32.toml of the folder.")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish", "powershell", "elvish"])]
    shell: String,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failed> {
        let shells = Shells::builtins();
        let shell = shells.completer(&self.shell).ok_or_else(|| Failed::usage("there is no such shell"))?;
        // This very program, so that it need not be on the PATH.
        let program = std::env::current_exe().map_err(Failed::problem)?;
        let mut script = Vec::new();
        shell
            .write_registration(VARIABLE, "bridge32", "bridge32", &program.to_string_lossy(), &mut script)
            .map_err(Failed::problem)?;
        super::print(String::from_utf8_lossy(&script).trim_end());
        Ok(())
    }
}

/// If a shell asks, prints what fits and ends the process.
pub(super) fn answer() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

/// The libraries of the configuration.
pub(super) fn libraries(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(config) = configuration() else { return Vec::new() };
    candidates(current, config.libraries.iter().map(|(name, table)| (name.clone(), table.file.display())))
}

/// The functions of the library that stands before.
pub(super) fn functions(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((known, _)) = known() else { return Vec::new() };
    let callable = known.interface.functions.iter().filter(|function| function.unsupported.is_none());
    candidates(current, callable.map(|function| (function.name.clone(), first_sentence(&function.description))))
}

/// The arguments of the function that stands before.
pub(super) fn arguments(current: &OsStr) -> Vec<CompletionCandidate> {
    use bridge32_protocol::interface::Direction;
    let Some((known, Some(name))) = known() else { return Vec::new() };
    let Some((_, function)) = known.interface.function(&name) else { return Vec::new() };
    let given = words();
    let missing = function.parameters.iter().filter(|parameter| {
        let start = format!("{}=", parameter.name);
        parameter.direction != Direction::Out && !given.iter().any(|word| word.starts_with(&start))
    });
    candidates(current, missing.map(|parameter| (format!("{}=", parameter.name), parameter.description.clone())))
}

fn candidates(current: &OsStr, all: impl Iterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let start = current.to_string_lossy();
    let fitting = all.filter(|(name, _)| name.starts_with(&*start));
    fitting
        .map(|(name, about)| {
            let about = first_sentence(&about);
            CompletionCandidate::new(name).help((!about.is_empty()).then(|| about.into()))
        })
        .collect()
}

/// The words of the command line that is completed: they stand behind `--`.
fn words() -> Vec<String> {
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

fn configuration() -> Option<Config> {
    let words = words();
    let given = value_of(&words, "--config")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("BRIDGE32_CONFIG").map(PathBuf::from));
    config::load(&super::config_file(given), std::env::vars()).ok().map(|loaded| loaded.config)
}

/// The interface of the library that the line names, and the function.
fn known() -> Option<(Known, Option<String>)> {
    let words = words();
    let mut named = positional(&words).into_iter();
    let library = named.next()?;
    let known = source::of_configuration(&configuration()?, &library)?;
    Some((known, named.next()))
}

fn value_of(words: &[String], option: &str) -> Option<String> {
    let at = words.iter().position(|word| word.starts_with(option))?;
    match words[at].strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
        Some(value) => Some(value.to_owned()),
        None => words.get(at + 1).cloned(),
    }
}

/// What stands behind `call`, without options and their values.
fn positional(words: &[String]) -> Vec<String> {
    let mut rest = words.iter().skip_while(|word| *word != "call").skip(1);
    let mut found = Vec::new();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--config" | "--url" | "--key" | "--key-file" | "--output" => drop(rest.next()),
            word if word.starts_with('-') => {}
            word => found.push(word.to_owned()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_library_and_the_function_are_found_between_options() {
        let words = split("bridge32 call --config a.toml --json calc Add a=1");
        assert_eq!(positional(&words), ["calc", "Add", "a=1"]);
        assert_eq!(value_of(&words, "--config").as_deref(), Some("a.toml"));
        assert_eq!(value_of(&split("bridge32 call --config=b.toml"), "--config").as_deref(), Some("b.toml"));
        assert!(positional(&split("bridge32 check calc")).is_empty());
    }

    #[test]
    fn what_fits_is_offered_with_its_first_sentence() {
        let all = [("Add".to_owned(), "Adds. Slowly.".to_owned()), ("Sub".to_owned(), String::new())];
        let fitting = candidates(OsStr::new("A"), all.into_iter());
        assert_eq!(fitting.len(), 1);
        assert_eq!(fitting[0].get_help().map(ToString::to_string).as_deref(), Some("Adds"));
    }
}
