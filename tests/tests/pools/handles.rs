//! Handles live in one process, and the calls that carry them go there.

use std::collections::BTreeMap;

use bridge32_tests::{Bridge, TARGETS_32, Value, fixture, json, process};

use super::{generation_of, two};

/// A block in each of the two processes, by start.
fn blocks(bridge: &Bridge) -> BTreeMap<u64, Value> {
    let mut blocks = BTreeMap::new();
    for _ in 0..100 {
        let handle =
            bridge.client().post("/v1/libraries/pool/memory", &json!({"data": "aGVsbG8="})).is(201)["handle"].clone();
        blocks.entry(generation_of(&handle)).or_insert(handle);
        if blocks.len() == 2 {
            return blocks;
        }
    }
    panic!("all of them are in one process: {blocks:?}");
}

fn target_of(handle: &Value) -> String {
    format!("/v1/libraries/pool/memory/{}", handle.as_str().unwrap())
}

fn are_same(bridge: &Bridge, one: &Value, other: &Value) -> bridge32_tests::Answer {
    bridge.call("pool", "AreSame", json!({"one": one, "other": other}))
}

#[test]
fn a_block_of_memory_is_found_in_the_process_that_has_it() {
    for target in TARGETS_32 {
        let bridge = two(target);
        let blocks = blocks(&bridge);
        for _ in 0..10 {
            for handle in blocks.values() {
                assert_eq!(bridge.client().get(&target_of(handle)).ok()["data"], "aGVsbG8=", "{target}");
                assert_eq!(are_same(&bridge, handle, handle).result(), 1, "{target}");
            }
        }
        for handle in blocks.values() {
            bridge.client().delete(&target_of(handle)).done();
            bridge.client().get(&target_of(handle)).refused(410, "stale_handle");
        }
    }
}

#[test]
fn handles_of_two_processes_in_one_call_are_refused_with_what_to_do() {
    for target in TARGETS_32 {
        let bridge = two(target);
        let blocks: Vec<Value> = blocks(&bridge).into_values().collect();
        let problem = are_same(&bridge, &blocks[0], &blocks[1]).refused(422, "argument_mismatch");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("two processes") && detail.contains("POST /v1/sessions"), "{target}: {detail}");
        assert_eq!(problem["execution"], "not_run", "{target}");
    }
}

#[test]
fn a_handle_of_a_process_that_has_ended_is_stale_and_that_of_another_one_is_not() {
    for target in TARGETS_32 {
        let bridge = two(target);
        let mut blocks = blocks(&bridge);
        // The newer one: to the process that is left it is a handle of a later start than its own.
        let (lost, handle) = blocks.pop_last().unwrap();
        let (_, kept) = blocks.pop_last().unwrap();
        let agent = super::agents(&bridge).into_iter().find(|agent| agent["generation"] == lost).unwrap();
        process::kill_9(agent["pid"].as_u64().unwrap().try_into().unwrap());
        for back in [false, true] {
            if back {
                super::all_ready(&bridge, 2);
            }
            let problem = are_same(&bridge, &handle, &handle).refused(410, "stale_handle");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("the process of the library that it was made in has ended"), "{target}: {detail}");
            assert_eq!(problem["execution"], "not_run", "{target}");
            bridge.client().get(&target_of(&handle)).refused(410, "stale_handle");
            assert_eq!(are_same(&bridge, &kept, &kept).result(), 1, "{target}");
        }
    }
}

#[test]
fn a_token_that_was_never_given_out_is_refused_wherever_its_call_runs() {
    let bridge = two(TARGETS_32[0]);
    let handle = blocks(&bridge).into_values().next().unwrap();
    let token = handle.as_str().unwrap();
    let forged = format!("{token}0");
    are_same(&bridge, &json!(forged), &json!(forged)).refused(422, "argument_mismatch");
    let far = token.replacen(&format!(".g{}.", generation_of(&handle)), ".g18446744073709551615.", 1);
    are_same(&bridge, &json!(far), &json!(far)).refused(410, "stale_handle");
    let huge = token.replacen(&format!(".g{}.", generation_of(&handle)), ".g18446744073709551616.", 1);
    are_same(&bridge, &json!(huge), &json!(huge)).refused(422, "argument_mismatch");
}

#[test]
fn connections_of_sqlite_keep_their_rows_apart() {
    for target in TARGETS_32 {
        let bridge = Bridge::start(|config| {
            let mut table = config.library("sqlite", fixture::foreign("sqlite3", target));
            table.header(fixture::header("sqlite3")).set("instances", 2);
        });
        super::all_ready(&bridge, 2);
        let mut connections: BTreeMap<u64, Value> = BTreeMap::new();
        while connections.len() < 2 {
            let db = bridge.call("sqlite", "sqlite3_open", json!({"filename": ":memory:"})).output("db");
            connections.entry(generation_of(&db)).or_insert(db);
        }
        let exec = |db: &Value, sql: &str, callback: Value| {
            let body = bridge.call("sqlite", "sqlite3_exec", json!({"db": db, "sql": sql, "callback": callback})).ok();
            assert_eq!(body["result"], 0, "{target}: {body}");
            body["outputs"]["callback"]["invocations"][0]["args"].to_string()
        };
        for (generation, db) in &connections {
            exec(db, &format!("create table t(a); insert into t values('of {generation}')"), Value::Null);
        }
        for (generation, db) in &connections {
            let rows = exec(db, "select a from t", json!({"returns": 0, "record": true}));
            assert!(rows.contains(&format!("of {generation}")), "{target}: {rows}");
        }
    }
}
