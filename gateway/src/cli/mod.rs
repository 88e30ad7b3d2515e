//! The program `bridge32`: one file a command. Data goes to standard output, everything else to standard error.

mod call;
mod calls;
mod check;
mod client;
mod completions;
mod credentials;
mod curl;
mod doctor;
mod exports;
mod headers;
mod import;
mod init;
mod interface;
mod keys;
mod openapi;
mod password;
mod reload;
mod request;
mod serve;
mod session;
mod sign;
mod sign_in;
pub(crate) mod words;

use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the exit codes of every command mean.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the bridge, the library or the configuration has a problem; standard error says which
  2  the command line is wrong
  3  no gateway answers";

/// Call the functions of 32-bit libraries from 64-bit programs, over REST.
#[derive(Debug, Parser)]
#[command(name = "bridge32", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
    Call(call::Call),
    Calls(Box<calls::Calls>),
    Curl(curl::Curl),
    Sign(sign::Sign),
    Exports(exports::Exports),
    Interface(interface::Interface),
    Import(import::Import),
    Check(check::Check),
    Doctor(doctor::Doctor),
    Openapi(openapi::Openapi),
    Keys(keys::Keys),
    Session(session::Session),
    Reload(reload::Reload),
    SignIn(sign_in::SignIn),
    Password(password::Password),
    Completions(completions::Completions),
}

/// Why a command did not do what it should: the text says what to do next.
#[derive(Debug)]
struct Failed {
    code: u8,
    text: String,
}

impl Failed {
    /// The bridge, the library or the configuration has a problem.
    fn problem(text: impl Display) -> Self {
        Self { code: 1, text: text.to_string() }
    }

    /// The command line is wrong.
    fn usage(text: impl Display) -> Self {
        Self { code: 2, text: text.to_string() }
    }

    /// No gateway answers.
    fn unreached(text: impl Display) -> Self {
        Self { code: 3, text: text.to_string() }
    }
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    completions::answer();
    let result = match Cli::parse().command {
        Command::Init(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Call(command) => command.run(),
        Command::Calls(command) => command.run(),
        Command::Curl(command) => command.run(),
        Command::Sign(command) => command.run(),
        Command::Exports(command) => command.run(),
        Command::Interface(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Openapi(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Session(command) => command.run(),
        Command::Reload(command) => command.run(),
        Command::SignIn(command) => command.run(),
        Command::Password(password::Password {}) => password::Password::run(),
        Command::Completions(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { code, text }) => {
            if !text.is_empty() {
                note(format_args!("bridge32: {text}"));
            }
            ExitCode::from(code)
        }
    }
}

/// The configuration file of a command: as given, or `bridge32.toml` of this folder.
fn config_file(given: Option<PathBuf>) -> PathBuf {
    given.unwrap_or_else(|| PathBuf::from("bridge32.toml"))
}

/// A line of the command's data. Whoever reads it may stop early, as `head` does: then there is nothing left to do.
fn print(line: impl Display) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// A line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the log is not set up for commands that only print")]
fn note(line: impl Display) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_options_fit_together() {
        super::Cli::command().debug_assert();
    }
}
