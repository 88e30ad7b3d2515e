//! Which values a header, their names or a list make sensitive, and how they are taken out of what is kept.

mod common;

use bridge32_interface::redact::{self, MARKER};
use bridge32_interface::schema;
use bridge32_interface::sensitive::Marks;
use bridge32_protocol::interface::Interface;
use bridge32_protocol::target::Target;
use common::{callback, header, interface, only};
use proptest::prelude::*;
use serde_json::Value;

fn marked(text: &str, names: &[&str], listed: &[&str]) -> (Interface, Vec<String>) {
    let mut interface = interface(text);
    let marks = Marks::new(names, listed.iter().map(|listed| (*listed).to_owned()).collect());
    let nowhere = marks.apply(&mut interface).into_iter().map(str::to_owned).collect();
    (interface, nowhere)
}

/// The parameters and members that are marked, in the order of their names.
fn names(interface: &Interface) -> Vec<&str> {
    let parameters = interface.functions.iter().flat_map(|function| &function.parameters);
    let parameters = parameters.filter(|parameter| parameter.sensitive).map(|parameter| parameter.name.as_str());
    let fields = interface.structures.values().flat_map(|structure| &structure.fields);
    let fields = fields.filter(|field| field.sensitive).map(|field| field.name.as_str());
    let variables = interface.variables.iter().filter(|variable| variable.sensitive);
    let mut all: Vec<&str> = parameters.chain(fields).chain(variables.map(|variable| variable.name.as_str())).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_tag_marks_parameters_members_results_and_variables() {
    for text in [
        "/** @sensitive code */ int f(int code, int n);",
        "/** @sensitive code. */ int f(int code, int n);",
        "/** @param code The code. @sensitive\n * @param n a number */ int f(int code, int n);",
        "/** @param code @sensitive The code.\n * @param n a number */ int f(int code, int n);",
        "/**\n * @param code The code.\n * @sensitive code\n */ int f(int code, int n);",
        "int f(int code /**< @sensitive */, int n);",
        "struct S { int code; /**< The code. @sensitive */ int n; }; int f(const struct S *s);",
        "/** @sensitive code */ struct S { int code; int n; }; int f(const struct S *s);",
        "extern int code; /**< @sensitive */ int f(int n);",
        "/** Hashes. @sensitive */ int f(int code);",
    ] {
        assert_eq!(names(&interface(text)), ["code"], "{text}");
    }
    assert_eq!(names(&interface("/** @sensitive a, c */ int f(int a, int b, int c);")), ["a", "c"]);
    let returned = only("/** @sensitive return */ const char *f(int a, int b);");
    assert!(returned.sensitive_result && names(&interface("int f(int a);")).is_empty());
    assert!(only("/** @sensitive ... */ int f(const char *format, ...);").sensitive_extra);
    let described = only("/** @param code @sensitive The code.\n * @param n a number */ int f(int code, int n);");
    assert_eq!(described.parameters[0].description, "The code.");
}

#[test]
fn a_tag_that_marks_nothing_is_an_error() {
    for text in [
        "/** @sensitive cod */ int f(int code, int n);",
        "/** @sensitive */ int f(int code, int n);",
        "/** @sensitive ... */ int f(int code, int n);",
        "/** @sensitive cod */ struct S { int code; int n; }; int f(const struct S *s);",
        "/** @sensitve code */ int f(int code, int n);",
    ] {
        let diagnostics = header(text).diagnostics;
        assert!(diagnostics.iter().any(|told| told.message.contains("@sensitive")), "{text}: {diagnostics:?}");
    }
}

const HEADER: &str = "struct login { const char *user; const char *password; };
    struct office { struct login logins[2]; const struct office *next; union { int pin; float ratio; }; int n; };
    typedef int (*asked)(const char *question, const char *secret);
    extern int api_key;
    int open(const struct office *s, asked ask, int mapping);
    int print(const char *format, ...);
    int log_in(const char *user, const char *pwd, ...);
    const char *key(int n);";

#[test]
fn names_are_looked_for_everywhere() {
    let (interface, nowhere) = marked(HEADER, &["password", "pin", "secret", "apikey", "pwd"], &[]);
    assert_eq!((names(&interface), nowhere), (vec!["api_key", "password", "pin", "pwd"], vec![]));
    let asked = callback(&interface.functions[0].parameters[1].ty);
    assert_eq!(asked.parameters.iter().map(|parameter| parameter.sensitive).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_is_listed_is_marked_and_what_is_not_there_is_told() {
    let listed =
        ["open.mapping", "office.n", "user", "key.return", "print....", "question", "open.mode", "key.n", "nobody"];
    let (interface, nowhere) = marked(HEADER, &[], &listed);
    assert_eq!(names(&interface), ["mapping", "n", "n", "user", "user"]);
    assert_eq!(nowhere, ["open.mode", "nobody"]);
    let function = |name: &str| interface.function(name).unwrap().1;
    assert!(
        function("key").sensitive_result && function("print").sensitive_extra && !function("log_in").sensitive_extra
    );
    assert!(callback(&function("open").parameters[1].ty).parameters[0].sensitive);
}

fn kept(function: &str, json: &str) -> String {
    let (interface, _) = marked(HEADER, &["password", "pin", "secret", "pwd"], &["key.return"]);
    let (_, function) = interface.function(function).expect("it is declared");
    redact::arguments(&interface, function, json).replace(MARKER, "X")
}

#[test]
fn arguments_keep_all_but_what_is_sensitive() {
    let login = r#"{"user":"u","password":"hunter2"}"#;
    let given = format!(r#"{{"s":{{"logins":[{login}, null],"next":{{"n":1.50,"pin":4711}},"n":7}},"mapping":1.0}}"#);
    let expected = r#"{"s":{"logins":[{"user":"u","password":X},null],"next":{"n":1.50,"pin":X},"n":7},"mapping":1.0}"#;
    assert_eq!(kept("open", &given), expected);
    let ask = r#"{"ask":{"returns":5,"table":[{"when":{"question":"q","secret":"hunter2"},"returns":1}],"limit":3}}"#;
    let expected = r#"{"ask":{"returns":5,"table":[{"when":{"question":"q","secret":X},"returns":1}],"limit":3}}"#;
    assert_eq!(kept("open", ask), expected);
    let extra = r#"{"format":"%s","...":[{"type":"int","value":5}]}"#;
    assert_eq!(kept("print", extra), extra);
    let unnamed = r#"{"user":"u","pwd":"hunter2","...":[{"type":"const char*","value":"hunter2"}]}"#;
    assert_eq!(kept("log_in", unnamed), r#"{"user":"u","pwd":X,"...":X}"#);
}

#[test]
fn what_is_not_as_declared_is_taken_out() {
    for (given, expected) in [
        (r#"{"s":"hunter2"}"#, r#"{"s":X}"#),
        (r#"{"s":{"login":"hunter2"}}"#, r#"{"s":{"login":X}}"#),
        (r#"{"s":{"logins":"hunter2"}}"#, r#"{"s":{"logins":X}}"#),
        (r#"{"s":{"logins":[["hunter2"]]}}"#, r#"{"s":{"logins":[X]}}"#),
        (r#"{"pasword":"hunter2"}"#, r#"{"pasword":X}"#),
        (r#"{"ask":["hunter2"]}"#, r#"{"ask":X}"#),
        (r#"{"mapping":{"password":"hunter2"}}"#, r#"{"mapping":X}"#),
        (r#"{"s":{"$ref":"0.result"},"mapping":{"$ref":5}}"#, r#"{"s":{"$ref":"0.result"},"mapping":X}"#),
        (r#"{"s":"z.g1.5.2f9c"}"#, r#"{"s":"z.g1.5.2f9c"}"#),
        (r#"{"ask":{"table":{"when":"hunter2"}}}"#, r#"{"ask":{"table":X}}"#),
        (r#"["hunter2"]"#, "X"),
        (r#""hunter2""#, "X"),
        (r#"{"s":"hunter2"#, "X"),
        ("", "X"),
        (r#"{"s":{"password":"hunter2"},"s":{"pin":1}}"#, r#"{"s":{"password":X},"s":{"pin":X}}"#),
    ] {
        assert_eq!(kept("open", given), expected, "{given}");
    }
}

#[test]
fn an_answer_keeps_all_but_what_is_sensitive() {
    let (interface, _) = marked(HEADER, &["secret"], &["key.return"]);
    let of = |function: &str, json: &str| {
        redact::answer(&interface, interface.function(function).unwrap().1, json).replace(MARKER, "X")
    };
    let key = r#"{"call_id":"x","result":"hunter2","outputs":{},"duration_us":1.250,"errno":{"code":2}}"#;
    assert_eq!(of("key", key), key.replace("\"hunter2\"", "X"));
    let invocations = r#"{"result":1,"outputs":{"ask":{"count":1,"invocations":[{"args":{"question":"q","secret":"hunter2"},
        "returned":0}],"dropped":0}}}"#;
    let told = of("open", invocations);
    assert!(told.contains(r#""args":{"question":"q","secret":X},"returned":0"#), "{told}");
    assert_eq!(of("open", r#"{"outputs":{"other":"hunter2"}}"#), r#"{"outputs":{"other":X}}"#);
}

proptest! {
    #[test]
    fn whatever_is_given_no_secret_is_left_and_nothing_panics(
        before in r#"[\[\]{},:"a-z 0-9]{0,12}"#, name in "(s|ask|logins|password|next|pin|when|table|x)", depth in 0_usize..300
    ) {
        let (open, close) = (format!("{{\"{name}\":").repeat(depth), "}".repeat(depth));
        for json in [
            format!("{before}{{\"s\":{{\"pin\":4711}}}}"),
            format!("{{\"s\":{{{before}\"password\":4711}}}}"),
            format!("{{\"s\":{open}{{\"password\":4711}}{close}}}"),
            format!("{{\"ask\":{open}{{\"secret\":4711}}{close}}}"),
        ] {
            if !kept("open", &json).contains("4711") {
                continue;
            }
            // What says nothing of the callback's arguments is no secret of this interface.
            prop_assert!(json.starts_with("{\"ask\"") && !json.contains("when"), "{}", json);
        }
    }
}

#[test]
fn a_function_is_known_that_can_have_something_sensitive() {
    for (text, wanted) in [
        ("int f(int n, const char *text);", false),
        ("/** @sensitive code */ int f(int code);", true),
        ("/** @sensitive return */ int f(int n);", true),
        ("/** @sensitive ... */ int f(int n, ...);", true),
        ("int f(int (*ask)(const char *text));", false),
        ("int f(int (*ask)(const char *password));", true),
        ("struct s { int n; int pin; }; int f(const struct s *s);", true),
        ("struct s { int (*ask)(int n); }; int f(const struct s *s);", false),
        ("struct s { int (*ask)(int pin); }; int f(const struct s *s);", true),
    ] {
        let (interface, _) = marked(text, &["password", "pin"], &[]);
        assert_eq!(redact::has_any(&interface, &interface.functions[0]), wanted, "{text}");
    }
}

#[test]
fn a_schema_says_what_is_sensitive() {
    let text = "struct login { const char *user, *password; };
        int log_in(const struct login *who, _Inout_updates_(n) char *secret, int n, int pin,
                   _In_reads_bytes_(4) const void *api_key);
        const char *key(int n); extern int token;";
    let (interface, _) = marked(text, &["password", "pin", "secret", "apikey", "token"], &["key.return"]);
    let schemas = schema::schemas(&interface, Target::Win32, "lib", &mut str::to_owned);
    let of = |schema: &Value, member: &str| {
        let schema = &schema["properties"][member];
        let said = schema["description"].as_str().is_some_and(|text| text.contains("Sensitive: "));
        (schema["format"].as_str().unwrap_or_default().to_owned(), said)
    };
    let arguments = &schemas.functions[&0].arguments.schema;
    assert_eq!(of(arguments, "secret"), ("password".to_owned(), true));
    assert_eq!(of(arguments, "pin"), ("int32".to_owned(), true));
    assert_eq!(of(arguments, "api_key"), ("byte".to_owned(), true));
    assert_eq!(of(&schemas.functions[&0].outputs.schema, "secret"), ("password".to_owned(), true));
    let login = schemas.components.values().find(|schema| schema["properties"].get("user").is_some()).unwrap();
    assert_eq!((of(login, "password"), of(login, "user")), (("password".to_owned(), true), (String::new(), false)));
    assert_eq!(schemas.functions[&1].result.schema["format"], "password");
    let token = schemas.variables[&0].read.schema["description"].as_str().unwrap_or_default();
    assert!(token.contains("Sensitive: "), "{token}");
}
