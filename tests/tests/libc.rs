//! The C library of this machine, 32 bits wide: callbacks, variable arguments, results through pointers, `errno`.

use bridge32_tests::{Bridge, Value, json};

const HEADER: &str = "
    typedef struct { int quot; int rem; } div_t;
    typedef struct { long long quot; long long rem; } lldiv_t;
    typedef struct _IO_FILE FILE;

    /** The C library knows nothing of the elements; here they are ints. */
    void qsort(_Inout_updates_(count) int *base, size_t count, size_t size, int (*compare)(const int *a, const int *b));
    /** @return where it is, or null @handle */
    int *bsearch(const int *key, _In_reads_(count) const int *base, size_t count, size_t size,
                 int (*compare)(const int *key, const int *element));
    div_t div(int numerator, int denominator);
    lldiv_t lldiv(long long numerator, long long denominator);
    /** @param[out] end what follows the number */
    long strtol(_In_z_ const char *text, _Outptr_ const char **end, int base);
    int abs(int value);

    int snprintf(_Out_writes_z_(size) char *buffer, size_t size, _In_z_ const char *format, ...);
    int sprintf(_Out_writes_z_(64) char *buffer, _In_z_ const char *format, ...);
    int sscanf(_In_z_ const char *text, _In_z_ const char *format, ...);

    const char *strerror(int number);
    const char *getenv(_In_z_ const char *name);
    int setenv(_In_z_ const char *name, _In_z_ const char *value, int overwrite);

    int open(_In_z_ const char *path, int flags, ...);
    /** @return the stream, or null @frees fclose */
    _Ret_maybenull_ FILE *fopen(_In_z_ const char *path, _In_z_ const char *mode);
    /** @releases stream */
    int fclose(FILE *stream);
    int fputs(_In_z_ const char *text, FILE *stream);
    size_t fread(_Out_writes_bytes_to_(size, return) void *data, size_t one, size_t size, FILE *stream);
    int fseek(FILE *stream, long offset, int whence);
    int ferror(FILE *stream);
";

fn libc() -> Bridge {
    Bridge::start(|config| {
        config.library("c", "/lib32/libc.so.6").declares(HEADER);
    })
}

#[test]
fn qsort_asks_a_callback_for_the_order() {
    let bridge = libc();
    let sort = |base: &Value, compare: Value| {
        let arguments = json!({"base": base, "size": 4, "compare": compare});
        bridge.call("c", "qsort", arguments).output("base")
    };
    let values: Vec<i32> = (0..200).map(|index| (index * 7919) % 1009 - 500).collect();
    let mut sorted = values.clone();
    sorted.sort_unstable();
    assert_eq!(sort(&json!(values), json!({"compare": ["a", "b"]})), json!(sorted));
    sorted.reverse();
    assert_eq!(sort(&json!(values), json!({"compare": ["b", "a"]})), json!(sorted), "the other way round");
    assert_eq!(sort(&json!([3, 1, 2]), json!({"returns": 0})), json!([3, 1, 2]), "all are alike");
    assert_eq!(sort(&json!([]), json!({"compare": ["a", "b"]})), json!([]));
}

#[test]
fn what_a_callback_was_called_with_is_recorded() {
    let bridge = libc();
    let compare = json!({"compare": ["a", "b"], "record": true});
    let arguments = json!({"base": [2, 1], "size": 4, "compare": compare});
    let outputs = bridge.call("c", "qsort", arguments).ok()["outputs"].clone();
    assert_eq!(outputs["base"], json!([1, 2]));
    assert_eq!(outputs["compare"]["count"], 1, "{outputs}");
    let invocation = &outputs["compare"]["invocations"][0];
    assert_eq!((&invocation["args"], &invocation["returned"]), (&json!({"a": 2, "b": 1}), &json!(1)), "{outputs}");
}

#[test]
fn bsearch_finds_or_gives_null() {
    let bridge = libc();
    let search = |key: i32| {
        let compare = json!({"compare": ["key", "element"]});
        bridge.call("c", "bsearch", json!({"key": key, "base": [1, 5, 9], "size": 4, "compare": compare})).result()
    };
    assert!(search(5).is_string(), "a handle");
    assert_eq!(search(6), Value::Null);
}

#[test]
fn structures_are_results() {
    let bridge = libc();
    let result =
        |function, a: i64, b: i64| bridge.call("c", function, json!({"numerator": a, "denominator": b})).result();
    assert_eq!(result("div", -17, 5), json!({"quot": -3, "rem": -2}));
    let wide = json!({"quot": -9_000_000_000_000_i64 / 7, "rem": -9_000_000_000_000_i64 % 7});
    assert_eq!(result("lldiv", -9_000_000_000_000, 7), wide);
}

#[test]
fn strtol_tells_where_the_number_ends() {
    let bridge = libc();
    let body = |text: &str, base: i32| bridge.call("c", "strtol", json!({"text": text, "base": base})).ok();
    let answer = body("42 parts", 10);
    assert_eq!((&answer["result"], &answer["outputs"]["end"]), (&json!(42), &json!(" parts")), "{answer}");
    let answer = body("zz", 36);
    assert_eq!((&answer["result"], &answer["outputs"]["end"]), (&json!(1295), &json!("")), "{answer}");
    let answer = body("99999999999", 10);
    assert_eq!((&answer["result"], &answer["errno"]["name"]), (&json!(i32::MAX), &json!("ERANGE")), "{answer}");
}

#[test]
fn variable_arguments_come_with_their_types() {
    let bridge = libc();
    let more = json!([
        {"type": "int", "value": -5},
        {"type": "const char *", "value": "桥"},
        {"type": "double", "value": 2.5},
        {"type": "unsigned long long", "value": u64::MAX},
        {"type": "char", "value": 66},
    ]);
    let format = "%d %s %.3f %llu %c";
    let expected = "-5 桥 2.500 18446744073709551615 B";
    let body = bridge.call("c", "snprintf", json!({"size": 100, "format": format, "...": more})).ok();
    assert_eq!((&body["result"], &body["outputs"]["buffer"]), (&json!(expected.len()), &json!(expected)), "{body}");
    let body = bridge.call("c", "snprintf", json!({"size": 10, "format": format, "...": more})).ok();
    assert_eq!(body["result"], expected.len(), "what it would have written: {body}");
    let body = bridge.call("c", "sprintf", json!({"format": "100%% %s", "...": [{"type": "char*", "value": "C"}]}));
    assert_eq!(body.output("buffer"), "100% C");
    assert_eq!(bridge.call("c", "sprintf", json!({"format": "none"})).output("buffer"), "none");
}

#[test]
fn variable_arguments_can_be_outputs() {
    let bridge = libc();
    let more = json!([{"type": "int*"}, {"type": "char[20]"}, {"type": "double*"}]);
    let body = bridge.call("c", "sscanf", json!({"text": "7 of 9.25", "format": "%d %19s %lf", "...": more})).ok();
    assert_eq!((&body["result"], &body["outputs"]["..."]), (&json!(3), &json!([7, "of", 9.25])), "{body}");
}

#[test]
fn a_wrong_variable_argument_is_pointed_at() {
    let bridge = libc();
    let refused = |more: Value| {
        bridge.call("c", "sprintf", json!({"format": "%d", "...": more})).mismatch_within("/...");
    };
    refused(json!({"type": "int", "value": 1}));
    refused(json!([5]));
    refused(json!([{"value": 5}]));
    refused(json!([{"type": "int", "value": "five"}]));
    refused(json!([{"type": "int", "value": 2_147_483_648_u32}]));
    refused(json!([{"type": "no_such_type", "value": 1}]));
    refused(json!([{"type": "char", "value": 128}]));
    refused(json!([{"type": "struct point", "value": {}}]));
    refused(json!([{"type": "int", "value": 1, "extra": 1}]));
}

#[test]
fn errno_is_told_in_words_and_only_where_it_was_set() {
    let bridge = libc();
    let missing = "/no/such/folder/file";
    let body = bridge.call("c", "open", json!({"path": missing, "flags": 0})).ok();
    assert_eq!(body["result"], -1, "{body}");
    let expected = json!({"code": 2, "name": "ENOENT", "message": "No such file or directory"});
    assert_eq!(body["errno"], expected, "{body}");
    let body = bridge.call("c", "fopen", json!({"path": missing, "mode": "r"})).ok();
    assert_eq!((&body["result"], &body["errno"]), (&Value::Null, &expected), "{body}");
    assert_eq!(bridge.call("c", "strerror", json!({"number": 2})).result(), "No such file or directory");
    let body = bridge.call("c", "abs", json!({"value": -3})).ok();
    assert_eq!((&body["result"], body.get("errno"), body.get("last_error")), (&json!(3), None, None), "{body}");
}

#[test]
fn a_stream_is_a_handle_until_it_is_closed() {
    let bridge = libc();
    let path = bridge.config().folder().join("written.txt");
    let open = |mode: &str| bridge.call("c", "fopen", json!({"path": path, "mode": mode})).result();
    let stream = open("w+");
    assert!(stream.is_string(), "{stream}");
    assert!(bridge.call("c", "fputs", json!({"text": "line 桥", "stream": stream})).result().as_i64() >= Some(0));
    assert_eq!(bridge.call("c", "fseek", json!({"stream": stream, "offset": 0, "whence": 0})).result(), 0);
    let body = bridge.call("c", "fread", json!({"one": 1, "size": 100, "stream": stream})).ok();
    assert_eq!(body["result"], 8, "{body}");
    assert_eq!(bridge32_tests::bytes(&body["outputs"]["data"]), "line 桥".as_bytes(), "{body}");
    assert_eq!(bridge.call("c", "fclose", json!({"stream": stream})).result(), 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "line 桥");
    for function in ["ferror", "fclose"] {
        bridge.call("c", function, json!({"stream": stream})).refused(410, "stale_handle");
    }
}

#[test]
fn the_environment_is_the_agents_own() {
    let bridge = libc();
    let get = || bridge.call("c", "getenv", json!({"name": "BRIDGE_OF_A_TEST"})).result();
    assert_eq!(get(), Value::Null);
    let arguments = json!({"name": "BRIDGE_OF_A_TEST", "value": "32 bits", "overwrite": 1});
    assert_eq!(bridge.call("c", "setenv", arguments).result(), 0);
    assert_eq!(get(), "32 bits");
    assert!(std::env::var_os("BRIDGE_OF_A_TEST").is_none());
}
