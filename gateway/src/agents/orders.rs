//! What an agent's supervisor is asked for, and when it is due: some of it waits until nothing runs.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::state::State;
use super::{After, Agent, Order, Role};

/// The orders for one agent.
pub(super) struct Orders {
    inbox: mpsc::UnboundedReceiver<Order>,
    /// Its process is to end when nothing runs.
    drain: Option<Drain>,
}

struct Drain {
    reason: String,
    /// So long sessions may go on.
    until: Instant,
    after: After,
}

/// What is due while a process runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Its process ends now, whatever it does, for this reason.
    Kill(String),
    /// The same, and all that went wrong is forgotten.
    Afresh(String),
    /// Nothing runs, and its process ends.
    Drained(String, After),
    /// The gateway is stopping.
    Stop,
}

/// What is due while no process runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// A start.
    Restart,
    /// No start until somebody asks for it, for this reason.
    Rest(String),
    /// No start any more.
    Stop,
}

impl Orders {
    pub(super) const fn new(inbox: mpsc::UnboundedReceiver<Order>) -> Self {
        Self { inbox, drain: None }
    }

    /// Waits for a reason to end that generation. What was meant for an earlier one is past.
    pub(super) async fn due(&mut self, agent: &Agent, number: u64) -> Due {
        loop {
            let Self { inbox, drain } = self;
            let calm = async {
                match drain {
                    Some(drain) => agent.usage.calm(drain.until).await,
                    None => std::future::pending().await,
                }
            };
            let order = tokio::select! {
                order = inbox.recv() => order,
                () = calm => {
                    let Some(Drain { reason, after, .. }) = self.drain.take() else { continue };
                    return Due::Drained(reason, after);
                }
            };
            match order {
                Some(Order::Kill { generation, .. } | Order::Drain { generation: Some(generation), .. })
                    if generation != number => {}
                Some(Order::Kill { reason, .. }) => return self.kill(reason),
                Some(Order::Restart { reason }) => {
                    self.drain = None;
                    return Due::Afresh(reason);
                }
                Some(Order::Drain { reason, patience, after, generation: _ }) => {
                    self.drain(agent, reason, patience, after);
                }
                Some(Order::Stop) | None => return Due::Stop,
            }
        }
    }

    /// One that was to end anyway does not come back because its last call hung.
    fn kill(&mut self, reason: String) -> Due {
        match self.drain.take() {
            Some(Drain { after: after @ (After::Rest | After::Over), .. }) => Due::Drained(reason, after),
            _ => Due::Kill(reason),
        }
    }

    fn drain(&mut self, agent: &Agent, reason: String, patience: Duration, after: After) {
        agent.set_role(Role::Leaving);
        agent.set_state(State::Draining, Some(reason.clone()));
        let until = Instant::now() + patience;
        self.drain = Some(match self.drain.take() {
            // What ends for good does not come back, whatever else is asked of it.
            Some(before) if before.after == After::Over => Drain { until: until.min(before.until), ..before },
            _ => Drain { reason, until, after },
        });
    }

    /// Waits for what is to be done with an agent that has no process. A start is what follows a kill anyway.
    pub(super) async fn idle(&mut self) -> Idle {
        loop {
            match self.inbox.recv().await {
                Some(Order::Kill { .. } | Order::Drain { after: After::Again, .. }) => {}
                Some(Order::Restart { .. }) => return Idle::Restart,
                Some(Order::Drain { reason, after: After::Rest, .. }) => return Idle::Rest(reason),
                Some(Order::Drain { after: After::Over, .. } | Order::Stop) | None => return Idle::Stop,
            }
        }
    }
}
