//! `bridge32 call`: calls a function through a running gateway, and says how it is called.

pub(super) mod answer;
mod arguments;
mod buffers;
pub(super) mod example;
mod help;
mod parts;
pub(super) mod problem;
mod scalars;
pub(super) mod source;
mod typed;
mod values;
mod wishes;

use std::io::Write as _;

use bridge32_protocol::interface::Function;
use clap::{ArgAction, Args, CommandFactory as _};
use clap_complete::ArgValueCompleter;
use http::{Method, StatusCode};

use super::credentials::Access;
use super::request::{escape, read};
use super::{Failed, completions, note, print, session};
use crate::config::{Config, nearest};
use crate::json::Json;

use source::Known;

/// Call a function through a running gateway
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
Examples:
  bridge32 call                                   (lists the libraries)
  bridge32 call calc                              (lists the functions of calc)
  bridge32 call calc Add --help                   (explains one of them)
  bridge32 call calc Add a=2 b=3
  bridge32 call z crc32 crc=0 buf=@picture.png
  bridge32 call gfx Draw line.from.x=0 line.from.y=0 line.to.x=3 line.to.y=4
  bridge32 call z compress2 source=@page.html destLen=65536 level=9 --output dest=page.z
  bridge32 call calc Add a=2 b=3 --json | jq .result
  bridge32 call calc Slow n=5 --async             (prints the call's id; bridge32 calls ID waits for it)
  bridge32 call till Book cents=500 --idempotency-key 8e03978e    (sent again, it is not booked twice)

Values are read by the types of the header: text needs no quotes, numbers may be hexadecimal, constants and enumerators
go by name, and lists of numbers are written 1,2,3.
  name=VALUE        the value
  name=@FILE        what is in a file (@- is standard input): the bytes of a buffer, text, or JSON
  name=\"'TEXT'\"     text, whatever it looks like, also for the bytes of a buffer (the shell takes one pair of quotes)
  name=base64:…     the bytes of a buffer in base64; as numbers they are a list: 1,2,0xff
  name:=JSON        JSON, whatever the header says
  a.b=VALUE         a member of a structure; a.0=VALUE an element of a list

Address and key come from the configuration file (bridge32.toml of this folder, if there is one), unless options or
BRIDGE32_URL, BRIDGE32_KEY_ID and BRIDGE32_SECRET say otherwise."
)]
pub(super) struct Call {
    /// The library's name; without one, the libraries are listed
    #[arg(add = ArgValueCompleter::new(completions::libraries))]
    library: Option<String>,
    /// The function's name; without one, the library's functions are listed
    #[arg(add = ArgValueCompleter::new(completions::functions))]
    function: Option<String>,
    /// The arguments
    #[arg(value_name = "NAME=VALUE", add = ArgValueCompleter::new(completions::arguments))]
    arguments: Vec<String>,
    /// Print the whole answer as JSON
    #[arg(long)]
    json: bool,
    /// Write the bytes of an output, or of the result, into a file (- is standard output)
    #[arg(long, value_name = "NAME=FILE", value_parser = answer::output)]
    output: Vec<answer::Output>,
    /// Run the call in this session (bridge32 session new)
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    #[command(flatten)]
    wishes: wishes::Wishes,
    #[command(flatten)]
    access: Access,
    /// Explain the command, the library or the function
    #[arg(short, long, action = ArgAction::SetTrue)]
    help: bool,
}

impl Call {
    pub(super) fn run(self) -> Result<(), Failed> {
        let Some(library) = self.library.clone() else {
            if self.help {
                explain_itself();
                return Ok(());
            }
            return self.list_libraries();
        };
        let config = self.access.configuration()?;
        let gateway = self.access.gateway(config.as_ref())?;
        let configured = || config.as_ref().and_then(|config| source::of_configuration(config, &library));
        let known = source::of_gateway(&gateway, &library).or_else(configured);
        let Some(name) = self.function.clone() else { return self.list(&library, known.as_ref(), config.as_ref()) };
        let function = known.as_ref().and_then(|known| known.interface.function(&name)).map(|(_, function)| function);
        if self.help {
            return explain(&library, &name, known.as_ref(), function);
        }
        let arguments = match (&known, function) {
            (Some(known), Some(function)) => self
                .typed(known, function)
                .map_err(|why| Failed::usage(format!("{why}\n  usage: {}", help::usage(&library, function))))?,
            _ => self.untyped().map_err(Failed::usage)?,
        };
        let path = format!("/v1/libraries/{}/functions/{}", escape(&library), escape(&name));
        let body = serde_json::to_vec(&arguments).map_err(Failed::problem)?;
        let mut headers = self.wishes.headers()?;
        session::carry(&mut headers, self.session.as_deref())?;
        let (status, answer) = gateway.send(&Method::POST, &path, &headers, body.into())?.whole()?;
        let answer = std::str::from_utf8(&answer).ok().and_then(|text| Json::parse(text).ok());
        let other = || Failed::problem(format!("the answer ({status}) is not JSON: is that a bridge32 gateway?"));
        self.show(status, &answer.ok_or_else(other)?, &library, function)
    }

    /// The object of arguments for a declared function.
    fn typed(&self, known: &Known, function: &Function) -> Result<Json, String> {
        if function.unsupported.is_some() {
            return self.untyped();
        }
        arguments::object(&values::given(&self.arguments)?, function, &known.interface, &read)
    }

    fn untyped(&self) -> Result<Json, String> {
        values::untyped(&values::given(&self.arguments)?, &read)
    }

    fn show(
        &self,
        status: StatusCode,
        answer: &Json,
        library: &str,
        function: Option<&Function>,
    ) -> Result<(), Failed> {
        if self.json {
            print(answer.pretty());
        }
        if status == StatusCode::ACCEPTED {
            if let Some(id) = answer.get("call_id").and_then(Json::as_text).filter(|_| !self.json) {
                note(format_args!("the call goes on: bridge32 calls {id} --wait 60 waits for its outcome"));
                print(id);
            }
            return Ok(());
        }
        if !status.is_success() {
            let usage = function.map(|function| help::usage(library, function));
            return Err(Failed::problem(problem::text(status.as_u16(), answer, usage.as_deref())));
        }
        for output in &self.output {
            let bytes = output.bytes(answer, function).map_err(Failed::usage)?;
            let file = output.file();
            let written = match file.to_str() {
                Some("-") => std::io::stdout().write_all(&bytes),
                _ => std::fs::write(file, &bytes),
            };
            written.map_err(|error| Failed::problem(format!("cannot write {}: {error}", file.display())))?;
        }
        if !self.json && !self.output.iter().any(|output| output.file().to_str() == Some("-")) {
            answer::lines(answer, function, &self.output).iter().for_each(print);
            answer::notes(answer).iter().for_each(note);
        }
        Ok(())
    }

    /// `bridge32 call` alone: the libraries that there are.
    fn list_libraries(&self) -> Result<(), Failed> {
        let config = self.access.configuration()?;
        let gateway = self.access.gateway(config.as_ref())?;
        let address = gateway.address();
        let (shown, why) = match source::libraries_of_gateway(&gateway) {
            Ok(shown) => (shown, format!("no gateway at {address} shows its libraries")),
            Err((StatusCode::FORBIDDEN, why)) => {
                (None, format!("the gateway at {address} does not show its libraries: {why}"))
            }
            Err((_, why)) => {
                return Err(Failed::problem(format!("the gateway at {address} does not believe the key: {why}")));
            }
        };
        if shown.is_none() && config.is_some() {
            note(format_args!("{why}; these are the configuration's"));
        }
        let configured = || Some(config.as_ref()?.libraries.keys().cloned().collect());
        let names: Vec<String> = shown.or_else(configured).ok_or_else(|| {
            Failed::usage(format!(
                "which library? No gateway at {} shows its libraries, and there is no bridge32.toml here: --url and --config \
                 name others, and `bridge32 call --help` explains the command",
                gateway.address()
            ))
        })?;
        if self.json {
            print(serde_json::json!({ "libraries": names }));
        } else {
            print(help::libraries(&names));
        }
        Ok(())
    }

    fn list(&self, library: &str, known: Option<&Known>, config: Option<&Config>) -> Result<(), Failed> {
        let Some(known) = known else { return Err(Failed::problem(unknown_library(library, config))) };
        if self.json {
            print(serde_json::to_string_pretty(&known.interface.functions).map_err(Failed::problem)?);
        } else {
            print(help::list(library, &known.interface));
        }
        Ok(())
    }
}

/// `bridge32 call --help`
fn explain_itself() {
    let mut cli = super::Cli::command();
    cli.build();
    let help = cli.find_subcommand_mut("call").map(clap::Command::render_long_help);
    print(help.map(|help| help.to_string()).unwrap_or_default().trim_end());
}

fn explain(library: &str, name: &str, known: Option<&Known>, function: Option<&Function>) -> Result<(), Failed> {
    match (known, function) {
        (Some(known), Some(function)) => {
            print(help::function(library, function, &known.interface, known.target));
            Ok(())
        }
        (Some(known), None) => {
            let names = known.interface.functions.iter().map(|function| function.name.as_str());
            let near = nearest(name, names).map(|near| format!(". Did you mean `{near}`?")).unwrap_or_default();
            Err(Failed::problem(format!(
                "{library} declares no function `{name}`{near}\n  `bridge32 call {library}` lists the functions"
            )))
        }
        (None, _) => Err(Failed::problem(unknown_library(library, None))),
    }
}

fn unknown_library(library: &str, config: Option<&Config>) -> String {
    let names = || config.into_iter().flat_map(|config| config.libraries.keys().map(String::as_str));
    let near = nearest(library, names()).map(|near| format!("; did you mean `{near}`?"));
    let all: Vec<&str> = names().collect();
    let known = if all.is_empty() { String::new() } else { format!("; the configuration has {}", all.join(", ")) };
    format!(
        "nothing is known of a library `{library}`: no gateway shows it, and no configuration names it{}",
        near.unwrap_or(known)
    )
}

#[cfg(test)]
mod tests {
    use bridge32_interface::{Options, Source};
    use bridge32_protocol::interface::Interface;
    use bridge32_protocol::target::Target;

    /// What a header declares.
    pub(super) fn interface(header: &str) -> Interface {
        let source = Source { name: "a.h", text: header.as_bytes() };
        let read = bridge32_interface::read(&[source], &Options::new(Target::Win32));
        assert!(!read.interface.functions.is_empty(), "{:?}", read.diagnostics);
        read.interface
    }
}
