use std::collections::HashSet;

use jiff::SignedDuration;
use uuid::Uuid;

use super::*;
use crate::config::HistoryConfig;
use crate::dispatch::Execution;
use crate::history::store::tests::{beginning, calls, opened};
use crate::history::store::{Store, Wanted};

const CALLS: i64 = 2200;
const LONG: Duration = Duration::from_mins(1);

#[test]
fn parts_grow_as_long_as_they_are_quick() {
    assert_eq!(larger(500, Duration::from_millis(5)), 1000);
    assert_eq!(larger(500, Duration::from_micros(10)), 1500);
    assert_eq!(larger(4000, Duration::from_millis(40)), 1000);
    assert_eq!(larger(1000, Duration::from_secs(9)), FIRST_PART);
    assert_eq!(larger(LARGEST_PART, Duration::ZERO), LARGEST_PART);
}

#[test]
fn blocks_that_follow_each_other_are_read_together() {
    let part = |marked: &[i64], most| Part::of_blocks(marked, most, 300, 2000);
    assert_eq!(part(&[7, 6, 3, 1], 4), Part { from: 300, ranges: vec![(1536, 2000), (768, 1023), (300, 511)] });
    assert_eq!(part(&[7, 6], 2), Part { from: 1536, ranges: vec![(1536, 2000)] });
    assert_eq!(part(&[7], 2), Part { from: 300, ranges: vec![(1792, 2000)] });
    assert_eq!(part(&[], 2), Part { from: 300, ranges: Vec::new() });
}

/// What the filter means, said another way.
fn is_wanted(filter: &Filter, record: &Record) -> bool {
    let same = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
    let duration = Duration::from_nanos(record.duration_ns());
    same(&filter.library, Some(&record.library))
        && same(&filter.function, record.function.as_deref())
        && same(&filter.key, Some(&record.key_id))
        && same(&filter.owner, Some(&record.owner))
        && same(&filter.agent, record.agent.as_ref().map(|(agent, _)| &**agent))
        && (filter.session.is_none() || filter.session == record.session)
        && (filter.batch.is_none() || filter.batch == record.batch.map(|(batch, _)| batch))
        && (filter.trace_id.is_none() || filter.trace_id == Some(record.trace_id))
        && filter.since.is_none_or(|since| record.ended_at >= since)
        && filter.until.is_none_or(|until| record.ended_at <= until)
        && filter.min_duration.is_none_or(|least| duration >= least)
        && filter.max_duration.is_none_or(|most| duration <= most)
        && filter.text.as_deref().is_none_or(|text| record.args.text.contains(text))
        && match &filter.outcome {
            None => true,
            Some(Wanted::Returned) => record.code.is_none(),
            Some(Wanted::Failed) => record.code.is_some(),
            Some(Wanted::Code(code)) => record.code.as_ref() == Some(code),
            Some(Wanted::Execution(execution)) => record.execution == *execution,
        }
}

/// Each condition alone, and all pairs of them.
fn filters() -> Vec<Filter> {
    let text = |text: &str| Some(text.to_owned());
    let at = |seconds| Some(beginning() + SignedDuration::from_secs(seconds));
    let set: Vec<fn(&mut Filter, Filter)> = vec![
        |to, from| to.library = from.library,
        |to, from| to.function = from.function,
        |to, from| to.outcome = from.outcome,
        |to, from| to.key = from.key,
        |to, from| to.owner = from.owner,
        |to, from| to.agent = from.agent,
        |to, from| to.session = from.session,
        |to, from| to.batch = from.batch,
        |to, from| to.trace_id = from.trace_id,
        |to, from| (to.since, to.until) = (from.since, from.until),
        |to, from| (to.min_duration, to.max_duration) = (from.min_duration, from.max_duration),
        |to, from| to.text = from.text,
    ];
    let outcomes = [
        Wanted::Returned,
        Wanted::Failed,
        Wanted::Code("agent_crashed".to_owned()),
        Wanted::Execution(Execution::NotRun),
        Wanted::Execution(Execution::Ran),
    ];
    let mut all = vec![Filter::default()];
    for (outcome, agent) in outcomes.into_iter().zip(["old", "agent1", "agent2", "nobody", "old"]) {
        let full = Filter {
            library: text("lib1"),
            function: text("f2"),
            outcome: Some(outcome),
            key: text("key3"),
            owner: text("team1"),
            agent: text(agent),
            session: Some(Uuid::from_u128(2)),
            batch: Some(Uuid::from_u128(4)),
            trace_id: Some(2_u128.to_be_bytes()),
            since: at(90),
            until: at(1900),
            min_duration: Some(Duration::from_millis(20)),
            max_duration: Some(Duration::from_millis(40)),
            text: text(r#"7,"Text":"é%_\"#),
        };
        for (index, one) in set.iter().enumerate() {
            for other in &set[index..] {
                let mut filter = Filter::default();
                one(&mut filter, full.clone());
                other(&mut filter, full.clone());
                all.push(filter);
            }
        }
        let Filter { library, function, outcome, .. } = full;
        all.push(Filter { library, function, outcome, ..Filter::default() });
    }
    all
}

/// All pages of a filter, read with so little time that each has one part of the table.
async fn all_pages(store: &Store, filter: &Filter, limit: usize, budget: Duration) -> Vec<i64> {
    let readers = store.readers();
    let mut connection = readers.pool.acquire().await.unwrap();
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let connection = &mut *connection;
        let mut search = Search { connection, dialect: readers.dialect, filter, detail: Detail::Listed, budget };
        let page = search.page(before, limit).await.unwrap();
        assert!(page.records.len() <= limit);
        assert_eq!(page.searched_until.is_some(), page.next.is_some() && page.records.len() < limit, "{filter:?}");
        found.extend(page.records.iter().map(|record| record.seq));
        match page.next {
            Some(next) => before = Some(next),
            None => return found,
        }
    }
}

#[tokio::test]
async fn every_filter_finds_what_it_means_in_pages_that_follow_each_other() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let store = &mut opened.store;
        let mut calls = calls(CALLS);
        store.insert(&mut calls, None).await.unwrap();
        for (number, filter) in filters().into_iter().enumerate() {
            let wanted = calls.iter().rev().filter(|record| is_wanted(&filter, record));
            let wanted: Vec<i64> = wanted.map(|record| record.seq).collect();
            let limit = [7, 100, 1000][number % 3];
            assert_eq!(all_pages(store, &filter, limit, LONG).await, wanted, "{filter:?}");
            if number % 4 == 0 {
                assert_eq!(all_pages(store, &filter, limit, Duration::ZERO).await, wanted, "{filter:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_list_shows_all_but_the_texts_and_an_export_everything() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let mut written = calls(3);
        opened.store.insert(&mut written, None).await.unwrap();
        let readers = opened.store.readers();
        let whole = readers.page(&Filter::default(), None, 9, Detail::Whole).await.unwrap();
        written.reverse();
        assert_eq!(whole.records, written);
        let listed = readers.page(&Filter::default(), None, 2, Detail::Listed).await.unwrap();
        assert_eq!((listed.records[0].id, listed.records[0].args.text.as_str()), (written[0].id, ""));
        assert_eq!((listed.next, listed.searched_until), (Some(2), None));
    }
}

#[tokio::test]
async fn what_ends_meanwhile_neither_repeats_nor_hides_a_call() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let store = &mut opened.store;
        store.insert(&mut calls(100), None).await.unwrap();
        let (mut found, mut before) = (HashSet::new(), None);
        loop {
            let page = store.readers().page(&Filter::default(), before, 9, Detail::Listed).await.unwrap();
            for record in &page.records {
                assert!(found.insert(record.seq), "{} comes twice", record.seq);
            }
            // Of another beginning, so that the ids are others.
            let mut more = calls(1000 + i64::try_from(found.len()).unwrap()).split_off(999);
            for record in &mut more {
                record.id = Uuid::now_v7();
            }
            store.insert(&mut more, None).await.unwrap();
            match page.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        assert_eq!(found, (1..=100).collect());
    }
}

#[tokio::test]
async fn calls_that_are_out_of_order_are_found_by_their_time() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let mut calls = calls(2000);
        // As if some had waited for their turn to be written.
        calls.swap(1000, 1007);
        calls.swap(1500, 1100);
        opened.store.insert(&mut calls, None).await.unwrap();
        let at = |seconds| Some(beginning() + SignedDuration::from_secs(seconds));
        let filter = Filter { since: at(1003), until: at(1200), ..Filter::default() };
        let mut found = all_pages(&opened.store, &filter, 1000, LONG).await;
        found.sort_unstable();
        let wanted = calls.iter().filter(|record| is_wanted(&filter, record)).map(|record| record.seq);
        assert_eq!((found.len(), found), (198, wanted.collect()));
        let none = Filter { since: at(5000), ..Filter::default() };
        assert!(opened.store.readers().page(&none, None, 10, Detail::Listed).await.unwrap().records.is_empty());
    }
}

#[tokio::test]
async fn what_is_missing_is_told_with_the_calls_around_it_once() {
    for mut opened in opened(&HistoryConfig::default()).await {
        let store = &mut opened.store;
        let at = |seconds| beginning() + SignedDuration::from_secs(seconds);
        let mut calls = calls(30);
        store.insert(&mut calls[..10], Some(&Gap::no_room(at(10), at(11), 5))).await.unwrap();
        store.insert(&mut calls[10..], Some(&Gap::no_room(at(40), at(41), 6))).await.unwrap();
        let (mut told, mut before) = (Vec::new(), None);
        loop {
            let page = store.readers().page(&Filter::default(), before, 10, Detail::Listed).await.unwrap();
            let numbers = page.missing.iter().map(|gap| gap.calls.unwrap());
            told.push(numbers.collect::<Vec<_>>());
            match page.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        assert_eq!(told, [vec![6], vec![], vec![5]]);
        // Of a time in which there is no call at all, too.
        let filter = Filter { since: Some(at(41)), ..Filter::default() };
        let page = store.readers().page(&filter, None, 10, Detail::Listed).await.unwrap();
        assert_eq!((page.records.len(), page.missing.len()), (0, 1));
    }
}
