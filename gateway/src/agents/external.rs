//! An agent that somebody else starts: the gateway waits until it registers, has its libraries loaded, and lets it go when it
//! is silent, of no use any more, or when the gateway stops. Starting it again is that somebody's, as `agent32 --join` does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::life::{Life, Troubles};
use super::process::Exit;
use super::state::State;
use super::{Agent, Link, Order, Reach};

/// So long calls wait for an agent that may be starting again; after that they are told that there is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it gets to unload its libraries.
const POLITE: Duration = Duration::from_secs(2);

/// Follows its generations until it is told to stop.
pub(super) async fn run(agent: Arc<Agent>, orders: mpsc::UnboundedReceiver<Order>) {
    let mut external = External { agent, orders, past: 0, troubles: Troubles::default() };
    while external.wait().await && external.generation().await {}
    external.agent.shared.set(State::Stopped, None);
    external.agent.reach.send_replace(Reach::Gone("the gateway is stopping".to_owned()));
}

struct External {
    agent: Arc<Agent>,
    orders: mpsc::UnboundedReceiver<Order>,
    /// The last generation that is over.
    past: u64,
    troubles: Troubles,
}

impl External {
    /// Waits until a process has registered; `false` if none is wanted any more.
    async fn wait(&mut self) -> bool {
        let last_exit = self.agent.view().last_exit;
        let reason = last_exit.unwrap_or_else(|| "no process of it has registered yet".to_owned());
        self.agent.shared.set(State::Waiting, Some(reason.clone()));
        self.agent.reach.send_replace(Reach::Down(reason.clone()));
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
                    self.agent.reach.send_replace(Reach::Gone(advice));
                }
                order = self.orders.recv() => match order {
                    Some(Order::Kill { .. }) => {}
                    Some(Order::Restart { .. }) => self.troubles.clear(),
                    Some(Order::Stop) | None => return false,
                },
            }
        }
    }

    /// From a registration to the end of its lease; `false` if no other is wanted.
    async fn generation(&mut self) -> bool {
        let agent = Arc::clone(&self.agent);
        let (number, key) = agent.shared.current();
        let Some(key) = key else { return true };
        agent.shared.set(State::Starting, None);
        agent.reach.send_replace(Reach::Down("it is starting".to_owned()));
        tracing::info!(
            agent = agent.id(),
            generation = number,
            key = key.id(),
            "an agent of somebody else has registered"
        );
        let (end, ended) = watch::channel(None);
        let mut life = Life::new(&agent, number, key, &self.troubles);
        let (reason, next) = tokio::select! {
            reason = life.live(ended) => (reason, Next::Again),
            order = order_for(&mut self.orders, number) => order,
        };
        let loading = life.loading.take();
        let exit = Exit::made(reason);
        if let Some(library) = loading {
            self.troubles.add(library, &exit, false);
        }
        if matches!(next, Next::Afresh) {
            self.troubles.clear();
        }
        let link = agent.link();
        agent.shared.leave(number, &exit);
        self.past = number;
        let again = format!("generation {number} is over ({exit}); it may register again");
        agent.reach.send_replace(Reach::Down(again));
        tracing::warn!(agent = agent.id(), generation = number, %exit, "an agent of somebody else is gone");
        end.send_replace(Some(exit));
        let stopping = matches!(next, Next::Stop);
        dismiss(link, stopping).await;
        !stopping
    }
}

/// What is to follow a generation.
enum Next {
    /// Another one, when there is one.
    Again,
    /// The same, as if no library had ever ended its process.
    Afresh,
    /// Nothing.
    Stop,
}

/// Waits for a reason to end that generation. What was meant for an earlier one is past.
async fn order_for(orders: &mut mpsc::UnboundedReceiver<Order>, number: u64) -> (String, Next) {
    loop {
        match orders.recv().await {
            Some(Order::Kill { generation, .. }) if generation != number => {}
            Some(Order::Kill { reason, .. }) => return (reason, Next::Again),
            Some(Order::Restart { reason }) => return (reason, Next::Afresh),
            Some(Order::Stop) | None => return ("the gateway is stopping".to_owned(), Next::Stop),
        }
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
