//! What problem documents say.

use std::time::Duration;

use axum::body::to_bytes;

use bridge32_protocol::wire::{Fault, FaultCode};

use super::*;
use crate::agents::Exit;
use crate::dispatch::Moment;

async fn document(problem: Problem) -> (Response<()>, serde_json::Value) {
    let (parts, body) = problem.into_response().into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (Response::from_parts(parts, ()), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_crash_names_the_signal_and_whether_the_call_ran() {
    let exit = Exit::told("killed by signal 11 (SIGSEGV)");
    let id = Uuid::now_v7();
    let (head, body) =
        document(Problem::of_call(id, Failure::Ended { exit: exit.clone(), moment: Moment::Running })).await;
    assert_eq!(head.status(), 502);
    assert_eq!(head.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(body["code"], "agent_crashed");
    assert_eq!(body["call_id"], id.to_string());
    assert_eq!(body["execution"], "may_have_run");
    assert!(body["detail"].as_str().unwrap().contains("SIGSEGV"));
    let behind = Failure::Ended { exit, moment: Moment::Behind { running: Some(id), proven: false } };
    let (_, body) = document(Problem::of_call(Uuid::now_v7(), behind)).await;
    assert!(body["detail"].as_str().unwrap().contains(&format!("while call {id} was running")), "{body}");
}

#[tokio::test]
async fn whatever_keeps_a_call_from_an_answer_says_whether_it_ran() {
    let gone = Problem::about_call(Uuid::now_v7(), Code::AnswerGone, String::new()).has_run();
    for (problem, expected) in [
        (Problem::new(Code::UnknownFunction, ""), "not_run"),
        (Problem::new(Code::IdempotencyMismatch, ""), "not_run"),
        (gone, "ran"),
        (Problem::internal("test"), "may_have_run"),
    ] {
        let body = to_bytes(CallProblem::from(problem).into_response().into_body(), usize::MAX).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["execution"], expected);
    }
}

#[tokio::test]
async fn a_crash_with_a_record_names_the_place_the_function_and_the_report() {
    let id = Uuid::now_v7();
    let record = CrashRecord {
        what: Some("SIGSEGV (segmentation fault)".into()),
        module: Some("libfoo.so".into()),
        offset: Some(0x1234),
        symbol: Some("f".into()),
        symbol_offset: Some(0x14),
        library: Some("foo".into()),
        function: Some("g".into()),
        call_id: Some(id.to_string()),
        ..CrashRecord::default()
    };
    let crash = Arc::new(Crash { record, report: Some("x.json".into()) });
    let exit = Exit { crash: Some(crash), ..Exit::told("killed by signal 11 (SIGSEGV)") };
    let (_, body) = document(Problem::of_call(id, Failure::Ended { exit, moment: Moment::Running })).await;
    let detail = body["detail"].as_str().unwrap();
    let place = "SIGSEGV (segmentation fault), in libfoo.so+0x1234, in f+0x14, in `g` of `foo` (call ";
    assert!(detail.contains(place) && detail.contains("GET /v1/crashes/x.json"), "{detail}");
    assert_eq!((&body["crash"]["offset"], &body["report"]), (&0x1234.into(), &"x.json".into()));
    assert_eq!(body["crash"].get("access"), None);
}

#[tokio::test]
async fn an_end_without_a_record_has_no_member_for_it() {
    let crash = Some(Arc::new(Crash { report: Some("x.json".into()), ..Crash::default() }));
    let exit = Exit { crash, ..Exit::told("killed by signal 9 (SIGKILL)") };
    let (_, body) = document(Failure::Ended { exit, moment: Moment::Running }.into()).await;
    assert_eq!((body.get("crash"), &body["report"]), (None, &"x.json".into()));
}

#[tokio::test]
async fn who_may_try_again_is_told_when() {
    let (head, body) = document(Failure::QueueFull { waiting: 1024, retry_after: Duration::ZERO }.into()).await;
    assert_eq!((head.status().as_u16(), &head.headers()[RETRY_AFTER]), (429, &HeaderValue::from(1)));
    assert_eq!(body["code"], "queue_full");
    let (head, _) = document(Failure::NoAgent { reason: "x".into(), retry: true }.into()).await;
    assert_eq!((head.status().as_u16(), head.headers().contains_key(RETRY_AFTER)), (503, true));
    let (head, _) = document(Failure::Deadline { deadline: Duration::from_secs(1), ran: false }.into()).await;
    assert_eq!(head.status(), 504);
}

#[tokio::test]
async fn an_internal_error_says_nothing_outside() {
    let (head, body) = document(Problem::internal("the secret is 42")).await;
    assert_eq!(head.status(), 500);
    assert!(!body.to_string().contains("42"));
}

#[tokio::test]
async fn an_argument_is_pointed_at() {
    let fault = Fault {
        code: FaultCode::ArgumentMismatch,
        detail: "`j` is 1.5".into(),
        pointer: Some("/j".into()),
        ran: false,
    };
    let (head, body) = document(Problem::of_call(Uuid::now_v7(), Failure::Fault(fault))).await;
    assert_eq!((head.status().as_u16(), &body["pointer"], &body["execution"]), (422, &"/j".into(), &"not_run".into()));
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_not_said_to_have_crashed() {
    let (lost, crashed) = (Uuid::now_v7(), Uuid::now_v7());
    let exit = Exit::told("killed by signal 11 (SIGSEGV)");
    let failure = Failure::Ended { exit, moment: Moment::Before { running: Some(crashed), proven: false } };
    let (_, body) = document(Problem::of_call(lost, failure)).await;
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("while call {crashed} was running")), "{detail}");
    assert!(detail.contains("its answer was lost"), "{detail}");
    assert_eq!(body["execution"], "may_have_run");
}

#[tokio::test]
async fn who_is_not_let_in_is_told_the_time_and_what_is_wanted() {
    let before = Timestamp::now().as_second();
    let (head, body) = document(SignatureError::Missing.into()).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (401, &"signature_missing".into()));
    assert!((before..=before + 60).contains(&body["server_time"].as_i64().unwrap()), "{body}");
    assert_eq!(head.headers()[WWW_AUTHENTICATE], "Signature realm=\"bridge32\"");
    assert!(head.headers()["accept-signature"].to_str().unwrap().contains("\"@target-uri\" \"content-digest\""));
    let (head, body) = document(SignatureError::Full.into()).await;
    assert_eq!((head.status().as_u16(), &body["code"]), (429, &"rate_limited".into()));
    assert_eq!((body.get("server_time"), head.headers().get(WWW_AUTHENTICATE)), (None, None));
}
