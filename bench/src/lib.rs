//! What the programs of this package share: calls that nobody has made, with the variety that calls have.

use bridge32_gateway::dispatch::Execution;
use bridge32_gateway::history::{Record, Text};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// They were made in these two days.
pub const TIME: SignedDuration = SignedDuration::from_hours(48);

/// Call number `number` of so many: with the variety that calls have.
pub fn call(number: u32, calls: u32, start: Timestamp) -> Record {
    // A number that looks like chance and is always the same (SplitMix64).
    let mut seed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut chance = |below: u64| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    };
    let at = start
        + TIME * i32::try_from(number / 1000).unwrap_or(i32::MAX) / i32::try_from(calls.div_ceil(1000)).unwrap_or(1);
    let at = at + SignedDuration::from_micros(i64::from(number % 1000));
    // Some are called much more often than others.
    let mut often = |many: u64| (chance(many) * chance(many) / many).min(many - 1);
    let (library, function) = (often(5), often(12));
    let code = match (chance(100_000), chance(100)) {
        (0, _) => Some("agent_crashed"),
        (_, 0) => Some("argument_mismatch"),
        _ => None,
    };
    let owner = chance(20);
    let library_ns = (1 << (10 + chance(11))) + chance(1 << 10) + if chance(2000) == 0 { 60_000_000 } else { 0 };
    let text = |text: String| Text { size: text.len() as u64, text, sha256: None };
    let age = u64::from(number) * 10 / u64::from(calls.max(1));
    let id = (u128::from(at.as_millisecond().unsigned_abs()) << 80) | (7 << 76) | (2 << 62) | u128::from(number);
    let id = Uuid::from_u128(id);
    Record {
        seq: 0,
        id,
        library: format!("lib{library}").into(),
        function: Some(format!("f{function}").into()),
        owner: format!("team{owner}").into(),
        key_id: format!("key{}", owner * 2 + chance(2)).into(),
        agent: Some((format!("agent{age}").into(), 1)),
        attempts: 0,
        session: None,
        batch: None,
        trace_id: id.into_bytes(),
        replay_of: None,
        idempotency_key: None,
        created_at: at,
        ended_at: at,
        parts_ns: [20_000 + chance(50_000), 90_000 + chance(90_000), library_ns],
        status: if code.is_some() { 422 } else { 200 },
        code: code.map(str::to_owned),
        execution: if code.is_some() { Execution::MayHaveRun } else { Execution::Ran },
        report: None,
        prototype: None,
        args: text(format!(
            r#"{{"name":"item {}","amount":{},"text":"as long as arguments are, about"}}"#,
            chance(100_000),
            number
        )),
        args_redacted: false,
        answer: text(format!(
            r#"{{"result":{number},"outputs":{{"left":{}}},"duration_us":{}.000}}"#,
            chance(9999),
            library_ns / 1000
        )),
        output: None,
    }
}
