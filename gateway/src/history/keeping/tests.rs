use std::time::Duration;

use jiff::SignedDuration;

use super::*;
use crate::config::HistoryConfig;
use crate::history::store::tests::{beginning, calls, opened};
use crate::history::store::{Detail, Filter};
use crate::history::{Gap, Record};

#[tokio::test]
async fn calls_that_are_too_old_are_forgotten_with_what_is_missing_of_their_time() {
    let config = HistoryConfig { keep_calls: Duration::from_secs(600), ..HistoryConfig::default() };
    for mut opened in opened(&config).await {
        let store = &mut opened.store;
        let at = |seconds| beginning() + SignedDuration::from_secs(seconds);
        let mut calls = calls(3000);
        // A clock that was wrong for a while does not keep the others.
        calls[0].ended_at = at(9000);
        store.insert(&mut calls[..10], Some(&Gap::no_room(at(10), at(11), 5))).await.unwrap();
        store.insert(&mut calls[10..], Some(&Gap::no_room(at(2990), at(2999), 6))).await.unwrap();
        let history = History::new(std::path::Path::new("."), config.clone());
        history.forget(&store.janitor(), at(3000)).await.unwrap();
        let page = store.readers().page(&Filter::default(), None, 1000, Detail::Listed).await.unwrap();
        let mut numbers: Vec<i64> = page.records.iter().map(|record| record.seq).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1].into_iter().chain(2401..=3000).collect::<Vec<_>>());
        assert_eq!(page.missing.iter().map(|gap| gap.calls).collect::<Vec<_>>(), [Some(6)]);
        assert_eq!(history.counts().forgotten, 2399);
    }
}

/// A call whose arguments have some length.
fn long(mut record: Record) -> Record {
    record.id = uuid::Uuid::now_v7();
    record.args.text = "x".repeat(1000);
    record
}

#[tokio::test]
async fn what_there_is_no_room_for_is_forgotten_and_the_room_is_used_again() {
    let config = HistoryConfig { max_calls_size: 4 << 20, ..HistoryConfig::default() };
    for mut opened in opened(&config).await {
        let store = &mut opened.store;
        let history = History::new(std::path::Path::new("."), config.clone());
        let janitor = store.janitor();
        let mut left = Vec::new();
        for round in 0..4 {
            for _ in 0..5 {
                let mut calls: Vec<Record> = calls(1000).into_iter().map(long).collect();
                store.insert(&mut calls, None).await.unwrap();
            }
            let before = janitor.size().await.unwrap();
            assert!(before > 4 << 20, "{before}");
            history.forget(&janitor, beginning()).await.unwrap();
            let size = janitor.size().await.unwrap();
            assert!(size <= 4 << 20 && size > 2 << 20, "round {round}: {size}");
            let page = store.readers().page(&Filter::default(), None, 1000, Detail::Listed).await.unwrap();
            assert_eq!(page.records[0].seq, 5000 * (round + 1), "the newest ones stay");
            left.push(history.counts().forgotten);
        }
        let each: Vec<u64> = left.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(each, [5000; 3], "as many go as come");
    }
}

#[tokio::test]
async fn a_file_becomes_smaller_when_it_may_have_less() {
    let config = HistoryConfig::default();
    let mut opened = opened(&config).await.swap_remove(0);
    for _ in 0..50 {
        let mut calls: Vec<Record> = calls(1000).into_iter().map(long).collect();
        opened.store.insert(&mut calls, None).await.unwrap();
    }
    let pages = async |store: &crate::history::store::Store| store.janitor().pages().await.unwrap();
    let before = pages(&opened.store).await;
    let less = HistoryConfig { max_calls_size: 4 << 20, ..config };
    let history = History::new(std::path::Path::new("."), less);
    history.forget(&opened.store.janitor(), beginning()).await.unwrap();
    let after = pages(&opened.store).await;
    assert!(after < before / 2, "{before} pages, then {after}");
}
