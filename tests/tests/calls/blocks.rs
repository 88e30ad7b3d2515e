//! Memory that a library writes too far, blocks that outlive a call, and handles of the library's own objects.

use bridge32_tests::{Answer, Bridge, TARGETS, TARGETS_32, Target, Value, base64, bytes, json};

use crate::on_all_targets;

fn blocks() -> Bridge {
    on_all_targets("blocks")
}

/// The refusal of a result because the library wrote past a parameter, which must be named.
fn overrun(answer: &Answer, parameter: &str) {
    let problem = answer.refused(422, "buffer_overrun");
    assert!(problem["detail"].as_str().unwrap().contains(&format!("`{parameter}`")), "{problem}");
    assert_eq!(problem["execution"], "ran", "{problem}");
    assert_eq!(problem.get("result"), None, "{problem}");
}

#[test]
fn writing_past_a_buffer_is_noticed_and_harms_nobody() {
    let bridge = blocks();
    for target in TARGETS {
        for beyond in [1, 16, 64] {
            for size in [0, 1, 16, 100, 4096] {
                let arguments = json!({"size": size, "written": size + beyond});
                overrun(&bridge.call(target.name(), "WriteBytes", arguments), "buffer");
            }
            let arguments = json!({"size": 10, "length": 9 + beyond});
            overrun(&bridge.call(target.name(), "WriteText", arguments), "text");
            let arguments = json!({"count": 3, "written": 3 + beyond});
            overrun(&bridge.call(target.name(), "WriteNumbers", arguments), "numbers");
            overrun(&bridge.call(target.name(), "WriteBehindStructure", json!({"extra": beyond})), "small");
        }
        overrun(&bridge.call(target.name(), "WriteBehind", json!({"which": 0})), "first");
        overrun(&bridge.call(target.name(), "WriteBehind", json!({"which": 1})), "second");
        for size in [0, 1, 3, 4, 15, 16, 17, 1000] {
            let filled = bridge.call(target.name(), "Exactly", json!({"size": size})).output("buffer");
            assert_eq!(bytes(&filled), vec![0xcd; size], "{target}");
        }
        assert_eq!(bridge.generation(target.name()), 1, "the agent still works on {target}");
    }
}

/// A block of memory in a library's process.
struct Block<'a> {
    bridge: &'a Bridge,
    target: Target,
    handle: Value,
}

impl<'a> Block<'a> {
    fn new(bridge: &'a Bridge, target: Target, body: &Value) -> Self {
        let made = bridge.client().post(&format!("/v1/libraries/{target}/memory"), body).is(201);
        assert!(made["handle"].is_string(), "{made}");
        Self { bridge, target, handle: made["handle"].clone() }
    }

    fn path(&self) -> String {
        format!("/v1/libraries/{}/memory/{}", self.target, self.handle.as_str().unwrap())
    }

    fn content(&self) -> Vec<u8> {
        bytes(&self.bridge.client().get(&self.path()).ok()["data"])
    }

    fn write(&self, body: &Value) -> Answer {
        self.bridge.client().put(&self.path(), body)
    }

    fn free(&self) -> Answer {
        self.bridge.client().delete(&self.path())
    }
}

#[test]
fn a_block_is_made_written_read_and_freed() {
    let bridge = blocks();
    for target in TARGETS {
        let block = Block::new(&bridge, target, &json!({"size": 64}));
        assert_eq!(block.content(), [0; 64], "{target}");
        block.write(&json!({"data": base64(b"bridge"), "offset": 10})).done();
        let mut expected = [0; 64];
        expected[10..16].copy_from_slice(b"bridge");
        assert_eq!(block.content(), expected, "{target}");
        block.write(&json!({"data": base64([1; 64])})).done();
        for (data, offset) in [(vec![0; 65], 0), (vec![0; 1], 64), (vec![0; 10], 60)] {
            let answer = block.write(&json!({"data": base64(data), "offset": offset}));
            assert_eq!(answer.status, 422, "{target}: {}", answer.text);
        }
        assert_eq!(block.content(), [1; 64], "{target}");
        block.free().done();
        for gone in [block.free(), block.write(&json!({"data": ""})), bridge.client().get(&block.path())] {
            gone.refused(410, "stale_handle");
        }
        let filled = Block::new(&bridge, target, &json!({"size": 8, "data": base64(b"abc")}));
        assert_eq!(filled.content(), b"abc\0\0\0\0\0", "{target}");
        filled.free().done();
    }
}

#[test]
fn a_block_that_cannot_be_is_refused() {
    let bridge = blocks();
    for target in TARGETS_32 {
        let refused = |body: Value| {
            let answer = bridge.client().post(&format!("/v1/libraries/{target}/memory"), &body);
            assert!((400..500).contains(&answer.status) || answer.status == 507, "{target}: {body}: {}", answer.text);
            assert!(answer.header("content-type").is_some_and(|media| media.contains("problem")), "{target}");
        };
        refused(json!({}));
        refused(json!({"size": -1}));
        refused(json!({"size": "many"}));
        refused(json!({"size": u64::MAX}));
        refused(json!({"size": 4_000_000_000_u32}));
        refused(json!({"size": 2, "data": base64(b"abc")}));
        refused(json!({"size": 2, "data": "?"}));
        refused(json!({"size": 2, "more": 1}));
        let unknown = bridge.client().get(&format!("/v1/libraries/{target}/memory/nonsense"));
        assert!([404, 410].contains(&unknown.status), "{target}: {}", unknown.text);
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

#[test]
fn functions_read_and_write_blocks() {
    let bridge = blocks();
    for target in TARGETS {
        let data: Vec<u8> = (0..64).collect();
        let block = Block::new(&bridge, target, &json!({"size": 64, "data": base64(&data)}));
        let token = json!({"$handle": block.handle});
        let sum = |size: u32| bridge.call(target.name(), "SumOf", json!({"data": token, "size": size}));
        assert_eq!(sum(64).result(), 2016, "{target}");
        assert_eq!(sum(10).result(), 45, "{target}");
        sum(65).mismatch("/data");
        bridge.call(target.name(), "FillWith", json!({"data": token, "size": 4, "value": 9})).ok();
        assert_eq!(block.content()[..5], [9, 9, 9, 9, 4], "{target}");
        bridge.call(target.name(), "FillWith", json!({"data": token, "size": 65, "value": 9})).mismatch("/data");
        let pair = |handle: &Value| bridge.call(target.name(), "ReadPair", json!({"pair": {"$handle": handle}}));
        assert_eq!(pair(&block.handle).result(), 0x0909_0909 * 10 + 0x0706_0504, "{target}");
        let small = Block::new(&bridge, target, &json!({"size": 7}));
        pair(&small.handle).mismatch("/pair");
        small.free().done();
        bridge.call(target.name(), "Remember", json!({"data": token})).ok();
        block.write(&json!({"data": base64([2; 64])})).done();
        assert_eq!(bridge.call(target.name(), "SumRemembered", json!({"size": 64})).result(), 128, "{target}");
        block.free().done();
        sum(1).refused(410, "stale_handle");
    }
}

#[test]
fn handles_go_with_their_generation() {
    let bridge = blocks();
    for target in TARGETS_32 {
        let name = target.name();
        let counter = bridge.call(name, "NewCounter", json!({"start": 5})).result();
        let block = Block::new(&bridge, target, &json!({"size": 4}));
        bridge.client().request("POST", &format!("/v1/agents/{target}/restart")).send().is(202);
        bridge.call_until(20.0, name, "LiveTexts", &json!({}));
        bridge32_tests::within(20.0, "the next generation", || (bridge.generation(name) > 1).then_some(()));
        bridge.call(name, "Count", json!({"counter": counter})).refused(410, "stale_handle");
        bridge.client().get(&block.path()).refused(410, "stale_handle");
        let data = json!({"data": {"$handle": block.handle}, "size": 1});
        bridge.call(name, "SumOf", data).refused(410, "stale_handle");
        let again = bridge.call(name, "NewCounter", json!({"start": 1})).result();
        assert_ne!(again, counter, "a token is never given out twice on {target}");
    }
}

#[test]
fn handles_live_until_their_close_function_has_worked() {
    let bridge = blocks();
    for target in TARGETS {
        let name = target.name();
        let call = |function, arguments| bridge.call(name, function, arguments);
        let new = || call("NewCounter", json!({"start": 5})).result();
        let counter = new();
        assert_eq!(call("Count", json!({"counter": counter})).result(), 5, "{target}");
        assert_eq!(call("Count", json!({"counter": counter})).result(), 6, "{target}");
        assert_eq!(call("MaybeDropCounter", json!({"counter": counter, "result": 0})).result(), 0, "{target}");
        assert_eq!(call("Count", json!({"counter": counter})).result(), 7, "it was not closed on {target}");
        assert_eq!(call("MaybeDropCounter", json!({"counter": counter, "result": 1})).result(), 1, "{target}");
        call("Count", json!({"counter": counter})).refused(410, "stale_handle");
        let counter = new();
        call("DropCounter", json!({"counter": counter})).ok();
        call("DropCounter", json!({"counter": counter})).refused(410, "stale_handle");
        let other = call("NewOther", json!({})).result();
        call("Count", json!({"counter": other})).mismatch("/counter");
        call("DropOther", json!({"other": other})).ok();
    }
}

#[test]
fn a_handle_that_nobody_gave_out_is_refused() {
    let bridge = blocks();
    for target in TARGETS {
        let real = bridge.call(target.name(), "NewCounter", json!({"start": 0})).result();
        let mut forged = real.as_str().unwrap().to_owned();
        let last = if forged.pop() == Some('0') { '1' } else { '0' };
        forged.push(last);
        for token in [forged.as_str(), "", "0", "0x10", "h", "null", &"9".repeat(1000)] {
            let answer = bridge.call(target.name(), "Count", json!({"counter": token}));
            assert!([410, 422].contains(&answer.status), "{token:?} on {target}: {}", answer.text);
            assert!(answer.text.contains("not_run"), "{token:?} on {target}: {}", answer.text);
        }
        // Smaller ones stand for special values, as `INVALID_HANDLE_VALUE`; no system maps anything there.
        for number in [0x1_0000_u32, 0x0804_8000, u32::MAX] {
            bridge.call(target.name(), "Count", json!({"counter": number})).mismatch("/counter");
        }
        bridge.call(target.name(), "DropCounter", json!({"counter": real})).ok();
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

#[test]
fn a_text_that_belongs_to_the_caller_is_freed_after_it_was_read() {
    let bridge = blocks();
    for target in TARGETS {
        for number in 0..50 {
            let text = bridge.call(target.name(), "MakeText", json!({"number": number})).result();
            assert_eq!(text, format!("text {number}"), "{target}");
        }
        assert_eq!(bridge.call(target.name(), "LiveTexts", json!({})).result(), 0, "{target}");
    }
}
