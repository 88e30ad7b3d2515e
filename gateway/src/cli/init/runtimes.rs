//! How agents are started on this machine: as the configuration beside the program says (`cargo xtask build` leaves one
//! there), else by the agents that lie beside it, with the Wine of `PATH` for those of Windows.

use std::fmt::Write as _;
use std::path::Path;

use bridge32_protocol::target::Target;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, value};

use crate::cli::check::is_program;

/// What agents of this machine's Wine get: no talk, and no question whether to download Mono and Gecko.
const WINE: [(&str, &str); 2] = [("WINEDEBUG", "-all"), ("WINEDLLOVERRIDES", "mscoree=;mshtml=")];

/// The `[runtime.*]` tables of a new configuration.
pub(super) struct Runtimes(Vec<Runtime>);

struct Runtime {
    target: Target,
    table: Table,
    /// What has to be done before it works.
    missing: Option<String>,
}

impl Runtimes {
    /// Looks beside the program.
    pub(super) fn find(program: &Path) -> Self {
        let folder = program.parent().unwrap_or(Path::new("."));
        let known = neighbours(&folder.join("bridge32.toml"));
        let kinds: &[(Target, &str)] = if cfg!(windows) {
            &[(Target::Win32, "agent32.exe"), (Target::Win64, "agent64.exe")]
        } else {
            &[(Target::Linux32, "agent32"), (Target::Linux64, "agent64"), (Target::Win32, "agent32.exe")]
        };
        let runtime = |(target, agent): &(Target, &str)| {
            let ready = known.iter().find(|(name, _)| name == target.name());
            match ready {
                Some((_, table)) => Runtime { target: *target, table: table.clone(), missing: None },
                None => own(*target, &folder.join(agent)),
            }
        };
        Self(kinds.iter().map(runtime).collect())
    }

    /// The tables; one that does not work yet stands in comments.
    pub(super) fn tables(&self) -> String {
        let mut text = "# How agents are started on this machine.\n".to_owned();
        for Runtime { target, table, missing } in &self.0 {
            let table = format!("[runtime.{target}]\n{table}");
            match missing {
                None => text += &table,
                Some(why) => {
                    let _ = writeln!(text, "# {why}. Then remove the number signs:");
                    text.extend(table.lines().map(|line| format!("# {line}\n")));
                }
            }
            text.push('\n');
        }
        text.trim_end().to_owned() + "\n"
    }

    /// Which kinds of libraries can be run, in words.
    pub(super) fn summary(&self) -> String {
        let ready: Vec<&str> =
            self.0.iter().filter(|runtime| runtime.missing.is_none()).map(|runtime| runtime.target.name()).collect();
        if ready.is_empty() { "no runtime was found".to_owned() } else { format!("runtimes: {}", ready.join(", ")) }
    }

    /// What has to be done before more kinds can.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|runtime| runtime.missing.as_deref())
    }
}

/// The tables of another configuration that work from everywhere.
fn neighbours(file: &Path) -> Vec<(String, Table)> {
    let document = std::fs::read_to_string(file).ok().and_then(|text| text.parse::<DocumentMut>().ok());
    let Some(runtimes) = document.as_ref().and_then(|document| document.get("runtime")?.as_table()) else {
        return Vec::new();
    };
    let usable = |(name, item): (&str, &Item)| {
        let table = item.as_table()?;
        let program = table.get("command")?.as_array()?.get(0)?.as_str()?;
        let path = Path::new(program);
        ((path.is_absolute() || path.components().count() == 1) && is_program(program))
            .then(|| (name.to_owned(), table.clone()))
    };
    runtimes.iter().filter_map(usable).collect()
}

/// The table for an agent at this place, whether it is there or not.
fn own(target: Target, agent: &Path) -> Runtime {
    let through_wine = cfg!(not(windows)) && target == Target::Win32;
    let host = agent.display().to_string();
    let mut table = Table::new();
    if through_wine {
        let windows = format!("Z:{}", host.replace('/', "\\"));
        table.insert("command", value(["wine", &windows].into_iter().collect::<Array>()));
        table.insert("env", value(WINE.into_iter().collect::<InlineTable>()));
        table.insert("paths", value("Z:"));
    } else {
        table.insert("command", value([host.as_str()].into_iter().collect::<Array>()));
    }
    let missing = if !agent.is_file() {
        Some(format!("{target}: there is no agent {host}: put it there, or say where it is"))
    } else if through_wine && !is_program("wine") {
        Some(format!("{target}: there is no `wine` in PATH: install Wine 9 or newer"))
    } else {
        None
    };
    Runtime { target, table, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these empty files, and what is found beside a program in it.
    fn beside(files: &[&str]) -> (tempfile::TempDir, Runtimes) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let found = Runtimes::find(&folder.path().join("bridge32"));
        (folder, found)
    }

    #[cfg(unix)]
    #[test]
    fn agents_beside_the_program_are_found_and_others_told_of() {
        let (folder, found) = beside(&["agent32"]);
        let agent = folder.path().join("agent32");
        assert_eq!(found.summary(), "runtimes: linux32");
        let text = found.tables();
        assert!(text.contains(&format!("\n[runtime.linux32]\ncommand = [\"{}\"]\n", agent.display())), "{text}");
        assert!(text.contains("\n# [runtime.linux64]\n# command = [\""), "{text}");
        assert!(text.parse::<DocumentMut>().is_ok(), "{text}");
        let missing: Vec<&str> = found.missing().collect();
        assert!(missing.len() == 2 && missing[0].contains("there is no agent /"), "{missing:?}");
    }

    #[cfg(unix)]
    #[test]
    fn what_the_configuration_beside_the_program_says_comes_first_if_it_works() {
        let folder = tempfile::tempdir().unwrap();
        let tables = "# made\n[runtime.win32]\ncommand = [\"/bin/sh\", \"Z:\\\\a.exe\"]\npaths = \"Z:\"\n\n\
                      [runtime.linux32]\ncommand = [\"/nowhere/agent32\"]\n";
        std::fs::write(folder.path().join("bridge32.toml"), tables).unwrap();
        let found = Runtimes::find(&folder.path().join("bridge32"));
        assert_eq!(found.summary(), "runtimes: win32");
        let text = found.tables();
        assert!(
            text.contains("\n[runtime.win32]\ncommand = [\"/bin/sh\", \"Z:\\\\a.exe\"]\npaths = \"Z:\"\n"),
            "{text}"
        );
        assert!(!text.contains("made") && !text.contains("/nowhere"), "{text}");
    }

    #[test]
    fn without_any_agent_everything_stands_in_comments() {
        let (_folder, found) = beside(&[]);
        assert_eq!(found.summary(), "no runtime was found");
        assert!(found.tables().lines().all(|line| line.is_empty() || line.starts_with('#')));
    }
}
