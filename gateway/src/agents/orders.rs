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
            // Nor does what was drained for maintenance, because something else has it replaced.
            Some(before) if before.after > after => before,
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::played;

    const PATIENCE: Duration = Duration::from_secs(30);

    struct Scene {
        agent: Arc<Agent>,
        sender: mpsc::UnboundedSender<Order>,
        orders: Orders,
        _data: tempfile::TempDir,
    }

    fn scene() -> Scene {
        let data = tempfile::tempdir().unwrap();
        let (sender, inbox) = mpsc::unbounded_channel();
        Scene { agent: played::agent(data.path()), sender, orders: Orders::new(inbox), _data: data }
    }

    impl Scene {
        fn order(&self, order: Order) {
            self.sender.send(order).unwrap();
        }

        fn drain(&self, after: After) {
            self.order(Order::Drain { reason: "maintenance".into(), patience: PATIENCE, after, generation: None });
        }

        fn kill(&self, generation: u64) {
            self.order(Order::Kill { generation, reason: "it hung".into() });
        }

        /// What is due within so many seconds.
        async fn due(&mut self, seconds: u64) -> Option<Due> {
            let due = self.orders.due(&self.agent, 7);
            tokio::time::timeout(Duration::from_secs(seconds), due).await.ok()
        }

        fn is_closed(&self) -> bool {
            matches!(&*self.agent.reach().borrow(), Reach::Down(reason) if reason.contains("maintenance"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_what_runs_and_closes_before_its_process_ends() {
        let mut scene = scene();
        let agent = Arc::clone(&scene.agent);
        let busy = agent.usage().begin();
        scene.drain(After::Rest);
        assert_eq!(scene.due(1).await, None);
        assert!(!scene.is_closed() && *agent.role().borrow() == Role::Leaving);
        drop(busy);
        assert_eq!(scene.due(1).await, Some(Due::Drained("maintenance".into(), After::Rest)));
        assert!(scene.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_patience_is_over_no_call_is_taken_any_more_and_the_last_one_ends() {
        let mut scene = scene();
        let agent = Arc::clone(&scene.agent);
        agent.usage().hold();
        let busy = agent.usage().begin();
        scene.drain(After::Again);
        // The session is told to end, and has its time for that.
        assert_eq!(scene.due(PATIENCE.as_secs() + 60).await, None);
        assert!(scene.is_closed(), "a session that goes on and calls that come all the time do not keep it");
        drop(busy);
        assert_eq!(scene.due(1).await, Some(Due::Drained("maintenance".into(), After::Again)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_call_of_a_drained_agent_is_ended_and_what_was_to_follow_is_not_forgotten() {
        let mut scene = scene();
        let agent = Arc::clone(&scene.agent);
        let _busy = agent.usage().begin();
        scene.drain(After::Rest);
        scene.kill(6);
        assert_eq!(scene.due(1).await, None, "an earlier start is meant");
        scene.kill(7);
        assert_eq!(scene.due(1).await, Some(Due::Kill("it hung".into())));
        assert_eq!(scene.orders.drained(), Some(("maintenance".into(), After::Rest)));
        assert_eq!(scene.orders.drained(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_for_good_is_not_brought_back_by_a_restart_and_what_rests_is() {
        for (after, expected) in [(After::Over, Due::Kill("x".into())), (After::Rest, Due::Afresh("x".into()))] {
            let mut scene = scene();
            let agent = Arc::clone(&scene.agent);
            let _busy = agent.usage().begin();
            scene.drain(after);
            scene.drain(After::Rest);
            scene.order(Order::Restart { reason: "x".into() });
            assert_eq!(scene.due(1).await, Some(expected));
            let left = (after == After::Over).then(|| ("maintenance".to_owned(), After::Over));
            assert_eq!(scene.orders.drained(), left);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_process_a_kill_is_nothing_and_a_drain_rests() {
        let mut scene = scene();
        scene.kill(7);
        scene.drain(After::Again);
        scene.drain(After::Rest);
        assert_eq!(scene.orders.idle().await, Idle::Rest("maintenance".into()));
        scene.order(Order::Restart { reason: "x".into() });
        assert_eq!(scene.orders.idle().await, Idle::Restart);
        scene.drain(After::Over);
        assert_eq!(scene.orders.idle().await, Idle::Stop);
    }
}
