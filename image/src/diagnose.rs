//! Why a process of a given kind cannot load a file, before anybody tries.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::dependencies::{Problem, Report};
use crate::model::{Dotnet, Format, Image, Kind};

/// What a process can load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Wanted {
    /// The file format of its system.
    pub format: Format,
    /// The architecture it runs as.
    pub architecture: Architecture,
}

impl Wanted {
    /// What the runtime of that name (`linux32`, `win32`, `linux64`, `win64`) can load; `None` for other names.
    pub fn by_runtime(name: &str) -> Option<Self> {
        let (format, architecture) = match name {
            "linux32" => (Format::Elf, Architecture::X86),
            "win32" => (Format::Pe, Architecture::X86),
            "linux64" => (Format::Elf, Architecture::X86_64),
            "win64" => (Format::Pe, Architecture::X86_64),
            _ => return None,
        };
        Some(Self { format, architecture })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.format, self.architecture)
    }
}

/// Something a person should know before loading a file. As JSON it has the key `finding` and its own fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum Finding {
    /// The file is for another system.
    WrongFormat {
        /// The file's format.
        format: Format,
        /// What the process can load.
        wanted: Wanted,
        /// The runtime that could load it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runtime: Option<String>,
    },
    /// The file is for another processor, or for another pointer size.
    WrongArchitecture {
        /// The file's architecture.
        architecture: Architecture,
        /// What the process can load.
        wanted: Wanted,
        /// The runtime that could load it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runtime: Option<String>,
    },
    /// A .NET assembly.
    Dotnet {
        /// Managed, or managed and native.
        content: Dotnet,
        /// How many native exports it has.
        exports: usize,
    },
    /// The file is no library.
    NotALibrary {
        /// What it is.
        kind: Kind,
    },
    /// A library that it needs is missing or of no use.
    Dependency(Problem),
    /// The file exports nothing that could be called.
    NoExports,
}

impl Finding {
    /// True if loading cannot work; otherwise it is a warning.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::WrongFormat { .. } | Self::WrongArchitecture { .. } | Self::NotALibrary { .. } => true,
            Self::Dotnet { exports, .. } => *exports == 0,
            Self::Dependency(problem) => !problem.delayed,
            Self::NoExports => false,
        }
    }
}

/// What stands against loading `image` into a process that can load `wanted`. Findings that make loading fail come first.
///
/// Dependencies are a separate question, because the answer needs the file system: [`crate::dependencies::check`], and
/// [`dependency_findings`] for its answer.
pub fn diagnose(image: &Image, wanted: Wanted) -> Vec<Finding> {
    let mut findings = Vec::new();
    let runtime = || image.runtime().map(str::to_owned);
    if image.format != wanted.format {
        findings.push(Finding::WrongFormat { format: image.format, wanted, runtime: runtime() });
    } else if image.architecture != wanted.architecture {
        findings.push(Finding::WrongArchitecture { architecture: image.architecture, wanted, runtime: runtime() });
    }
    if image.kind != Kind::Library {
        findings.push(Finding::NotALibrary { kind: image.kind });
    }
    if !image.dotnet.is_none() {
        findings.push(Finding::Dotnet { content: image.dotnet, exports: image.exports.len() });
    } else if image.kind == Kind::Library && image.exports.is_empty() {
        findings.push(Finding::NoExports);
    }
    findings.sort_by_key(|finding| !finding.is_fatal());
    findings
}

/// The findings in what [`crate::dependencies::check`] reports.
pub fn dependency_findings(report: Report) -> Vec<Finding> {
    let mut findings: Vec<_> = report.problems.into_iter().map(Finding::Dependency).collect();
    findings.sort_by_key(|finding| !finding.is_fatal());
    findings
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongFormat { format, wanted, runtime } => {
                write!(f, "the file is a {format} file, but this process loads {wanted}{}", Advice(runtime.as_ref()))
            }
            Self::WrongArchitecture { architecture, wanted, runtime } => write!(
                f,
                "the file is for {architecture}, but this process loads {wanted}; Windows calls this error 193, \
                 ERROR_BAD_EXE_FORMAT{}",
                Advice(runtime.as_ref())
            ),
            Self::Dotnet { content: Dotnet::Mixed, exports } if *exports > 0 => write!(
                f,
                "the file is a .NET assembly with native code (CLR header present): its {exports} native exports can be \
                 called if the .NET runtime it was built for is installed; its managed classes cannot"
            ),
            Self::Dotnet { exports, .. } if *exports > 0 => write!(
                f,
                "the file is a .NET assembly (CLR header present): its {exports} exports need the .NET runtime; its \
                 managed classes cannot be called through C"
            ),
            Self::Dotnet { .. } => f.write_str(
                "the file is a .NET assembly (CLR header present): managed code exports no C functions; call it from \
                 .NET, or through a native library that wraps it",
            ),
            Self::NotALibrary { kind } => f.write_str(match kind {
                Kind::Driver => "the file is a Windows kernel driver; a process cannot load it",
                Kind::Object => "the file is an object file; link it into a library first (cc -shared)",
                Kind::Core => "the file is a memory dump of a crashed process",
                Kind::Program | Kind::Library => "the file is a program, not a library; give the library it uses",
            }),
            Self::Dependency(problem) => write!(f, "a library that it needs cannot be loaded: {problem}"),
            Self::NoExports => f.write_str("the library exports nothing; it may be a plug-in that only runs at load"),
        }
    }
}

struct Advice<'a>(Option<&'a String>);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(runtime) => write!(f, "; use the runtime {runtime}"),
            None => f.write_str("; no runtime of bridge32 can load it, so get another build of the library"),
        }
    }
}
