//! What readers get, and what they are told of what they do not.

use std::sync::Arc;

use super::*;

fn call(library: &str, owner: &str) -> Event {
    let call = CallEnd {
        at: Timestamp::UNIX_EPOCH,
        call_id: uuid::Uuid::nil(),
        library: library.into(),
        function: Some("Add".into()),
        outcome: "returned",
        duration_us: 12,
        agent: Some("calc.2".into()),
        generation: Some(3),
        key: Some("key".into()),
        owner: Some(owner.into()),
    };
    call.into()
}

fn history(calls: u64) -> Event {
    HistoryNews::Missing { calls }.into()
}

fn numbers(portion: &Portion) -> Vec<u64> {
    portion.events.iter().map(|(id, _)| id.number).collect()
}

fn id(text: &str) -> EventId {
    text.parse().unwrap()
}

async fn nothing_comes(reader: &mut Reader, events: &Events) {
    assert!(tokio::time::timeout(Duration::from_mins(1), reader.next(events)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_what_comes_from_now_on_in_its_order() {
    let events = Events::of_epoch(10);
    events.publish(history(1));
    let mut reader = events.read(None, Filter::default()).unwrap();
    assert_eq!(reader.position(&events).unwrap().to_string(), "a-1");
    nothing_comes(&mut reader, &events).await;
    events.publish(history(2));
    events.publish(history(3));
    let portion = reader.next(&events).await;
    assert_eq!((numbers(&portion), portion.missed), (vec![2, 3], None));
    nothing_comes(&mut reader, &events).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_is_woken() {
    let events = Arc::new(Events::of_epoch(10));
    let other = Arc::clone(&events);
    let reading = tokio::spawn(async move {
        other.begin_reading();
        let mut reader = other.read(None, Filter::default()).unwrap();
        numbers(&reader.next(&other).await)
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    events.publish(history(1));
    assert_eq!(reading.await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_goes_on_where_it_was() {
    let events = Events::of_epoch(10);
    (1..=200).for_each(|n| events.publish(history(n)));
    let mut reader = events.read(Some(id("a-7")), Filter::default()).unwrap();
    let mut seen = Vec::new();
    while seen.len() < 193 {
        let portion = reader.next(&events).await;
        assert!(portion.missed.is_none() && portion.events.len() <= TAKES);
        seen.extend(numbers(&portion));
    }
    assert_eq!(seen, (8..=200).collect::<Vec<_>>());
    assert_eq!(
        events.read(Some(id("a-200")), Filter::default()).unwrap().position(&events).unwrap().to_string(),
        "a-200"
    );
    assert_eq!(events.read(Some(id("a-201")), Filter::default()).unwrap_err(), NoSuchEvent);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_told_and_the_rest_follows() {
    let events = Events::of_epoch(10);
    let mut slow = events.read(None, Filter::default()).unwrap();
    events.publish(history(1));
    assert_eq!(numbers(&slow.next(&events).await), [1]);
    let most = MOST_EVENTS as u64;
    (0..most + 5).for_each(|n| events.publish(history(n)));
    // 6 + MOST_EVENTS were told: 1 to 6 are gone.
    let portion = slow.next(&events).await;
    let (at, missed) = portion.missed.clone().unwrap();
    assert_eq!(at.to_string(), "a-6");
    let told = Missed { from: "a-2".into(), to: Some("a-6".into()), count: Some(5), reason: MissedReason::TooSlow };
    assert_eq!((missed, numbers(&portion)[0]), (told, 7));
    let mut late = events.read(Some(id("a-1")), Filter::default()).unwrap();
    let (_, missed) = late.next(&events).await.missed.unwrap();
    assert_eq!((missed.reason, missed.count), (MissedReason::TooLate, Some(5)));
    assert_eq!(events.missed.load(Ordering::Relaxed), 10);
}

#[tokio::test(start_paused = true)]
async fn an_id_of_an_earlier_start_is_answered_with_all_that_there_is() {
    let events = Events::of_epoch(11);
    events.publish(history(1));
    let mut reader = events.read(Some(id("a-5000")), Filter::default()).unwrap();
    let portion = reader.next(&events).await;
    let (at, missed) = portion.missed.clone().unwrap();
    assert_eq!((at.to_string(), missed.from.as_str(), missed.count), ("b-0".into(), "a-5000", None));
    assert_eq!((missed.reason, numbers(&portion)), (MissedReason::Restarted, vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_what_it_wants_and_may_see_alone() {
    let events = Events::of_epoch(10);
    for event in [call("calc", "me"), call("calc", "you"), call("z", "me"), history(1)] {
        events.publish(event);
    }
    let read = async |filter: Filter| {
        let mut reader = events.read(Some(id("a-0")), filter).unwrap();
        numbers(&reader.next(&events).await)
    };
    let (calc, me) = (Some("calc".to_owned()), Some("me".to_owned()));
    assert_eq!(read(Filter::default()).await, [1, 2, 3, 4]);
    assert_eq!(read(Filter { owner: me.clone(), ..Filter::default() }).await, [1, 3, 4]);
    assert_eq!(read(Filter { library: calc.clone(), ..Filter::default() }).await, [1, 2]);
    assert_eq!(read(Filter { kinds: Some(vec![Kind::History]), ..Filter::default() }).await, [4]);
    assert_eq!(read(Filter { owner: me, library: calc, kinds: Some(vec![Kind::Call]) }).await, [1]);
    let mut none =
        events.read(Some(id("a-0")), Filter { kinds: Some(vec![Kind::Crash]), ..Filter::default() }).unwrap();
    nothing_comes(&mut none, &events).await;
    assert_eq!(none.position(&events).unwrap().to_string(), "a-4", "it need not look at them again");
}

#[test]
fn what_is_kept_is_bounded_in_bytes_too() {
    let events = Events::of_epoch(10);
    let error = "x".repeat(1 << 20);
    (0..20).for_each(|_| events.publish(HistoryNews::Broken { error: error.clone() }));
    let ring = events.lock();
    assert!(ring.events.len() < 8 && ring.bytes <= MOST_BYTES && ring.last() == 20, "{}", ring.events.len());
}

#[test]
fn an_id_is_read_as_it_was_written_and_nothing_else_is_one() {
    let written = EventId { epoch: 0x019a_cafe, number: 42 };
    assert_eq!(written.to_string().parse(), Ok(written));
    for wrong in ["", "1", "-", "a-", "-1", "a-+1", "+a-1", "g-1", "a-1-2", "a-99999999999999999999", "a 1"] {
        assert_eq!(wrong.parse::<EventId>(), Err(()), "{wrong}");
    }
}

#[test]
fn a_call_is_told_with_whose_it_was_and_no_arguments() {
    let told = serde_json::to_value(call("calc", "me")).unwrap();
    let expected = serde_json::json!({
        "at": "1970-01-01T00:00:00Z", "call_id": uuid::Uuid::nil(), "library": "calc", "function": "Add", "outcome": "returned",
        "duration_us": 12, "agent": "calc.2", "generation": 3, "key": "key", "owner": "me",
    });
    assert_eq!(told, expected);
    let told = serde_json::to_value(history(3)).unwrap();
    assert_eq!((&told["state"], &told["calls"]), (&"missing".into(), &3.into()));
}
