//! Finds out how a generation ended: takes what it wrote while it was dying, and keeps a report of its end.

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::CrashRecord;
use jiff::Timestamp;

use super::Agent;
use super::crash::Crash;
use super::process::Exit;
use super::reports::{Loaded, Report, Slot};
use crate::config::{LibraryFile, RuntimeConfig};

/// How long what an ended process has printed may be on its way through the pipe.
pub(super) const PRINTED: Duration = Duration::from_millis(20);
/// So many lines of output are part of a report.
const LINES: usize = 50;

/// What has to be remembered of a generation's start, so that its end can be told.
pub(super) struct Witness {
    generation: u64,
    started_at: Timestamp,
    /// Where it writes when it crashes; `None` where nothing can be written.
    slot: Option<Slot>,
}

impl Witness {
    /// For a generation that is about to start.
    pub(super) fn new(agent: &Agent, generation: u64) -> Self {
        let slot = agent.reports.slot(agent.id(), generation);
        Self { generation, started_at: Timestamp::now(), slot }
    }

    /// The file for its last words, as the agent's system names it.
    pub(super) fn file(&self, runtime: &RuntimeConfig) -> Option<String> {
        self.slot.as_ref().map(|slot| runtime.path_for_agent(&LibraryFile::Host(slot.file().to_owned())))
    }

    /// The file for its notes, as the agent's system names it.
    pub(super) fn journal(&self, runtime: &RuntimeConfig) -> Option<String> {
        self.slot.as_ref().map(|slot| runtime.path_for_agent(&LibraryFile::Host(slot.journal().to_owned())))
    }

    /// Adds to `exit` what the process said. A report is kept if it ended by itself and said something, or was
    /// `at_work`: one that never got so far has its reason elsewhere.
    pub(super) async fn report(self, agent: &Agent, pid: Option<u32>, exit: Exit, at_work: bool) -> Exit {
        let Some(slot) = self.slot else { return exit };
        // It is taken in any case: the file must not stay.
        let record = slot.take();
        let exit = Exit { notes: slot.take_notes(), ..exit };
        if exit.reason.is_some() || (record.is_none() && !at_work) {
            return exit;
        }
        tokio::time::sleep(PRINTED).await;
        let mut output = agent.output.of(self.generation);
        output.drain(..output.len().saturating_sub(LINES));
        let loads = agent.spec.loads.iter();
        let kept = agent.reports.keep(&Report {
            name: slot.report(),
            agent: agent.id(),
            generation: self.generation,
            runtime: agent.spec.target,
            pid,
            started_at: self.started_at,
            ended_at: Timestamp::now(),
            exit: &exit.how,
            exit_code: exit.code,
            crash: record.as_ref(),
            libraries: loads.map(|load| Loaded { name: &load.name, file: &load.file }).collect(),
            output,
        });
        let report = kept.then(|| slot.report());
        exit.with_crash(record, report)
    }
}

impl Exit {
    /// The same end, with what the process said about it and where that is kept.
    fn with_crash(self, record: Option<CrashRecord>, report: Option<String>) -> Self {
        if record.is_none() && report.is_none() {
            return self;
        }
        Self { crash: Some(Arc::new(Crash { record: record.unwrap_or_default(), report })), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::notes::{Noted, Notes};
    use super::*;
    use crate::played::agent;

    #[tokio::test]
    async fn a_process_that_ends_by_itself_leaves_a_report_with_what_it_said() {
        let data = tempfile::tempdir().unwrap();
        let agent = agent(data.path());
        let witness = Witness::new(&agent, 3);
        let named = witness.file(agent.spec.runtime.as_ref().unwrap()).unwrap();
        assert!(named.starts_with("Z:\\") && named.ends_with("-calc-g3.part"), "{named}");
        let part = witness.slot.as_ref().unwrap().file().to_owned();
        std::fs::write(&part, "{\"what\":\"SIGSEGV\",\"module\":\"c.so\",\"offset\":16}\n").unwrap();
        let exit = witness.report(&agent, Some(9), Exit::told("killed by signal 11 (SIGSEGV)"), true).await;
        assert_eq!(exit.to_string(), "killed by signal 11 (SIGSEGV): SIGSEGV, in c.so+0x10");
        let name = exit.crash.as_ref().unwrap().report.clone().unwrap();
        let text = agent.reports.get(&name).unwrap().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            (&report["generation"], &report["pid"], &report["crash"]["offset"]),
            (&3.into(), &9.into(), &16.into())
        );
        assert!(!part.exists());
    }

    #[tokio::test]
    async fn a_process_that_the_bridge_ended_or_that_never_worked_leaves_none() {
        let data = tempfile::tempdir().unwrap();
        let agent = agent(data.path());
        let ends = [(Exit::made("a restart was asked for"), true), (Exit::told("exit code 127"), false)];
        for (exit, at_work) in ends {
            let end = Witness::new(&agent, 1).report(&agent, None, exit.clone(), at_work).await;
            assert_eq!(end.noted(Some(0)), Noted::Idle, "it has run no call");
            assert_eq!(Exit { notes: Notes::default(), ..end }, exit);
        }
        assert!(agent.reports.of_agent("calc", 10).unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_process_that_was_ended_from_outside_leaves_a_report_without_a_record() {
        let data = tempfile::tempdir().unwrap();
        let agent = agent(data.path());
        let end = Witness::new(&agent, 1).report(&agent, None, Exit::told("killed by signal 9 (SIGKILL)"), true).await;
        assert_eq!(end.to_string(), "killed by signal 9 (SIGKILL)");
        assert!(end.crash.unwrap().report.is_some());
        assert_eq!(agent.reports.of_agent("calc", 10).unwrap()[0]["crash"], serde_json::Value::Null);
    }
}
