//! Makes one `POST /calls` body of many calls, from their raw arguments.

use bytes::Bytes;
use uuid::Uuid;

use super::unit::{Queued, Work};
use crate::trace::{SpanId, traceparent};

/// A [`bridge32_protocol::wire::CallList`], written by hand so that arguments are copied once and never parsed again. `paths` is
/// the drive under which the host's root directory appears to the agent.
pub(super) fn assemble(library: &str, lane: u32, work: &Work, paths: Option<&str>) -> Bytes {
    let Work { calls, batch, declared, .. } = work;
    let size = calls.iter().map(|call| call.args.as_bytes().len() + 96).sum::<usize>() + library.len() + 32;
    let mut body = Vec::with_capacity(size);
    body.extend_from_slice(b"{\"library\":");
    write_json(&mut body, library);
    body.extend_from_slice(b",\"calls\":[");
    for (index, call) in calls.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_call(&mut body, call, paths);
    }
    body.push(b']');
    if lane > 0 {
        body.extend_from_slice(b",\"lane\":");
        write_json(&mut body, &lane);
    }
    if let Some(declared) = declared {
        body.extend_from_slice(b",\"revision\":");
        write_json(&mut body, &declared.revision);
    }
    if let Some(batch) = batch {
        body.extend_from_slice(b",\"batch\":");
        write_json(&mut body, batch);
    }
    body.push(b'}');
    Bytes::from(body)
}

fn write_call(body: &mut Vec<u8>, call: &Queued, paths: Option<&str>) {
    body.extend_from_slice(b"{\"id\":\"");
    write_id(body, call.id);
    body.extend_from_slice(b"\",\"callee\":");
    write_json(body, &call.callee);
    if let Some(pin) = &call.sender.session {
        body.extend_from_slice(b",\"session\":\"");
        write_id(body, pin.session);
        body.push(b'"');
    }
    let origin = &call.sender.origin;
    if let Some(context) = &origin.trace {
        let traceparent = traceparent(context.trace, SpanId::of_call(call.id), context.is_sampled);
        body.extend_from_slice(b",\"traceparent\":\"");
        body.extend_from_slice(traceparent.as_bytes());
        body.push(b'"');
    }
    if !call.args.buffers().is_empty() {
        let buffers: Vec<_> = call.args.buffers().iter().filter_map(|buffer| buffer.for_agent(paths)).collect();
        body.extend_from_slice(b",\"buffers\":");
        write_json(body, &buffers);
    }
    body.extend_from_slice(b",\"args\":");
    body.extend_from_slice(call.args.as_bytes());
    body.push(b'}');
}

fn write_id(body: &mut Vec<u8>, id: Uuid) {
    body.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
}

fn write_json(body: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(body, value).expect("plain data and a growing buffer: nothing can fail");
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::wire::{Batch, CallList, Callee};

    use super::super::Sender;
    use super::super::queue::tests::queued;
    use super::super::unit::Route;
    use super::super::witness::Origin;
    use super::*;
    use crate::bulk::SharedBuffer;
    use crate::trace::{TraceContext, TraceId};

    #[test]
    fn the_list_is_what_the_protocol_says_and_arguments_are_untouched() {
        let calls = vec![queued(r#"{"a": 1.00}"#).0, queued(r#"{ "s":"é\n" }"#).0];
        let work = Work { calls, batch: None, route: Route::Any, declared: None };
        let body = assemble("l\"ib", 3, &work, None);

        let list: CallList = serde_json::from_slice(&body).unwrap();
        assert_eq!((&*list.library, list.lane), ("l\"ib", 3));
        assert_eq!(list.calls.len(), 2);
        assert_eq!(list.calls[0].id, work.calls[0].id);
        assert_eq!(list.batch, None);
        let callee = serde_json::from_str(list.calls[1].callee.get()).unwrap();
        assert!(matches!(callee, Callee::Function(7)));
        assert_eq!(list.calls[0].args.get(), r#"{"a": 1.00}"#);
        assert_eq!(list.calls[1].args.get(), r#"{ "s":"é\n" }"#);
    }

    #[test]
    fn a_trace_goes_on_at_the_agent_with_the_calls_span() {
        let (trace, parent) = (TraceId([1; 16]), SpanId([2; 8]));
        let context = TraceContext { trace, parent, is_sampled: true, state: Some("a=1".into()) };
        let origin = Origin { trace: Some(context), ..Origin::default() };
        let call = queued("{}").0;
        let call = Queued { sender: Sender { origin: origin.into(), ..call.sender }, ..call };
        let (span, calls) = (SpanId::of_call(call.id), vec![call, queued("{}").0]);
        let body = assemble("a", 0, &Work { calls, batch: None, route: Route::Any, declared: None }, None);
        let list: CallList = serde_json::from_slice(&body).unwrap();
        assert_eq!(list.calls[0].traceparent.as_deref(), Some(traceparent(trace, span, true).as_str()));
        assert_eq!(list.calls[1].traceparent, None);
    }

    #[cfg(unix)]
    #[test]
    fn a_buffer_that_has_a_file_is_named_as_the_agent_sees_it() {
        use bridge32_protocol::wire::{Buffer, Digest};

        let place = tempfile::tempdir().unwrap();
        let (_, file) = crate::bulk::tests::folder(place.path()).create().unwrap();
        let windows = format!("Z:{}", file.path().display()).replace('/', "\\");
        let given = Some(Digest { bytes: 7, sha256: "ab".into() });
        let shared = SharedBuffer { parameter: "buf".into(), file: Some(file), given, answered: true, most: 9 };
        let call = queued(r#"{"a":1}"#).0;
        let call = Queued { args: call.args.clone().with_buffers(vec![shared]), ..call };
        let body =
            assemble("a", 0, &Work { calls: vec![call], batch: None, route: Route::Any, declared: None }, Some("Z:"));
        let list: CallList = serde_json::from_slice(&body).unwrap();
        let expected = Buffer { parameter: "buf".into(), file: windows, given: Some(7), answered: true, most: 9 };
        assert_eq!((list.calls[0].args.get(), &list.calls[0].buffers[..]), (r#"{"a":1}"#, &[expected][..]));
    }

    #[test]
    fn a_batch_says_that_it_is_one() {
        let batch = Batch { stop_on_error: false };
        let body = assemble(
            "a",
            0,
            &Work { calls: vec![queued("{}").0], batch: Some(batch), route: Route::Any, declared: None },
            None,
        );
        assert_eq!(serde_json::from_slice::<CallList>(&body).unwrap().batch, Some(batch));
    }
}
