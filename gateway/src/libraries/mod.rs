//! The configured libraries: their files, their interfaces, and the agents that are to run them.

mod alternatives;
mod assign;
pub mod coverage;
pub mod dependencies;
pub mod exports;
pub mod file;
mod prepared;
mod table;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bridge32_interface::Diagnostic;
use bridge32_protocol::interface::Interface;
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Batch, Callee, Fault, FaultCode};
use jiff::Timestamp;
use uuid::Uuid;

use crate::agents::{Bound, Link};
use crate::config::LibraryConfig;
use crate::dispatch::{Arguments, Cancelled, Failure, Order, Pending, Pool, Queue, Sender};
use crate::files::{Identity, Places};
use crate::interfaces::{self, Current, Declared, HeaderText, Origin};

use exports::Known;

pub use crate::dispatch::LibraryState;
pub use alternatives::Standing;
pub use prepared::Prepared;
pub use table::Libraries;

/// One configured library.
#[derive(Debug)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its table of the configuration.
    pub config: LibraryConfig,
    /// The kind of process that it needs, where that is known.
    pub target: Option<Target>,
    /// Its calls, until an agent takes them.
    pub queue: Arc<Queue>,
    /// The agents that run it, once they have been started; never where [`Library::problem`] says why.
    pool: OnceLock<Arc<Pool>>,
    /// Which of the ways to run it this is.
    pub standing: Standing,
    /// Where its file may be.
    pub places: Arc<Places>,
    /// What its headers declare, as it is now.
    pub interface: Arc<Current>,
    /// The header files of the configuration.
    pub configured: Vec<HeaderText>,
    /// Whoever replaces the interface holds it: one after the other.
    pub replacing: Arc<tokio::sync::Mutex<()>>,
    /// Why it is not even given to an agent.
    pub problem: Option<Fault>,
    /// Which file its agent has loaded.
    pub identity: Arc<Identity>,
    /// Its exports, once somebody has asked, and which state of the file they are of.
    pub exports: Arc<tokio::sync::Mutex<Option<Known>>>,
}

impl Library {
    /// The agents that run it, if there can be any.
    pub fn pool(&self) -> Option<&Arc<Pool>> {
        self.pool.get()
    }

    /// These agents run it.
    pub(crate) fn set_pool(&self, pool: Arc<Pool>) {
        // It is set once, when the library is put into the table.
        let _ = self.pool.set(pool);
    }

    /// Whether it can be called right now.
    pub fn state(&self) -> LibraryState {
        let state = match (&self.problem, self.pool()) {
            (Some(fault), _) => LibraryState::Failed(fault.clone()),
            (None, Some(pool)) => pool.state(&self.name),
            (None, None) => LibraryState::Gone("it has no agent".to_owned()),
        };
        match state {
            LibraryState::Failed(Fault { detail: why, .. }) | LibraryState::Gone(why) if self.queue.is_hopeful() => {
                LibraryState::Waiting(format!("{why} A fallback is being started."))
            }
            state => state,
        }
    }

    /// The same library, with the same processes, under another table of the configuration that needs no others.
    #[must_use]
    pub fn with_config(&self, config: LibraryConfig) -> Self {
        let pool = self.pool().map_or_else(OnceLock::new, |pool| Arc::clone(pool).into());
        Self {
            name: self.name.clone(),
            config,
            target: self.target,
            queue: Arc::clone(&self.queue),
            pool,
            standing: self.standing.clone(),
            places: Arc::clone(&self.places),
            interface: Arc::clone(&self.interface),
            configured: self.configured.clone(),
            replacing: Arc::clone(&self.replacing),
            problem: self.problem.clone(),
            identity: Arc::clone(&self.identity),
            exports: Arc::clone(&self.exports),
        }
    }

    /// Makes a call: its outcome comes through what is given.
    pub fn call(&self, order: Order, sender: &Sender) -> Pending {
        match &self.problem {
            None => self.queue.call(order, sender),
            Some(fault) => self.queue.refuse_call(order, sender, Failure::NotLoaded(fault.clone())),
        }
    }

    /// Makes calls that run as one.
    ///
    /// # Errors
    /// None of them was taken.
    pub fn batch(&self, orders: Vec<Order>, batch: Batch, sender: &Sender) -> Result<Vec<Pending>, Failure> {
        match &self.problem {
            None => self.queue.batch(orders, batch, sender),
            Some(fault) => {
                let failure = Failure::NotLoaded(fault.clone());
                for order in orders {
                    drop(self.queue.refuse_call(order, sender, failure.clone()));
                }
                Err(failure)
            }
        }
    }

    /// Cancels a call. The process that runs it is ended: there is no other way to stop a function.
    pub fn cancel(&self, id: Uuid) -> Cancelled {
        let cancelled = self.queue.cancel(id);
        if let Cancelled::Ending(sent) = cancelled
            && sent.is_first
            && let Some(agent) = self.pool().and_then(|pool| pool.agent_of(sent.lane.generation))
        {
            agent.kill(sent.lane.generation, format!("call {id}, which it was running, was cancelled"));
        }
        cancelled
    }

    /// A process of it that answers, for what does not go through the queue.
    pub fn link(&self) -> Option<Arc<Link>> {
        match self.state() {
            LibraryState::Ready(link) => Some(link),
            _ => None,
        }
    }

    /// How an interface was found in the library, if a process has been given that one.
    pub fn bound(&self, declared: &Declared) -> Option<Arc<Bound>> {
        let links = self.pool()?.links();
        links.iter().find_map(|link| link.libraries.get(&self.name)?.as_ref().ok()?.of(declared.revision))
    }

    /// What its headers declare now.
    pub fn declared(&self) -> Arc<Declared> {
        self.interface.get()
    }

    /// A call of a declared function, without arguments; `None` if there is none of that name.
    pub fn order(&self, declared: &Arc<Declared>, function: &str) -> Option<Order> {
        let (number, function) = declared.function(function)?;
        let deadline = function.deadline_ms.map_or(self.config.deadline, Duration::from_millis);
        let order = self.undeclared_order(Callee::Function(number), Arguments::empty());
        let (declared, idempotent) = (Some(Arc::clone(declared)), function.idempotent);
        Some(Order { deadline, declared, idempotent, ..order })
    }

    /// A call of something that no interface declares.
    pub fn undeclared_order(&self, callee: Callee, args: Arguments) -> Order {
        let (id, deadline) = (Uuid::now_v7(), self.config.deadline);
        Order { id, callee, args, deadline, wait: None, declared: None, idempotent: false, prototype: None, part: None }
    }

    /// The interface of one prototype for a call with these arguments, read as the headers of this library are, and behind
    /// them.
    ///
    /// # Errors
    /// What is wrong with it, one line each.
    pub async fn prototype(&self, text: &str, arguments: &Arguments) -> Result<Interface, Arc<[Diagnostic]>> {
        let options = interfaces::options(&self.config, self.target);
        let mut interface = self.declared().prototype(text, arguments.as_bytes(), options).await?;
        // What a prototype lacks of all that is listed does not matter.
        let _ = interfaces::apply(&self.config, &mut interface);
        Ok(interface)
    }

    /// That a header which was sent is in force instead of the header files, and how to go back; `None` if it is not so.
    pub fn replacement(&self) -> Option<String> {
        let Origin::Replaced { at } = self.declared().origin else { return None };
        let files: Vec<String> = self.config.headers.iter().map(|path| path.display().to_string()).collect();
        let files = if files.is_empty() { "none".to_owned() } else { files.join(", ") };
        Some(format!(
            "a header that was sent at {at} is in force instead of {files}; DELETE /v1/libraries/{}/interface goes back",
            self.name
        ))
    }

    /// Reads a header as this library's, under the next number. One that says what the header files say is them.
    pub fn read(&self, header: &[u8], at: Timestamp) -> Declared {
        let (texts, origin) = if interfaces::joined(&self.configured) == header {
            (self.configured.clone(), Origin::Configured)
        } else {
            (interfaces::replacement(header), Origin::Replaced { at })
        };
        Declared::read(self.declared().revision + 1, texts, origin, &self.config, self.target)
    }
}

fn load_failed(detail: String) -> Fault {
    Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: false }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::{LibraryFile, Running};

    /// A library `calc` with this header, which no agent runs.
    pub(crate) fn library(header: &str) -> Library {
        let config = LibraryConfig {
            file: LibraryFile::Host("/srv/calc.so".into()),
            headers: vec!["/srv/calc.h".into()],
            runtime: Some(Target::Linux32),
            deadline: Duration::from_secs(5),
            fallback: Vec::new(),
            running: Running::default(),
            group: None,
            agents: Vec::new(),
            sha256: None,
            encoding: bridge32_protocol::interface::Encoding::Utf8,
            lossy: false,
            int64: bridge32_protocol::interface::Int64::default(),
            dialect: None,
            definitions: Vec::new(),
            sensitive: bridge32_interface::sensitive::Marks::default(),
            output: crate::config::Output::default(),
        };
        let texts = vec![HeaderText { name: "calc.h".to_owned(), text: header.as_bytes().to_vec() }];
        let declared = Declared::read(1, texts.clone(), Origin::Configured, &config, config.runtime);
        Library {
            name: "calc".to_owned(),
            target: config.runtime,
            queue: Arc::new(Queue::new("calc", 1024)),
            pool: OnceLock::new(),
            standing: Standing::default(),
            places: Arc::new(Places::of_nothing()),
            interface: Arc::new(Current::new(declared)),
            configured: texts,
            replacing: Arc::default(),
            problem: None,
            identity: Arc::default(),
            exports: Arc::default(),
            config,
        }
    }

    async fn prototype(library: &Library, text: &str, arguments: &str) -> Result<Interface, Arc<[Diagnostic]>> {
        let arguments = Arguments::parse(&arguments.to_owned().into()).unwrap();
        library.prototype(text, &arguments).await
    }

    #[tokio::test]
    async fn a_prototype_knows_the_types_of_the_header() {
        let library = library("typedef struct { int x, y; } point; int area(point p); int sum(point *p);");
        for _ in 0..2 {
            let interface = prototype(&library, "int area(const point *p)", "").await.unwrap();
            assert_eq!(interface.functions.len(), 1);
            assert_eq!(interface.functions[0].unsupported, None);
            assert!(interface.structures.contains_key("point"));
        }
        for _ in 0..2 {
            let diagnostics = prototype(&library, "int a(int b); int c(int d)", "").await.unwrap_err();
            assert!(diagnostics[0].message.contains("declares 2 functions"), "{diagnostics:?}");
        }
    }

    #[tokio::test]
    async fn a_prototype_carries_what_its_call_can_need_of_the_header_and_no_more() {
        let library = library(
            "enum color { RED }; enum size { BIG }; struct s { enum size size; };\n#define LEVEL 5\n#define OTHER 6",
        );
        let read = prototype(&library, "int f(int a, struct s *s)", r#"{"a": "LEVEL"}"#).await.unwrap();
        assert_eq!(read.constants.into_iter().collect::<Vec<_>>(), [("LEVEL".to_owned(), 5)]);
        assert_eq!(read.enumerations.keys().collect::<Vec<_>>(), ["size"]);
        let own = "enum mine { MINE = 7 };\nint f(enum mine a, int b)";
        let read = prototype(&library, own, r#"{"a": "MINE", "b": "MINE"}"#).await.unwrap();
        assert_eq!((read.constants["MINE"], read.enumerations.len()), (7, 1));
    }

    #[tokio::test]
    async fn a_lossy_library_is_lossy_in_prototypes_too() {
        let mut library = library("");
        let lossy =
            async |library: &Library| prototype(library, "int f(const char *s)", "").await.unwrap().functions[0].lossy;
        assert!(!lossy(&library).await);
        library.config.lossy = true;
        assert!(lossy(&library).await);
    }
}
