//! What an agent's supervisor is asked for, and when it is due: some of it waits until nothing runs.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::state::State;
use super::{After, Agent, Order, Reach, Role};

/// The orders for one agent.
pub(super) struct Orders {
    inbox: mpsc::UnboundedReceiver<Order>,
    /// Its process is to end when nothing runs.
    drain: Option<Drain>,
}

struct Drain {
    reason: String,
    /// So long sessions and the holders of handles may go on.
    until: Instant,
    after: After,
    /// It gets no calls any more: what it runs now is the last.
    closed: bool,
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
                    Some(drain) if drain.closed => agent.usage.quiet().await,
                    Some(drain) => agent.usage.calm_at_last(drain.until).await,
                    None => std::future::pending().await,
                }
            };
            let order = tokio::select! {
                order = inbox.recv() => order,
                () = calm => match self.close(agent) {
                    Some(due) => return due,
                    None => continue,
                },
            };
            match order {
                Some(Order::Kill { generation, .. } | Order::Drain { generation: Some(generation), .. })
                    if generation != number => {}
                Some(Order::Kill { reason, .. }) => return Due::Kill(reason),
                // What ends for good does not come back, whatever else is asked of it.
                Some(Order::Restart { reason }) if self.is_over() => return Due::Kill(reason),
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

    /// Nothing runs, or the patience is over: no calls any more. When nothing runs after that, its process is to end.
    fn close(&mut self, agent: &Agent) -> Option<Due> {
        match &mut self.drain {
            Some(drain) if !drain.closed => {
                drain.closed = true;
                agent.set_reach(Reach::Down(format!("it is being ended ({})", drain.reason)));
                None
            }
            _ => self.drained().map(|(reason, after)| Due::Drained(reason, after)),
        }
    }

    fn is_over(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.after == After::Over)
    }

    /// Why its process was to end, and what was to follow: also where it has ended in another way before.
    pub(super) fn drained(&mut self) -> Option<(String, After)> {
        self.drain.take().map(|drain| (drain.reason, drain.after))
    }

    fn drain(&mut self, agent: &Agent, reason: String, patience: Duration, after: After) {
        agent.set_role(Role::Leaving);
        agent.set_state(State::Draining, Some(reason.clone()));
        let until = Instant::now() + patience;
        self.drain = Some(match self.drain.take() {
            // What ends for good does not come back, whatever else is asked of it.
            Some(before) if before.after == After::Over => Drain { until: until.min(before.until), ..before },
            before => Drain { reason, until, after, closed: before.is_some_and(|before| before.closed) },
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
