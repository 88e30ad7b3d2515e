//! One probe: an ordinary call of a library's function in one process, and whether its answer is the expected one.

use std::sync::Arc;
use std::time::Duration;

use bridge32_protocol::wire::Callee;
use serde_json::Value;

use super::arguments::Arguments;
use super::outcome::{CallResult, Failure};
use super::queue::Queue;
use super::{Order, Pending};
use uuid::Uuid;

use crate::agents::Probing;
use crate::config::Probe;
use crate::interfaces::Declared;

/// The longest result that is told of in words, in bytes.
const MAX_TOLD: usize = 100;

/// How a probe went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The answer was the expected one, and came in time.
    Passed,
    /// It was not. In words.
    Failed(String),
    /// It could not be made, and that is not the process's fault. In words.
    Impossible(String),
    /// It was withdrawn: the process is gone, or somebody has cancelled it.
    Withdrawn,
}

/// Probes the library in that process, when its turn comes there.
pub(super) async fn run(queue: Arc<Queue>, generation: u64, declared: Arc<Declared>, probing: &Probing) -> Verdict {
    let Probing { probe, deadline } = probing;
    let Some((number, function)) = declared.function(&probe.function) else {
        return Verdict::Impossible(format!("the headers declare no function `{}`", probe.function));
    };
    let is_secret = function.sensitive_result;
    let Ok(args) = Arguments::parse(&probe.args.clone().into()) else {
        return Verdict::Impossible("its arguments are no JSON object".to_owned());
    };
    let order = Order {
        id: Uuid::now_v7(),
        callee: Callee::Function(number),
        args,
        // One that is late has failed, and its process is ended no earlier than for any other call.
        deadline: function.deadline_ms.map_or(*deadline, Duration::from_millis).max(probe.deadline),
        wait: None,
        declared: Some(Arc::clone(&declared)),
        idempotent: false,
        prototype: None,
        part: None,
    };
    match queue.probe(order, generation) {
        Ok(pending) => judge(probe, is_secret, Pending::end(pending).await.1),
        Err(_) => Verdict::Withdrawn,
    }
}

fn judge(probe: &Probe, is_secret: bool, result: CallResult) -> Verdict {
    let answer = match result {
        Ok(answer) => answer,
        Err(Failure::Fault(fault) | Failure::NotLoaded(fault)) => return Verdict::Failed(fault.detail),
        Err(Failure::Ended { exit, .. }) if exit.reason.is_none() => {
            return Verdict::Failed(format!("its process ended: {exit}"));
        }
        Err(Failure::Deadline { deadline, .. }) => {
            return Verdict::Failed(format!("it was still running after {} s", deadline.as_secs_f64()));
        }
        Err(_) => return Verdict::Withdrawn,
    };
    let took = Duration::from_nanos(answer.duration_ns);
    if took > probe.deadline {
        return Verdict::Failed(format!(
            "it took {:.3} s, and probe.deadline is {} s",
            took.as_secs_f64(),
            probe.deadline.as_secs_f64()
        ));
    }
    let met = serde_json::from_slice::<Value>(&answer.result).is_ok_and(|result| probe.is_met_by(&result));
    if met {
        return Verdict::Passed;
    }
    let returned = String::from_utf8_lossy(&answer.result);
    let told = if is_secret || returned.len() > MAX_TOLD { "something" } else { &*returned };
    Verdict::Failed(format!("it returned {told}, which is not what probe.expect says"))
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::wire::{Fault, FaultCode};
    use bytes::Bytes;

    use super::super::outcome::{Answer, Moment};
    use super::*;
    use crate::agents::Exit;

    fn probe() -> Probe {
        Probe {
            function: "Ping".to_owned(),
            args: "{}".to_owned(),
            expect: Some(3.into()),
            every: Duration::from_secs(30),
            deadline: Duration::from_secs(2),
            failures: 3,
        }
    }

    fn answer(result: &'static str, millis: u64) -> Arc<Answer> {
        Arc::new(Answer {
            result: Bytes::from_static(result.as_bytes()),
            outputs: Bytes::from_static(b"{}"),
            duration_ns: millis * 1_000_000,
            around_ns: [0; 3],
            errno: None,
            last_error: None,
            hresult: None,
        })
    }

    fn judged(probe: &Probe, answer: Arc<Answer>) -> Verdict {
        judge(probe, false, Ok(answer))
    }

    fn failed(result: CallResult) -> String {
        match judge(&probe(), false, result) {
            Verdict::Failed(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_probe_passes_with_the_expected_answer_in_time() {
        assert_eq!(judged(&probe(), answer("3.0", 2000)), Verdict::Passed);
        assert_eq!(failed(Ok(answer("4", 1))), "it returned 4, which is not what probe.expect says");
        assert_eq!(failed(Ok(answer("3", 2001))), "it took 2.001 s, and probe.deadline is 2 s");
        assert_eq!(judged(&Probe { expect: None, ..probe() }, answer("4", 1)), Verdict::Passed);
    }

    #[test]
    fn a_secret_or_long_answer_is_not_told() {
        let Verdict::Failed(why) = judge(&probe(), true, Ok(answer("4711", 1))) else { panic!("it is wrong") };
        assert!(!why.contains("4711"), "{why}");
        let long: &'static str = Box::leak(format!("\"{}\"", "x".repeat(200)).into_boxed_str());
        assert!(failed(Ok(answer(long, 1))).starts_with("it returned something, "));
    }

    #[test]
    fn a_fault_a_crash_and_a_hung_probe_fail_and_what_others_did_does_not_count() {
        let fault = Fault { code: FaultCode::LoadFailed, detail: "no such export".into(), pointer: None, ran: false };
        assert_eq!(failed(Err(Failure::Fault(fault))), "no such export");
        let ended = |exit| Err(Failure::Ended { exit, moment: Moment::Running });
        assert_eq!(failed(ended(Exit::told("exit code 3"))), "its process ended: exit code 3");
        let hung = Failure::Deadline { deadline: Duration::from_secs(5), ran: false };
        assert_eq!(failed(Err(hung)), "it was still running after 5 s");
        for withdrawn in [ended(Exit::made("a restart was asked for")), Err(Failure::SessionLost)] {
            assert_eq!(judge(&probe(), false, withdrawn), Verdict::Withdrawn);
        }
    }
}
