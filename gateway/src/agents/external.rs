//! An agent that somebody else starts: the gateway waits until it registers, has its libraries loaded, and lets it go when it
//! is silent, of no use any more, or when the gateway stops. Starting it again is that somebody's, as `agent32 --join` does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::life::{Life, Troubles};
use super::orders::{Due, Idle, Orders};
use super::process::Exit;
use super::state::State;
use super::{After, Agent, Link, Order, Reach, Role};

/// So long calls wait for an agent that may be starting again; after that they are told that there is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it gets to unload its libraries.
const POLITE: Duration = Duration::from_secs(2);

/// Follows its generations until it is told to stop.
pub(super) async fn run(agent: Arc<Agent>, orders: mpsc::UnboundedReceiver<Order>) {
    let mut external = External { agent, orders: Orders::new(orders), past: 0, troubles: Troubles::default() };
    while external.wait().await && external.generation().await {}
    external.agent.set_state(State::Stopped, None);
}

struct External {
    agent: Arc<Agent>,
    orders: Orders,
    /// The last generation that is over.
    past: u64,
    troubles: Troubles,
}

impl External {
    /// Waits until a process has registered; `false` if none is wanted any more.
    async fn wait(&mut self) -> bool {
        let last_exit = self.agent.shared.last_exit();
        let reason = last_exit.unwrap_or_else(|| "no process of it has registered yet".to_owned());
        self.agent.set_state(State::Waiting, Some(reason.clone()));
        self.agent.set_reach(Reach::Down(reason.clone()));
        let mut registrations = self.agent.shared.registrations();
        let past = self.past;
        let registered =
            registrations.wait_for(|latest| latest.as_ref().is_some_and(|latest| latest.generation > past));
        let registered = async { registered.await.is_ok() };
        tokio::pin!(registered);
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        let mut patient = true;
        loop {
            tokio::select! {
                registered = &mut registered => return registered,
                () = &mut patience, if patient => {
                    patient = false;
                    let advice = format!("{reason}; whoever runs this agent starts it with `agent32 --join FILE`");
                    self.agent.set_reach(Reach::Gone(advice));
                }
                idle = self.orders.idle() => match idle {
                    Idle::Restart => self.troubles.clear(),
                    // Whoever starts it decides when it comes back.
                    Idle::Rest(_) => {}
                    Idle::Stop => return false,
                },
            }
        }
    }

    /// From a registration to the end of its lease; `false` if no other is wanted.
    async fn generation(&mut self) -> bool {
        let agent = Arc::clone(&self.agent);
        let (number, key) = agent.shared.current();
        let Some(key) = key else { return true };
        agent.set_role(Role::Standby);
        agent.set_state(State::Starting, None);
        agent.set_reach(Reach::Down("it is starting".to_owned()));
        tracing::info!(
            agent = agent.id(),
            generation = number,
            key = key.id(),
            "an agent of somebody else has registered"
        );
        let (end, ended) = watch::channel(None);
        let mut life = Life::new(&agent, number, key, &self.troubles);
        let due = tokio::select! {
            reason = life.live(ended) => Due::Kill(reason),
            due = self.orders.due(&agent, number) => due,
        };
        let Life { link, loading, .. } = life;
        let (reason, politely, goes_on) = match due {
            Due::Kill(reason) => (reason, false, !matches!(self.orders.drained(), Some((_, After::Over)))),
            Due::Afresh(reason) => {
                self.troubles.clear();
                (reason, false, true)
            }
            Due::Drained(reason, after) => (reason, true, after != After::Over),
            Due::Stop => ("the gateway is stopping".to_owned(), true, false),
        };
        let exit = Exit::made(reason);
        if let Some(library) = loading {
            self.troubles.add(library, &exit, false);
        }
        agent.shared.leave(number, &exit);
        agent.note_end(number, &exit);
        self.past = number;
        agent.set_reach(Reach::Down(format!("generation {number} is over ({exit}); it may register again")));
        tracing::warn!(agent = agent.id(), generation = number, %exit, "an agent of somebody else is gone");
        end.send_replace(Some(exit));
        dismiss(link, politely).await;
        goes_on
    }
}

/// Ends the process, if it can still be reached: what it has loaded is of no use to any later generation. When the gateway
/// stops there is time for its libraries.
async fn dismiss(link: Option<Arc<Link>>, politely: bool) {
    let Some(link) = link else { return };
    if politely && tokio::time::timeout(POLITE, link.client.shut_down()).await.is_ok_and(|asked| asked.is_ok()) {
        return;
    }
    link.client.end().await;
}
