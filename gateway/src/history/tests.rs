//! What the history has of calls, over restarts too, and what becomes of them while it cannot be written: in SQLite, and in the
//! PostgreSQL database that `BRIDGE32_TEST_POSTGRES` names.

use std::sync::{Arc, LazyLock};

use bridge32_protocol::wire::{Callee, Fault, FaultCode};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::dispatch::{Answer, Arguments, CallResult, Execution, Origin, Part, Prototype, SentTo};
use crate::interfaces::Declared;
use crate::libraries::tests::library;

/// A history that writes.
struct Running {
    history: Arc<History>,
    writing: JoinHandle<()>,
    folder: Arc<TempDir>,
    config: HistoryConfig,
}

impl Running {
    fn start(folder: Arc<TempDir>, config: HistoryConfig) -> Self {
        let history = Arc::new(History::new(folder.path(), config.clone()));
        let writer = Arc::clone(&history);
        let writing = tokio::spawn(async move { writer.write().await });
        Self { history, writing, folder, config }
    }

    /// Closes it and opens it again.
    async fn again(self) -> Self {
        self.history.close(Duration::from_secs(10)).await;
        Self::start(self.folder, self.config)
    }

    /// The row of a call, which is there soon.
    async fn row(&self, id: Uuid) -> Record {
        eventually(async || self.history.find(id).await.ok().flatten()).await
    }
}

async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not come about")
}

/// Both kinds of stores, empty.
async fn stores(config: HistoryConfig) -> Vec<Running> {
    let folder = || Arc::new(tempfile::tempdir().unwrap());
    let mut stores = vec![Running::start(folder(), config.clone())];
    match std::env::var("BRIDGE32_TEST_POSTGRES") {
        Ok(url) => {
            let url = Some(fresh_database(&url).await);
            stores.push(Running::start(folder(), HistoryConfig { url, ..config }));
        }
        Err(_) => eprintln!("SKIPPED for PostgreSQL: BRIDGE32_TEST_POSTGRES names none (cargo xtask test starts one)"),
    }
    stores
}

pub(super) async fn fresh_database(server: &str) -> String {
    sqlx::any::install_default_drivers();
    let name = format!("test_{}", Uuid::now_v7().simple());
    let pool = sqlx::AnyPool::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
    pool.close().await;
    let (before, _) = server.rsplit_once('/').unwrap();
    format!("{before}/{name}")
}

fn declared(header: &str) -> Arc<Declared> {
    library(header).declared()
}

fn returned(result: &'static str) -> Arc<Answer> {
    let (result, outputs) = (result.as_bytes().into(), "{}".as_bytes().into());
    let (duration_ns, around_ns) = (1500, [0; 3]);
    Arc::new(Answer { result, outputs, duration_ns, around_ns, errno: None, last_error: None, hresult: None })
}

static ADD: LazyLock<Arc<Declared>> = LazyLock::new(|| declared("int Add(int a, int b);"));

/// A call of `Add` that has ended so.
fn ended(args: &str, result: CallResult) -> Ended {
    let since = Instant::now() - Duration::from_millis(30);
    let at = since + Duration::from_millis(10);
    Ended {
        id: Uuid::now_v7(),
        library: "calc".into(),
        callee: Callee::Function(0),
        args: Arguments::parse(&args.to_owned().into()).unwrap(),
        declared: Some(Arc::clone(&ADD)),
        prototype: None,
        part: None,
        origin: Arc::new(Origin { client: Some("ci".into()), owner: Some("team".into()), ..Origin::default() }),
        session: None,
        result,
        sent: Some(SentTo { agent: "calc-1".into(), generation: 7, at }),
        output: None,
        attempts: 0,
        since,
        until: since + Duration::from_millis(30),
    }
}

fn record(history: &History, call: Ended) -> (Uuid, oneshot::Receiver<CallResult>) {
    let (id, (reply, outcome)) = (call.id, Reply::awaited());
    history.record(call, reply);
    (id, outcome)
}

#[tokio::test]
async fn a_call_is_in_the_history_with_all_that_is_known_of_it_and_stays_there() {
    for running in stores(HistoryConfig::default()).await {
        let (batch, session) = (Uuid::now_v7(), Uuid::now_v7());
        let call = ended(r#"{"a": 1, "b": 2.0}"#, Ok(returned("3")));
        let origin = Origin { idempotency_key: Some("digest".into()), ..Origin::clone(&call.origin) };
        let part = Some(Part { batch, index: 3 });
        let call = Ended { part, session: Some(session), origin: origin.into(), attempts: 2, ..call };
        let (id, outcome) = record(&running.history, call);
        assert!(outcome.await.unwrap().is_ok());
        let row = running.row(id).await;
        let running = running.again().await;
        assert_eq!(running.row(id).await, row);
        assert_eq!((row.seq, &*row.library, row.function.as_deref()), (1, "calc", Some("Add")));
        assert_eq!((&*row.owner, &*row.key_id), ("team", "ci"));
        assert_eq!((row.agent, row.attempts), (Some(("calc-1".into(), 7)), 2));
        assert_eq!((row.session, row.batch), (Some(session), Some((batch, 3))));
        assert_eq!((row.status, row.code, row.execution), (200, None, Execution::Ran));
        assert_eq!(row.idempotency_key.as_deref(), Some("digest"));
        assert_eq!(row.parts_ns, [10_000_000, 20_000_000 - 1500, 1500]);
        assert_eq!(row.ended_at.duration_since(row.created_at).as_millis(), 30);
        assert_eq!((row.args.text.as_str(), row.args_redacted), (r#"{"a":1,"b":2.0}"#, false));
        assert_eq!(row.answer.text, r#"{"result":3,"outputs":{}}"#);
        let (next, _) = record(&running.history, ended("{}", Ok(returned("0"))));
        assert_eq!(running.row(next).await.seq, 2);
    }
}

#[tokio::test]
async fn a_failure_is_there_as_the_client_was_told_of_it() {
    for running in stores(HistoryConfig::default()).await {
        let fault = Fault { code: FaultCode::StaleHandle, detail: "é \u{0}".into(), pointer: None, ran: false };
        let (id, outcome) = record(&running.history, ended("{}", Err(Failure::Fault(fault))));
        assert!(outcome.await.unwrap().is_err());
        let row = running.row(id).await;
        assert_eq!((row.status, row.code.as_deref(), row.execution), (410, Some("stale_handle"), Execution::NotRun));
        let problem: serde_json::Value = serde_json::from_str(&row.answer.text).unwrap();
        assert_eq!((&problem["call_id"], &problem["detail"]), (&id.to_string().into(), &"é \u{0}".into()));
    }
}

#[tokio::test]
async fn an_ad_hoc_call_has_its_prototype_and_one_that_was_not_sent_no_agent() {
    for running in stores(HistoryConfig::default()).await {
        let prototype = Prototype { text: "int Sub(int a)".into(), export: None, ordinal: Some(5) };
        let call = ended("{\"a\":1}", Ok(returned("1")));
        let callee = Callee::Prototype(Box::new(declared("int Sub(int a);").interface().clone()));
        let (id, _) = record(
            &running.history,
            Ended { callee, declared: None, sent: None, prototype: Some(prototype.into()), ..call },
        );
        let row = running.row(id).await;
        assert_eq!((row.function.as_deref(), row.agent), (Some("Sub"), None));
        assert_eq!(row.prototype.as_deref(), Some(r#"{"prototype":"int Sub(int a)","ordinal":5}"#));
        assert_eq!(row.parts_ns, [30_000_000, 0, 0], "all of it was waiting");
    }
}

#[tokio::test]
async fn what_is_sensitive_is_not_written_and_what_is_long_is_cut() {
    for running in stores(HistoryConfig { max_text: 40, ..HistoryConfig::default() }).await {
        let header = "/** @sensitive pin */ int Pay(const char *pin, const char *text);";
        let call = |args: &str| Ended { declared: Some(declared(header)), ..ended(args, Ok(returned("1"))) };
        let (id, _) = record(&running.history, call(r#"{"pin":"hunter2","text":"x"}"#));
        let row = running.row(id).await;
        assert_eq!((row.args.text.as_str(), row.args_redacted), (r#"{"pin":"«redacted»","text":"x"}"#, true));
        let long = format!(r#"{{"text":"{}"}}"#, "y".repeat(100));
        let (id, _) = record(&running.history, call(&long));
        let row = running.row(id).await;
        assert_eq!((row.args.text.as_str(), row.args.size), (&long[..40], long.len() as u64));
        assert!(!row.args.is_whole() && row.answer.is_whole());
    }
}

#[tokio::test]
async fn with_before_answer_whoever_has_an_answer_finds_its_row() {
    let config = HistoryConfig { durability: Durability::BeforeAnswer, ..HistoryConfig::default() };
    for running in stores(config).await {
        let calls: Vec<_> = (0..300).map(|_| record(&running.history, ended("{}", Ok(returned("1"))))).collect();
        for (id, outcome) in calls {
            assert!(outcome.await.unwrap().is_ok());
            assert!(running.history.find(id).await.unwrap().is_some());
        }
        assert_eq!(running.history.counts(), Counts { written: 300, ..Counts::default() });
    }
}

#[tokio::test]
async fn a_call_that_the_store_does_not_take_is_told_as_missing_and_keeps_no_other_out() {
    let config = HistoryConfig { durability: Durability::BeforeAnswer, ..HistoryConfig::default() };
    for running in stores(config).await {
        // An index of PostgreSQL takes no text that is so long and has no pattern; SQLite takes all.
        let mut random = vec![0; 6000];
        getrandom::fill(&mut random).unwrap();
        let name: String = random.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let long = || declared(&format!("int {name}(int a);"));
        let calls: Vec<_> = (0..9)
            .map(|index| {
                let call = ended("{}", Ok(returned("1")));
                let call = if index == 4 { Ended { declared: Some(long()), ..call } } else { call };
                record(&running.history, call)
            })
            .collect();
        let is_taken = running.config.url.is_none();
        for (index, (id, outcome)) in calls.into_iter().enumerate() {
            let is_there = index != 4 || is_taken;
            let outcome = outcome.await.unwrap();
            assert_eq!(outcome.is_ok(), is_there, "{outcome:?}");
            assert_eq!(running.history.find(id).await.unwrap().is_some(), is_there, "{index}");
        }
        assert_eq!(
            (running.history.condition(), running.history.counts().missed),
            (Condition::Good, u64::from(!is_taken))
        );
        let gaps = running.history.gaps(Timestamp::MIN, Timestamp::MAX).await.unwrap();
        assert_eq!(gaps.iter().filter_map(|gap| gap.calls).sum::<u64>(), u64::from(!is_taken), "{gaps:?}");
    }
}

#[tokio::test]
async fn nobody_waits_for_a_store_that_stays_away() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let config = HistoryConfig { durability: Durability::BeforeAnswer, ..HistoryConfig::default() };
    let running = Running::start(Arc::clone(&folder), config);
    running.history.opened().await;
    // Somebody else has the file for good.
    let url = format!("sqlite://{}", folder.path().join("calls.db").display());
    let other = sqlx::AnyPool::connect(&url).await.unwrap();
    let mut lock = other.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *lock).await.unwrap();
    let (first, told) = record(&running.history, ended("{}", Ok(returned("1"))));
    eventually(async || matches!(running.history.condition(), Condition::Broken { .. }).then_some(())).await;
    let (later, also_told) = record(&running.history, ended("{}", Ok(returned("1"))));
    for outcome in [told, also_told] {
        let outcome = tokio::time::timeout(Duration::from_secs(20), outcome).await.unwrap().unwrap();
        assert!(matches!(outcome, Err(Failure::NotRecorded(Execution::Ran))), "{outcome:?}");
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut *lock).await.unwrap();
    for id in [first, later] {
        eventually(async || running.history.find(id).await.ok().flatten()).await;
    }
}

#[tokio::test]
async fn while_it_cannot_be_written_calls_go_on_and_what_has_no_room_is_told() {
    let outer = tempfile::tempdir().unwrap();
    let missing = outer.path().join("not/there");
    let history = Arc::new(History::new(&missing, HistoryConfig::default()));
    let writing = Arc::clone(&history);
    let ending = tokio::spawn(async move { writing.write().await });
    let before = Timestamp::now();
    let id = eventually(async || {
        let (id, outcome) = record(&history, ended("{}", Ok(returned("1"))));
        assert!(outcome.await.unwrap().is_ok(), "its client has its answer");
        matches!(history.condition(), Condition::Broken { .. }).then_some(id)
    })
    .await;
    assert!(history.find(id).await.unwrap_err().to_string().contains("calls.db"));
    let sent = history.counts().waiting;
    for _ in sent..buffer::MAX_CALLS as u64 + 7 {
        drop(record(&history, ended("{}", Ok(returned("1")))));
    }
    assert_eq!(history.counts().missed, 7);
    std::fs::create_dir_all(&missing).unwrap();
    eventually(async || (history.counts().written == buffer::MAX_CALLS as u64).then_some(())).await;
    assert_eq!(history.condition(), Condition::Good);
    assert!(history.find(id).await.unwrap().is_some());
    let gaps =
        eventually(async || history.gaps(before, Timestamp::now()).await.ok().filter(|gaps| !gaps.is_empty())).await;
    assert_eq!(gaps.iter().map(|gap| gap.calls).collect::<Vec<_>>(), [Some(7)]);
    assert_eq!(history.gaps(Timestamp::MIN, before).await.unwrap(), []);
    history.close(Duration::from_secs(10)).await;
    ending.await.unwrap();
}

#[tokio::test]
async fn calls_that_must_be_written_are_refused_while_they_cannot_be() {
    let outer = tempfile::tempdir().unwrap();
    let missing = outer.path().join("not/there");
    let config = HistoryConfig { durability: Durability::BeforeAnswer, ..HistoryConfig::default() };
    let history = Arc::new(History::new(&missing, config));
    let writing = Arc::clone(&history);
    tokio::spawn(async move { writing.write().await });
    let why = eventually(async || history.admit().err()).await;
    assert!(why.contains("calls.db"), "{why}");
    std::fs::create_dir_all(&missing).unwrap();
    eventually(async || history.admit().ok()).await;
    let (_, outcome) = record(&history, ended("{}", Ok(returned("1"))));
    assert!(outcome.await.unwrap().is_ok());
    history.close(Duration::from_secs(10)).await;
    let (_, outcome) = record(&history, ended("{}", Ok(returned("1"))));
    assert!(matches!(outcome.await.unwrap(), Err(Failure::NotRecorded(Execution::Ran))), "it would not be written");
}

#[tokio::test]
async fn a_gateway_that_did_not_say_that_it_stops_may_have_lost_something() {
    for running in stores(HistoryConfig::default()).await {
        let (id, _) = record(&running.history, ended("{}", Ok(returned("1"))));
        let last = running.row(id).await.ended_at;
        // Nobody closes it: as after a kill.
        running.writing.abort();
        let next = Running::start(Arc::clone(&running.folder), running.config.clone());
        next.row(id).await;
        let gaps = next.history.gaps(Timestamp::MIN, Timestamp::MAX).await.unwrap();
        assert_eq!((gaps.len(), gaps[0].calls), (1, None));
        assert!(gaps[0].since >= last && gaps[0].reason.contains("200 ms"), "{gaps:?}");
        let next = next.again().await;
        next.row(id).await;
        assert_eq!(next.history.gaps(Timestamp::MIN, Timestamp::MAX).await.unwrap(), gaps, "it was closed");
    }
}

#[tokio::test]
async fn a_database_has_the_history_of_one_gateway_and_the_next_one_goes_on_behind_it() {
    for running in stores(HistoryConfig::default()).await.into_iter().filter(|running| running.config.url.is_some()) {
        let (first, _) = record(&running.history, ended("{}", Ok(returned("1"))));
        assert_eq!(running.row(first).await.seq, 1);
        let other = Running::start(Arc::clone(&running.folder), running.config.clone());
        let why = eventually(async || match other.history.condition() {
            Condition::Broken { error, .. } => Some(error),
            _ => None,
        });
        assert!(why.await.contains("another gateway"));
        let (waits, outcome) = record(&other.history, ended("{}", Ok(returned("1"))));
        assert!(outcome.await.unwrap().is_ok(), "calls go on");
        let (second, _) = record(&running.history, ended("{}", Ok(returned("1"))));
        assert_eq!(running.row(second).await.seq, 2);
        running.history.close(Duration::from_secs(10)).await;
        assert_eq!(other.row(waits).await.seq, 3);
    }
}

#[tokio::test]
async fn without_a_history_nothing_is_written_and_everything_is_answered() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let config = HistoryConfig { durability: Durability::Off, ..HistoryConfig::default() };
    let running = Running::start(folder, config);
    let (id, outcome) = record(&running.history, ended("{}", Ok(returned("1"))));
    assert!(outcome.await.unwrap().is_ok());
    assert!(running.history.find(id).await.unwrap_err().to_string().contains("durability"));
    assert!(std::fs::read_dir(running.folder.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn a_writer_that_panics_is_told_and_nobody_waits_for_it() {
    for durability in [Durability::Batched, Durability::BeforeAnswer] {
        let folder = tempfile::tempdir().unwrap();
        let history = History::new(folder.path(), HistoryConfig { durability, ..HistoryConfig::default() });
        let (_, waiting) = record(&history, ended("{}", Ok(returned("1"))));
        history.until_the_end(async { panic!("a defect") }).await;
        let (_, later) = record(&history, ended("{}", Ok(returned("1"))));
        let is_batched = durability == Durability::Batched;
        for outcome in [waiting, later] {
            let outcome = outcome.await.unwrap();
            assert!(if is_batched { outcome.is_ok() } else { matches!(outcome, Err(Failure::NotRecorded(_))) });
        }
        assert!(
            matches!(history.condition(), Condition::Broken { error, .. } if error.contains("restart the gateway"))
        );
        assert_eq!((history.admit().is_ok(), history.counts().missed), (is_batched, 1));
        history.close(Duration::from_secs(1)).await;
    }
}
