use jiff::SignedDuration;

use super::*;
use crate::config::HistoryConfig;
use crate::history::store::tests::{beginning, calls, opened};
use crate::history::store::{Span, Statistics, Store};

fn span(step: i64) -> Span {
    let start = beginning().as_microsecond();
    Span { time: start..start + HOUR, step, library: None, function: None }
}

async fn ask(store: &Store, span: &Span) -> Statistics {
    store.readers().statistics(span).await.unwrap()
}

fn total(statistics: &Statistics) -> (u64, u64, u64) {
    let of = |count: fn(&Tally) -> u64| statistics.functions.values().map(count).sum();
    let parts: u64 = statistics.parts.values().map(|tally| tally.calls).sum();
    assert_eq!(parts, of(|tally| tally.calls), "{statistics:?}");
    (of(|tally| tally.calls), of(|tally| tally.failed), statistics.functions.len() as u64)
}

#[tokio::test]
async fn the_sums_are_those_of_the_calls_whatever_comes_in_between() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let mut all = calls(600);
        let failed = all.iter().filter(|call| call.code.is_some()).count() as u64;
        // In batches of some size, not in the order of time.
        let (first, second) = all.split_at_mut(350);
        opened.store.insert(second, None).await.unwrap();
        opened.store.insert(&mut first[..7], None).await.unwrap();
        opened.store.sums = Sums::default();
        opened.store.insert(&mut first[7..], None).await.unwrap();
        let statistics = ask(&opened.store, &span(MINUTE)).await;
        // Three libraries, seven functions and none.
        assert_eq!(total(&statistics), (600, failed, 3 * 8));
        assert_eq!(statistics.parts.len(), 10);
        let of_one = Span { library: Some("lib1".into()), function: Some("f2".into()), ..span(2 * MINUTE) };
        let statistics = ask(&opened.store, &of_one).await;
        let wanted = all.iter().filter(|call| *call.library == *"lib1" && call.function.as_deref() == Some("f2"));
        let mut durations: Vec<u64> = wanted.map(Record::duration_ns).collect();
        durations.sort_unstable();
        let tally = &statistics.functions[&("lib1".into(), "f2".into())];
        assert_eq!((tally.calls, statistics.parts.len()), (durations.len() as u64, 5));
        for part in [0.5, 0.95, 0.99] {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small"
            )]
            let exact = durations[(durations.len() as f64 * part).ceil() as usize - 1];
            let told = tally.quantile_ns(part);
            assert!(told.abs_diff(exact) <= exact / 100 + 1, "{part}: {told} instead of {exact}");
        }
    }
}

#[tokio::test]
async fn calls_whose_writing_was_not_seen_to_succeed_are_counted_once() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let store = &mut opened.store;
        let mut known = calls(10);
        store.insert(&mut known[..5], None).await.unwrap();
        // It is written, and the writer does not learn of it.
        let last = store.last;
        let mut transaction = store.writer.begin().await.unwrap();
        for (record, seq) in known[5..].iter_mut().zip(last + 1..) {
            record.seq = seq;
        }
        store.sums.write(&mut transaction, store.dialect, &known[5..]).await.unwrap();
        transaction.commit().await.unwrap();
        store.insert(&mut known[5..], None).await.unwrap();
        assert_eq!(total(&ask(store, &span(MINUTE)).await).0, 10);
    }
}

#[tokio::test]
async fn names_that_clients_make_up_do_not_fill_the_table() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let mut calls = calls(50);
        let one = calls[0].clone();
        let made_up = (0..2000).map(|number| {
            let id = uuid::Uuid::now_v7();
            Record { id, function: Some(format!("made_up{number}").into()), ..one.clone() }
        });
        calls.extend(made_up);
        for batch in calls.chunks_mut(500) {
            opened.store.insert(batch, None).await.unwrap();
        }
        let statistics = ask(&opened.store, &span(MINUTE)).await;
        let (calls, _, names) = total(&statistics);
        assert_eq!(calls, 2050);
        assert!(names <= MOST_FUNCTIONS as u64 + 3, "{names}");
        assert!(statistics.functions[&("lib0".into(), "".into())].calls > 900);
    }
}

#[tokio::test]
async fn old_minutes_are_summed_up_by_the_hour_and_say_the_same() {
    for mut opened in opened(&HistoryConfig::default()).await {
        opened.store.insert(&mut calls(3700), None).await.unwrap();
        let long = Span { time: span(HOUR).time.start..span(HOUR).time.end + HOUR, ..span(HOUR) };
        let before = ask(&opened.store, &long).await;
        let janitor = opened.store.janitor();
        let later = beginning() + SignedDuration::from_mins(61);
        assert!(janitor.sum_up_an_hour(later).await.unwrap());
        assert!(!janitor.sum_up_an_hour(later).await.unwrap());
        let after = ask(&opened.store, &long).await;
        assert_eq!(total(&after), total(&before));
        for (name, tally) in &before.functions {
            assert_eq!(after.functions[name].quantile_ns(0.95), tally.quantile_ns(0.95));
        }
        let count = "SELECT COUNT(*) AS count FROM statistics";
        let rows: i64 = sqlx::query(count).fetch_one(&opened.store.writer).await.unwrap().try_get("count").unwrap();
        assert!((25..=24 * 3).contains(&rows), "{rows}: an hour, and the two minutes that are not of one that is over");
    }
}
