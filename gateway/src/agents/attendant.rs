//! Who is told what becomes of agents: the events, the metrics.

use std::fmt::Debug;

use super::Agent;
use super::process::Exit;
use super::state::Status;

/// Is told each change of an agent's state, and each end of a process, where it happens: it takes note, and does its work
/// elsewhere.
pub trait Attendant: Debug + Send + Sync {
    /// The agent is in another state now. That it is busy is none of these: it changes with every call.
    fn changed(&self, agent: &Agent, status: &Status);

    /// That start of the agent is over.
    fn ended(&self, agent: &Agent, generation: u64, exit: &Exit);
}

/// Takes no note.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Attendant for Nobody {
    fn changed(&self, _: &Agent, _: &Status) {}

    fn ended(&self, _: &Agent, _: u64, _: &Exit) {}
}
