//! Order and alignment of arguments; cdecl and stdcall, however their exports are decorated.

use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::{Bridge, HOME, TARGETS, TARGETS_32, Target, Value, json};

use crate::on_all_targets;

#[test]
fn mixed_arguments_arrive_in_order() {
    let bridge = on_all_targets("conventions");
    let arguments = json!({
        "a": -1, "b": 2.5, "c": 65535, "d": -9_000_000_000_000_000_000_i64, "e": 0.25, "f": -2_147_483_648_i64,
        "g": u64::MAX, "h": true, "i": "text", "j": -32768, "k": 1e300,
    });
    let expected = "-1 2.5 65535 -9000000000000000000 0.25 -2147483648 18446744073709551615 1 text -32768 1e+300";
    for target in TARGETS {
        for function in ["Mixed", "StdMixed"] {
            let result = bridge.call(target.name(), function, arguments.clone()).result();
            assert_eq!(result, expected, "{function} on {target}");
        }
    }
}

#[test]
fn the_order_of_members_in_the_request_does_not_matter() {
    let bridge = on_all_targets("conventions");
    for target in TARGETS {
        let body = "{\"d\":4,\"b\":-200,\"a\":1,\"c\":-3}";
        let result = bridge.call_raw(target.name(), "Interleaved", body).result();
        assert_eq!(result, ((3 - 200) * 5 - 3) * 7 + 4, "{target}");
    }
}

#[test]
fn many_arguments_go_through_registers_and_stack() {
    let bridge = on_all_targets("conventions");
    let (mut integers, mut doubles) = (json!({}), json!({}));
    let (mut integer_sum, mut double_sum) = (0, 0.0);
    for index in 0..20_i32 {
        let value = index * 1_000_003 - 10_000_000;
        integers[format!("p{index}")] = json!(value);
        integer_sum += i64::from(value) * i64::from(index + 1);
    }
    for index in 0..12_i32 {
        let value = f64::from(index) * 0.5 - 2.0;
        doubles[format!("p{index}")] = json!(value);
        double_sum += value * f64::from(index + 1);
    }
    for target in TARGETS {
        assert_eq!(bridge.call(target.name(), "Weighted", integers.clone()).result(), integer_sum, "{target}");
        assert_eq!(bridge.call(target.name(), "WeightedDoubles", doubles.clone()).result(), double_sum, "{target}");
    }
}

#[test]
fn cdecl_and_stdcall_are_called_as_declared() {
    let bridge = on_all_targets("conventions");
    for target in TARGETS {
        let call = |function, arguments| bridge.call(target.name(), function, arguments).result();
        for function in ["CdeclSubtract", "StdSubtract", "AttributeSubtract"] {
            for _ in 0..20 {
                assert_eq!(call(function, json!({"a": 3, "b": 10})), -7, "{function} on {target}");
            }
        }
        assert_eq!(call("StdHalf", json!({"value": 0.2})), 0.1, "{target}");
        assert_eq!(
            call("StdMultiply", json!({"a": i32::MIN, "b": i32::MAX})),
            i64::from(i32::MIN) * i64::from(i32::MAX)
        );
        assert_eq!(call("StdNothing", json!({})), json!(null), "{target}");
    }
}

/// One DLL for each way in which compilers name stdcall exports.
fn decorated() -> Vec<(&'static str, std::path::PathBuf)> {
    let base = || Fixture::new("decorated");
    vec![
        ("at", base().named("decorated_at").build(Target::Win32)),
        ("bare", base().named("decorated_bare").flag("-Wl,--kill-at").build(Target::Win32)),
        ("alias", base().named("decorated_alias").flag("-Wl,--add-stdcall-alias").build(Target::Win32)),
        ("full", base().named("decorated_full").flag("-DAPI=").definitions("decorated.def").build(Target::Win32)),
    ]
}

#[test]
fn stdcall_exports_are_found_under_every_decoration() {
    let bridge = Bridge::start(|config| {
        for (name, file) in decorated() {
            config.library(name, file).header(fixture::header("decorated"));
        }
    });
    for (name, _) in decorated() {
        let sum = bridge.call(name, "AddStd", json!({"a": 40, "b": 2})).result();
        assert_eq!(sum, 42, "{name}");
        assert_eq!(bridge.call(name, "AddCdecl", json!({"a": 40, "b": 2})).result(), 42, "{name}");
        assert_eq!(bridge.call(name, "NoArguments", json!({})).result(), 5, "{name}");
    }
}

#[test]
fn a_decorated_name_tells_the_convention_where_the_header_is_silent() {
    let bridge = Bridge::start(|config| {
        for (name, file) in decorated().into_iter().filter(|(name, _)| ["at", "full"].contains(name)) {
            config.library(name, file).declares("int AddStd(int a, int b); int AddCdecl(int a, int b);");
        }
    });
    for name in ["at", "full"] {
        assert_eq!(bridge.call(name, "AddStd", json!({"a": 40, "b": 2})).result(), 42, "{name}");
        assert_eq!(bridge.call(name, "AddCdecl", json!({"a": 40, "b": 2})).result(), 42, "{name}");
    }
}

#[test]
fn a_header_that_contradicts_the_decoration_is_refused_without_a_call() {
    let bridge = Bridge::start(|config| {
        let file = decorated().swap_remove(0).1;
        config.library("wrong", file).declares("int __cdecl AddStd(int a, int b); int __stdcall NoArguments(int a);");
    });
    let problem = bridge.call("wrong", "AddStd", json!({"a": 1, "b": 2})).refused(422, "convention_mismatch");
    assert_eq!(problem["execution"], "not_run");
    assert!(problem["detail"].as_str().unwrap().contains("@8"), "{problem}");
    let problem = bridge.call("wrong", "NoArguments", json!({"a": 1})).refused(422, "convention_mismatch");
    assert_eq!(problem["execution"], "not_run");
}

#[test]
fn a_wrong_convention_is_noticed_and_the_agent_lives_on() {
    let bridge = on_all_targets("conventions");
    for target in TARGETS_32 {
        let name = target.name();
        let generation = bridge.generation(name);
        // The exports of ELF carry no decoration; those of this DLL do, which is why it is asked for by its whole name.
        let (function, wrong) = if target == Target::Win32 {
            ("CdeclSubtract", "int __stdcall CdeclSubtract(int a, int b)")
        } else {
            ("StdSubtract", "int __cdecl StdSubtract(int a, int b)")
        };
        for _ in 0..50 {
            let problem = bridge.call_ad_hoc(name, wrong, &json!({"a": 3, "b": 1})).refused(422, "convention_mismatch");
            assert_eq!(problem["execution"], "ran", "{target}: {problem}");
            assert!(problem.get("result").is_none(), "{target}: {problem}");
        }
        assert_eq!(bridge.call(name, function, json!({"a": 3, "b": 1})).result(), 2, "{target}");
        assert_eq!(bridge.generation(name), generation, "{target}");
    }
}

#[test]
fn a_call_with_too_few_or_too_many_arguments_is_noticed() {
    let bridge = on_all_targets("conventions");
    let name = HOME.name();
    for (prototype, arguments) in [
        ("int __stdcall StdSubtract(int a)", json!({"a": 1})),
        ("int __stdcall StdSubtract(int a, int b, int c)", json!({"a": 1, "b": 2, "c": 3})),
        ("int __stdcall StdNothing(int a, int b, int c, int d)", json!({"a": 1, "b": 2, "c": 3, "d": 4})),
    ] {
        let problem = bridge.call_ad_hoc(name, prototype, &arguments).refused(422, "convention_mismatch");
        assert!(problem["detail"].as_str().unwrap().contains("bytes"), "{prototype}: {problem}");
    }
    assert_eq!(bridge.call(name, "StdSubtract", json!({"a": 3, "b": 1})).result(), 2);
}

#[test]
fn the_stack_is_aligned_whatever_the_number_of_arguments() {
    let bridge = on_all_targets("conventions");
    for target in TARGETS {
        // After the return address and the saved frame pointer; Windows promises 4 bytes only.
        let (multiple, expected) = match target {
            Target::Linux32 => (16, 8),
            Target::Linux64 | Target::Win64 => (16, 0),
            Target::Win32 => (4, 0),
        };
        for count in 0..12 {
            let parameters: Vec<String> = (0..count).map(|index| format!("int p{index}")).collect();
            let arguments = (0..count).map(|index| (format!("p{index}"), json!(index))).collect();
            let prototype = format!("unsigned int FrameDigits({})", parameters.join(", "));
            let digits = bridge.call_ad_hoc(target.name(), &prototype, &Value::Object(arguments)).result();
            assert_eq!(digits.as_u64().unwrap() % multiple, expected, "{count} arguments on {target}");
        }
    }
}

#[test]
fn a_library_cannot_spoil_floating_point_for_the_next_call() {
    let bridge = on_all_targets("conventions");
    for target in TARGETS {
        let words =
            || ["ControlWord", "Mxcsr"].map(|function| bridge.call(target.name(), function, json!({})).result());
        let before = words();
        bridge.call(target.name(), "SpoilControlWords", json!({})).ok();
        assert_eq!(words(), before, "{target}");
        assert_eq!(bridge.call(target.name(), "StdHalf", json!({"value": 0.2})).result(), 0.1, "{target}");
    }
}
