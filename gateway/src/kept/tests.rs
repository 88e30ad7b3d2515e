//! What is kept of calls, over restarts too, and what it refuses.

use std::path::Path;

use bytes::Bytes;

use super::*;
use crate::dispatch::Execution;

fn calls(folder: &Path, config: HistoryConfig) -> KeptCalls {
    KeptCalls::new(folder, config)
}

fn fresh(folder: &Path) -> KeptCalls {
    calls(folder, HistoryConfig::default())
}

fn request(key: Option<&str>, digest: &str) -> Request {
    Request {
        id: Uuid::now_v7(),
        owner: "ann".into(),
        key_id: "ci".into(),
        library: "calc".into(),
        target: "functions/Add".into(),
        function: Some("Add".into()),
        idempotency_key: key.map(str::to_owned),
        body_digest: key.map(|_| digest.to_owned()),
        created_at: Timestamp::from_millisecond(1_769_900_000_123).unwrap(),
    }
}

fn outcome(text: &'static str, execution: Execution) -> Outcome {
    let answer = Kept::Answer(Bytes::from_static(text.as_bytes()));
    Outcome { status: 200, code: None, execution, retry_after: None, answer }
}

async fn begin(calls: &KeptCalls, request: Request) -> Arc<Entry> {
    let ids = vec![request.id];
    match calls.begin(request, ids, || true).await.unwrap() {
        Begun::New(entry) => entry,
        Begun::Known(entry) => panic!("{entry:?} is known"),
    }
}

async fn known(calls: &KeptCalls, request: Request) -> Arc<Entry> {
    match calls.begin(request, Vec::new(), || true).await.unwrap() {
        Begun::Known(entry) => entry,
        Begun::New(entry) => panic!("{entry:?} is new"),
    }
}

/// What a request with that key is told, a new process later.
async fn after_restart(folder: &Path, key: &str) -> Outcome {
    let entry = known(&fresh(folder), request(Some(key), "d")).await;
    entry.ended().unwrap().outcome.clone()
}

#[tokio::test]
async fn an_outcome_is_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = fresh(folder.path());
    let wanted = request(Some("k"), "d");
    let entry = begin(&first, wanted.clone()).await;
    let kept = Outcome {
        status: 504,
        code: Some("deadline_exceeded".into()),
        retry_after: Some(7),
        ..outcome("{ }", Execution::MayHaveRun)
    };
    first.end(&entry, kept.clone(), false).await;
    assert_eq!(entry.end().await.outcome, kept);
    let found = first.find(wanted.id).await.unwrap().unwrap();
    assert_eq!((&found.request, &found.ended().unwrap().outcome), (&wanted, &kept));
    first.close(Duration::ZERO).await;
    assert_eq!(after_restart(folder.path(), "k").await, kept);
    assert!(fresh(folder.path()).find(Uuid::now_v7()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_key_is_of_one_request_of_one_owner_on_one_path() {
    let folder = tempfile::tempdir().unwrap();
    let calls = fresh(folder.path());
    let first = begin(&calls, request(Some("k"), "d")).await;
    let same = known(&calls, request(Some("k"), "d")).await;
    assert!(Arc::ptr_eq(&first, &same), "both wait for the one call");
    let other = |change: fn(&mut Request)| {
        let mut other = request(Some("k"), "d");
        change(&mut other);
        other
    };
    for ended in [false, true] {
        let refused = calls.begin(request(Some("k"), "other"), Vec::new(), || true).await.unwrap_err();
        assert!(matches!(refused, Refused::Mismatch { call } if call == first.request.id), "{ended}: {refused}");
        if !ended {
            calls.end(&first, outcome("1", Execution::Ran), false).await;
        }
    }
    begin(&calls, other(|it| it.owner = "bob".into())).await;
    begin(&calls, other(|it| it.library = "other".into())).await;
    begin(&calls, other(|it| it.target = "calls".into())).await;
    begin(&calls, request(None, "d")).await;
    begin(&calls, request(None, "d")).await;
}

#[tokio::test]
async fn who_is_not_admitted_makes_no_call_but_gets_the_answers_of_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let calls = fresh(folder.path());
    let first = begin(&calls, request(Some("k"), "d")).await;
    let refused = calls.begin(request(None, "d"), Vec::new(), || false).await.unwrap_err();
    assert!(matches!(refused, Refused::NotAdmitted));
    let known = calls.begin(request(Some("k"), "d"), Vec::new(), || false).await.unwrap();
    assert!(matches!(known, Begun::Known(entry) if entry.request.id == first.request.id));
    assert_eq!(calls.list(None, None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_did_not_run_gives_its_key_back_and_stays_to_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let calls = fresh(folder.path());
    let first = begin(&calls, request(Some("k"), "d")).await;
    calls.end(&first, outcome("full", Execution::NotRun), false).await;
    let second = begin(&calls, request(Some("k"), "another body")).await;
    calls.end(&second, outcome("secret", Execution::NotRun), true).await;
    let third = begin(&calls, request(Some("k"), "d")).await;
    calls.end(&third, outcome("5", Execution::Ran), false).await;
    known(&calls, request(Some("k"), "d")).await;
    for (entry, text) in [(&first, "full"), (&second, "secret"), (&third, "5")] {
        let found = calls.find(entry.request.id).await.unwrap().unwrap();
        assert_eq!(found.ended().unwrap().outcome.answer, Kept::Answer(Bytes::from_static(text.as_bytes())));
    }
}

#[tokio::test]
async fn a_call_that_was_under_way_when_the_process_died_may_have_run() {
    let folder = tempfile::tempdir().unwrap();
    let killed = fresh(folder.path());
    let entry = begin(&killed, request(Some("k"), "d")).await;
    drop((killed, entry));
    let lost = after_restart(folder.path(), "k").await;
    assert_eq!((lost.execution, lost.status), (Execution::MayHaveRun, 502));
    assert_eq!((lost.answer, lost.code.as_deref()), (Kept::Gone(Gone::GatewayEnded), Some("agent_restarted")));
}

/// Whether a text stands anywhere in what was written.
fn is_written(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
}

#[tokio::test]
async fn a_sensitive_answer_is_in_memory_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = fresh(folder.path());
    let entry = begin(&first, request(Some("k"), "d")).await;
    first.end(&entry, outcome("hunter2", Execution::Ran), true).await;
    let again = known(&first, request(Some("k"), "d")).await;
    assert_eq!(again.ended().unwrap().outcome.answer, Kept::Answer(Bytes::from_static(b"hunter2")));
    first.close(Duration::ZERO).await;
    assert!(!is_written(folder.path(), "hunter2") && is_written(folder.path(), "functions/Add"));
    let later = after_restart(folder.path(), "k").await;
    assert_eq!((later.execution, later.status), (Execution::Ran, 200));
    assert_eq!(later.answer, Kept::Gone(Gone::Sensitive));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_in_memory_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = calls(folder.path(), HistoryConfig { max_size: 40, ..HistoryConfig::default() });
    for (key, text) in [("a", "0123456789"), ("b", "0123456789+")] {
        let entry = begin(&first, request(Some(key), "d")).await;
        first.end(&entry, outcome(text, Execution::Ran), false).await;
        known(&first, request(Some(key), "d")).await;
    }
    first.close(Duration::ZERO).await;
    assert_eq!(after_restart(folder.path(), "a").await.answer, Kept::Answer(Bytes::from_static(b"0123456789")));
    assert_eq!(after_restart(folder.path(), "b").await.answer, Kept::Gone(Gone::TooLarge));
}

#[tokio::test]
async fn a_full_table_refuses_until_something_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let config = HistoryConfig { max_outcomes: 1, ..HistoryConfig::default() };
    let calls = calls(folder.path(), config);
    let entry = begin(&calls, request(Some("k"), "d")).await;
    let full = calls.begin(request(None, "d"), Vec::new(), || true).await.unwrap_err();
    assert!(matches!(full, Refused::Full { outcomes: 1, .. }), "{full}");
    calls.end(&entry, outcome("5", Execution::Ran), false).await;
    known(&calls, request(Some("k"), "d")).await;
    begin(&calls, request(None, "d")).await;
    assert!(calls.find(entry.request.id).await.unwrap().is_none());
}

#[tokio::test]
async fn in_a_full_table_the_oldest_of_whoever_has_most_make_room() {
    for (max_outcomes, max_size) in [(4, 1000), (1000, 40)] {
        let folder = tempfile::tempdir().unwrap();
        let calls = calls(folder.path(), HistoryConfig { max_outcomes, max_size, ..HistoryConfig::default() });
        let kept = async |owner: &str| {
            let entry = begin(&calls, Request { owner: owner.into(), ..request(None, "d") }).await;
            calls.end(&entry, outcome("0123456789", Execution::Ran), false).await;
            entry.request.id
        };
        let first = kept("bob").await;
        let (second, third, fourth) = (kept("ann").await, kept("ann").await, kept("ann").await);
        begin(&calls, Request { owner: "eve".into(), ..request(None, "d") }).await;
        assert!(calls.find(second).await.unwrap().is_none(), "{max_outcomes}");
        for id in [first, third, fourth] {
            assert!(calls.find(id).await.unwrap().is_some(), "{max_outcomes}");
        }
    }
}

#[tokio::test]
async fn what_is_old_goes_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let config = HistoryConfig { keep_outcomes: Duration::from_millis(300), ..HistoryConfig::default() };
    let calls = calls(folder.path(), config);
    let stopping = watch::Sender::new(false);
    let kept = async {
        let old: Vec<_> =
            [begin(&calls, request(Some("a"), "d")).await, begin(&calls, request(Some("b"), "d")).await].into();
        let running = begin(&calls, request(Some("c"), "d")).await;
        for (entry, is_sensitive) in old.iter().zip([false, true]) {
            calls.end(entry, outcome("5", Execution::Ran), is_sensitive).await;
        }
        let is_there = async |entry: &Arc<Entry>| calls.find(entry.request.id).await.unwrap().is_some();
        let start = std::time::Instant::now();
        while is_there(&old[0]).await || is_there(&old[1]).await {
            assert!(start.elapsed() < Duration::from_secs(10), "it is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(is_there(&running).await, "what has not ended does not grow old");
        stopping.send_replace(true);
    };
    tokio::join!(kept, calls.watch(stopping.subscribe()));
}

#[tokio::test]
async fn a_table_that_cannot_be_opened_refuses_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    std::fs::create_dir(&file).unwrap();
    let calls = fresh(folder.path());
    calls.open().await;
    assert!(matches!(
        calls.begin(request(None, "d"), Vec::new(), || true).await,
        Err(Refused::Store(StoreError::File { .. }))
    ));
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, "this is no database, and long enough to tell".repeat(99)).unwrap();
    let error = calls.begin(request(None, "d"), Vec::new(), || true).await.unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
    std::fs::remove_file(&file).unwrap();
    begin(&calls, request(None, "d")).await;
}

#[tokio::test]
async fn an_outcome_that_cannot_be_written_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let calls = fresh(folder.path());
    let entry = begin(&calls, request(Some("k"), "d")).await;
    // As if the disk had failed: the table is closed, and cannot be opened again.
    calls.close(Duration::ZERO).await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    std::fs::create_dir(folder.path().join("history.db")).unwrap();
    calls.end(&entry, outcome("5", Execution::Ran), false).await;
    assert_eq!(entry.end().await.outcome.answer, Kept::Answer(Bytes::from_static(b"5")));
    assert!(calls.find(entry.request.id).await.unwrap().is_some(), "it is in memory");
}

#[tokio::test]
async fn a_call_whose_outcome_was_never_written_and_is_forgotten_may_have_run() {
    let folder = tempfile::tempdir().unwrap();
    let calls = fresh(folder.path());
    let entry = begin(&calls, request(Some("k"), "d")).await;
    // As if the write at its end had failed, and all that was in memory were too old by now.
    *calls.live() = Live::default();
    let found = calls.find(entry.request.id).await.unwrap().unwrap();
    assert_eq!(found.end().await.outcome, Outcome::lost());
    let again = known(&calls, request(Some("k"), "d")).await;
    assert_eq!(again.end().await.outcome, Outcome::lost(), "nobody waits for ever, and it is not made again");
}

#[tokio::test]
async fn the_newest_come_first_a_page_at_a_time_and_each_owner_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let calls = fresh(folder.path());
    let mut ids = Vec::new();
    for _ in 0..5 {
        let entry = begin(&calls, request(None, "d")).await;
        calls.end(&entry, outcome("a long answer", Execution::Ran), false).await;
        ids.insert(0, entry.request.id);
        begin(&calls, Request { owner: "bob".into(), ..request(None, "d") }).await;
    }
    let page = async |owner, before, limit| {
        let records = calls.list(owner, before, limit).await.unwrap();
        records.into_iter().map(|record| record.request.id).collect::<Vec<_>>()
    };
    assert_eq!(page(Some("ann"), None, 3).await, ids[..3]);
    assert_eq!(page(Some("ann"), Some(ids[2]), 3).await, ids[3..]);
    assert_eq!((page(None, None, 99).await.len(), page(Some("eve"), None, 99).await.len()), (10, 0));
    let listed = calls.list(Some("ann"), None, 1).await.unwrap();
    assert_eq!(listed[0].ended.as_ref().unwrap().outcome.answer, Kept::Answer(Bytes::new()), "answers are not read");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("history.db"), "").unwrap();
    let calls = fresh(folder.path());
    begin(&calls, request(None, "d")).await;
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 1, "there is a log beside the file");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
    }
}
