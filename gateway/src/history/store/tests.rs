//! Stores and rows for tests of what the tables answer, in SQLite and in PostgreSQL.

use std::sync::Arc;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::dispatch::Execution;
use crate::history::record::Record;
use crate::history::tests::fresh_database;
use crate::history::text::Text;

/// An open store, and its folder.
pub(in crate::history) struct Opened {
    pub(in crate::history) store: Store,
    _folder: TempDir,
}

/// Both kinds of stores, empty.
pub(in crate::history) async fn opened(config: &HistoryConfig) -> Vec<Opened> {
    let mut configs = vec![config.clone()];
    match std::env::var("BRIDGE32_TEST_POSTGRES") {
        Ok(url) => configs.push(HistoryConfig { url: Some(fresh_database(&url).await), ..config.clone() }),
        Err(_) => eprintln!("SKIPPED for PostgreSQL: BRIDGE32_TEST_POSTGRES names none (cargo xtask test starts one)"),
    }
    let mut stores = Vec::new();
    for config in configs {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &config).await.unwrap();
        stores.push(Opened { store, _folder: folder });
    }
    stores
}

/// When the first of [`calls`] ended.
pub(in crate::history) fn beginning() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

/// So many calls, one a second, all of them different in what can be asked for.
pub(in crate::history) fn calls(count: i64) -> Vec<Record> {
    (0..count).map(call).collect()
}

fn call(number: i64) -> Record {
    let at = beginning() + jiff::SignedDuration::from_secs(number);
    let small = u128::try_from(number).unwrap();
    let name = |of: &str, many: i64| Arc::from(format!("{of}{}", number % many));
    let text = |text: String| Text { size: text.len() as u64, text, sha256: None };
    let code = match number % 10 {
        3 => Some("argument_mismatch"),
        7 if number % 70 == 7 => Some("agent_crashed"),
        _ => None,
    };
    let id = Uuid::from_u128(0x019c_0000_0000_7000_8000_0000_0000_0000 + small);
    let batch = (number % 19 == 1).then(|| (Uuid::from_u128(small / 100), 0));
    Record {
        seq: 0,
        id,
        library: name("lib", 3),
        function: (number % 11 != 5).then(|| name("f", 7)),
        owner: name("team", 2),
        key_id: name("key", 4),
        // The first one is gone after some time.
        agent: (number % 13 != 6).then(|| (if number < 100 { "old".into() } else { name("agent", 3) }, 1)),
        attempts: 0,
        session: (number % 17 == 1).then(|| Uuid::from_u128(small % 5)),
        batch,
        replay_of: None,
        trace_id: if number % 2 == 0 {
            (small % 9).to_be_bytes()
        } else {
            batch.map_or(id, |(batch, _)| batch).into_bytes()
        },
        idempotency_key: None,
        created_at: at,
        ended_at: at,
        parts_ns: [1000, u64::try_from(number % 50).unwrap() * 1_000_000, 500],
        status: if code.is_some() { 422 } else { 200 },
        code: code.map(str::to_owned),
        execution: if code == Some("argument_mismatch") { Execution::NotRun } else { Execution::Ran },
        report: None,
        prototype: None,
        args: text(format!(r#"{{"number":{number},"Text":"é%_\\"}}"#)),
        args_redacted: false,
        answer: text(r#"{"result":1,"outputs":{}}"#.to_owned()),
        output: None,
    }
}

#[tokio::test]
async fn a_database_that_nobody_serves_is_told_as_what_it_is() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = Some(format!("postgres://somebody:secret@{address}/history"));
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open(folder.path(), &HistoryConfig { url, ..HistoryConfig::default() }).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("refused") && !text.contains("secret"), "{text}");
}

/// The row is what the version before wrote: every column has its value.
#[tokio::test]
async fn what_an_earlier_version_has_written_is_there_and_can_be_asked_for() {
    const OLD: &str = "INSERT INTO calls (seq, id, library, function, owner, key_id, agent, generation, attempts, trace_id, \
        created_at, ended_at, queue_ns, agent_ns, library_ns, status, execution, args, args_size, args_redacted, answer, answer_size) \
        VALUES (7, $1, 'lib', 'f', 'team', 'key', 'agent', 1, 0, $1, 1, 1, 1, 1, 1, 200, 'ran', '{}', 2, 0, '{}', 2)";
    let mut configs = vec![HistoryConfig::default()];
    if let Ok(url) = std::env::var("BRIDGE32_TEST_POSTGRES") {
        configs.push(HistoryConfig { url: Some(fresh_database(&url).await), ..HistoryConfig::default() });
    }
    sqlx::any::install_default_drivers();
    for config in configs {
        let folder = tempfile::tempdir().unwrap();
        let (dialect, url) = match &config.url {
            Some(url) => (Dialect::Postgres, url.clone()),
            None => (Dialect::Sqlite, file_url(folder.path()).unwrap()),
        };
        let old = AnyPool::connect(&url).await.unwrap();
        let first = dialect.migrations().into_iter().take(1).collect();
        Migrator::with_migrations(first).run(&old).await.unwrap();
        let id = Uuid::now_v7();
        sqlx::query(OLD).bind(id.as_bytes().to_vec()).execute(&old).await.unwrap();
        old.close().await;
        let mut store = Store::open(folder.path(), &config).await.unwrap();
        let mut new = calls(3);
        store.insert(&mut new, None).await.unwrap();
        assert_eq!(new[0].seq, 8);
        let record = store.readers().find(id).await.unwrap().unwrap();
        assert_eq!((record.seq, &*record.key_id, record.trace_id), (7, "key", id.into_bytes()));
        let filter = Filter { key: Some("key".to_owned()), owner: Some("team".to_owned()), ..Filter::default() };
        let page = store.readers().page(&filter, None, 10, Detail::Whole).await.unwrap();
        assert_eq!(page.records, [record]);
    }
}
