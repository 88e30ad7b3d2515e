//! The history: what there is to know of a call that has ended, whatever became of its client, its agent and the gateway.

use bridge32_tests::{Bridge, Config, HOME, TARGETS_32, Value, fixture, json};

use crate::on_all_targets;

/// A bridge with `trouble` and `counted`, each as a library of that name for Linux.
fn on_linux(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        for name in ["trouble", "counted"] {
            config.library(name, fixture::library(name, HOME)).header(fixture::header(name));
        }
        configure(config);
    })
}

fn recorded(bridge: &Bridge, id: &Value) -> Value {
    bridge.client().get(&format!("/v1/calls/{}", id.as_str().unwrap())).ok()
}

#[test]
fn a_call_that_nobody_kept_is_found_with_its_arguments_its_outcome_and_where_its_time_went() {
    let bridge = on_all_targets("trouble");
    for target in TARGETS_32 {
        let name = target.name();
        let answer = bridge.call(name, "Nap", json!({"milliseconds": 30})).ok();
        let call = recorded(&bridge, &answer["call_id"]);
        assert_eq!((&call["library"], &call["function"]), (&json!(name), &json!("Nap")));
        assert_eq!((&call["args"], &call["kept"]), (&json!({"milliseconds": 30}), &json!(false)));
        assert_eq!(
            (&call["outcome"]["result"], &call["status"], &call["execution"]),
            (&answer["result"], &json!(200), &json!("ran"))
        );
        assert_eq!((&call["agent"], &call["generation"]), (&json!(name), &json!(1)));
        let [whole, library, parts] = [&["duration_us"][..], &["library_us"], &["queue_us", "agent_us", "library_us"]]
            .map(|names| names.iter().map(|name| call[name].as_f64().unwrap()).sum::<f64>());
        assert!(library >= 30_000.0 && whole >= library && (whole - parts).abs() < 0.01, "{call}");
        bridge
            .client()
            .delete(&format!("/v1/calls/{}", answer["call_id"].as_str().unwrap()))
            .refused(409, "call_ended");
    }
}

#[test]
fn a_call_that_took_its_process_down_has_its_problem_and_the_report_of_the_crash() {
    let bridge = on_all_targets("trouble");
    for target in TARGETS_32 {
        let problem = bridge.call(target.name(), "WriteToNull", json!({})).refused(502, "agent_crashed");
        let call = recorded(&bridge, &problem["call_id"]);
        assert_eq!((&call["code"], &call["execution"]), (&json!("agent_crashed"), &json!("may_have_run")));
        assert_eq!(call["outcome"], problem);
        let report = call["crash_report"].as_str().unwrap();
        assert_eq!(bridge.client().get(&format!("/v1/crashes/{report}")).ok()["crash"]["call_id"], problem["call_id"]);
    }
}

#[test]
fn ad_hoc_calls_and_the_calls_of_a_batch_are_there_one_by_one() {
    let bridge = on_linux(|_| {});
    let ad_hoc = json!({"prototype": "int TakeInt(int value)", "args": {"value": 7}});
    let answer = bridge.client().post("/v1/libraries/counted/calls", &ad_hoc).ok();
    let call = recorded(&bridge, &answer["call_id"]);
    assert_eq!(
        (&call["function"], &call["ad_hoc"]),
        (&json!("TakeInt"), &json!({"prototype": "int TakeInt(int value)"}))
    );
    let calls =
        json!({"calls": [{"function": "TakeInt", "args": {"value": 1}}, {"function": "TakeInt", "args": {"no": 1}}]});
    let batch = bridge.client().post("/v1/libraries/counted/batches", &calls).ok();
    let calls = [0, 1].map(|index| recorded(&bridge, &batch["outcomes"][index]["call_id"]));
    assert!(calls[0]["batch"].is_string() && calls[0]["batch"] == calls[1]["batch"]);
    assert_eq!([&calls[0]["batch_index"], &calls[1]["batch_index"]], [&json!(0), &json!(1)]);
    assert_eq!((&calls[0]["code"], &calls[1]["code"]), (&Value::Null, &json!("argument_mismatch")));
}

#[test]
fn a_call_stays_in_the_history_when_the_gateway_is_started_again() {
    let mut bridge = on_linux(|_| {});
    let answer = bridge.call("counted", "TakeInt", json!({"value": 7})).ok();
    let before = recorded(&bridge, &answer["call_id"]);
    bridge.restart();
    assert_eq!(recorded(&bridge, &answer["call_id"]), before);
}

#[test]
fn a_kept_call_has_both_its_clients_answer_and_what_is_known_of_it() {
    let bridge = on_linux(|_| {});
    let request = bridge
        .client()
        .request("POST", "/v1/libraries/counted/functions/TakeInt")
        .body("application/json", "{\"value\": 7}");
    let answer = request.header("idempotency-key", "one").send().ok();
    let call = recorded(&bridge, &answer["call_id"]);
    assert_eq!((&call["kept"], &call["outcome"]), (&json!(true), &answer));
    assert!(call["library_us"].is_number() && call["idempotency_key_sha256"].is_string(), "{call}");
}
