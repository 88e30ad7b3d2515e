//! Whatever is wrong with a sensitive value, the value stands in no fault about it.

use bridge32_interface::sensitive::Marks;

use super::*;

/// Declarations with a parameter or member `NAME`, and values of it that do not fit: each has a secret in it.
const REFUSED: [(&str, &str); 36] = [
    ("int f(int NAME);", r#"{"NAME":"hunter2"}"#),
    ("int f(int NAME);", r#"{"NAME":4711.5}"#),
    ("int f(signed char NAME);", r#"{"NAME":4711}"#),
    ("int f(long long NAME);", r#"{"NAME":"hunter2"}"#),
    ("int f(_Bool NAME);", r#"{"NAME":"hunter2"}"#),
    ("int f(double NAME);", r#"{"NAME":"hunter2"}"#),
    ("int f(float NAME);", r#"{"NAME":4711e300}"#),
    ("enum color { RED }; int f(enum color NAME);", r#"{"NAME":"hunter2"}"#),
    ("enum color { RED }; int f(enum color NAME);", r#"{"NAME":471147114711}"#),
    ("int f(const char *NAME);", r#"{"NAME":4711}"#),
    ("int f(const char *NAME);", r#"{"NAME":{"hunter2":1}}"#),
    ("/** @encoding iso-8859-2 */ int f(const char *NAME);", r#"{"NAME":"h€unter2"}"#),
    ("int f(const char *NAME);", r#"{"NAME":{"$handle":"hunter2"}}"#),
    ("int f(const char *NAME);", r#"{"NAME":{"$handle":"hunter2.g1.5.x"}}"#),
    ("int f(const char *NAME);", r#"{"NAME":{"$handle":"x","hunter2":1}}"#),
    ("int f(struct opaque *NAME);", r#"{"NAME":"hunter2"}"#),
    ("int f(struct opaque *NAME);", r#"{"NAME":"test.g0.4711.x"}"#),
    ("int f(struct opaque *NAME);", r#"{"NAME":4711}"#),
    ("#define hunter2 471147114711\nint f(struct opaque *NAME);", r#"{"NAME":"hunter2"}"#),
    ("int f(_In_reads_bytes_(4) const void *NAME);", r#"{"NAME":"hunter2€"}"#),
    ("int f(_In_reads_bytes_(4) const void *NAME);", r#"{"NAME":4711}"#),
    ("int f(_In_reads_(2) const int *NAME);", r#"{"NAME":"hunter2"}"#),
    ("int f(_In_reads_(2) const int *NAME);", r#"{"NAME":[1,"hunter2"]}"#),
    ("int f(const int *NAME);", r#"{"NAME":"hunter2"}"#),
    ("struct S { int x; }; int f(const struct S *NAME);", r#"{"NAME":{"x":"hunter2"}}"#),
    ("struct S { int x; }; int f(const struct S *NAME);", r#"{"NAME":{"hunter2":1}}"#),
    ("struct S { int x; }; int f(struct S NAME);", r#"{"NAME":"hunter2"}"#),
    ("union U { int x; float y; }; int f(union U NAME);", r#"{"NAME":{"x":"hunter2"}}"#),
    ("struct S { int NAME; int y; }; int f(const struct S *s);", r#"{"s":{"y":1,"NAME":"hunter2"}}"#),
    ("struct S { int NAME : 3; }; int f(const struct S *s);", r#"{"s":{"NAME":4711}}"#),
    ("struct S { int NAME; }; int f(const struct S *s);", r#"{"s":"hunter2"}"#),
    ("struct S { int NAME; }; int f(const struct S *s);", r#"{"s":"hunter2.x"}"#),
    ("struct S { struct { int NAME; }; }; int f(const struct S *s);", r#"{"s":{"NAME":"hunter2"}}"#),
    ("struct S { char NAME[4]; }; int f(const struct S *s);", r#"{"s":{"NAME":4711}}"#),
    ("int f(int (*NAME)(int a));", r#"{"NAME":{"returns":"hunter2"}}"#),
    ("int f(int (*NAME)(int a));", r#"{"NAME":{"hunter2":1}}"#),
];

/// The same, which say something of the value only where it is a callback's description.
const CALLBACKS: [(&str, &str); 3] = [
    ("int f(int (*NAME)(int a));", r#"{"NAME":{"table":[{"when":{"hunter2":1},"returns":1}]}}"#),
    ("int f(int (*NAME)(int a));", r#"{"NAME":{"table":[{"when":"hunter2","returns":1}]}}"#),
    ("int f(int (*NAME)(int a));", r#"{"NAME":{"limit":"hunter2"}}"#),
];

/// What is said of these arguments, the pointer included, with this name in the place of `NAME`.
fn told(declaration: &str, args: &str, name: &str, hidden: bool) -> String {
    let header = declaration.replace("NAME", name);
    let source = Source { name: "test.h", text: header.as_bytes() };
    let mut interface = read(&[source], &Options::new(HOST)).interface;
    Marks::default().apply(&mut interface);
    let world = of(interface);
    let fault = world.played_with(&args.replace("NAME", name), hidden, |_, _| {}, 0).expect_err(args);
    format!("{} {}", fault.detail, fault.pointer.unwrap_or_default())
}

fn repeats(text: &str) -> bool {
    ["hunter2", "4711", "€"].iter().any(|secret| text.contains(secret))
}

#[test]
fn no_fault_repeats_a_sensitive_value() {
    for (declaration, args) in REFUSED.into_iter().chain(CALLBACKS) {
        let told = told(declaration, args, "userPin", false);
        assert!(!repeats(&told), "{declaration} {args}: {told}");
    }
}

#[test]
fn a_value_that_is_not_sensitive_is_repeated_so_that_people_see_what_is_wrong() {
    let repeated =
        REFUSED.iter().filter(|(declaration, args)| repeats(&told(declaration, args, "mapping", false))).count();
    assert!(repeated > 20, "of {} values {repeated} are repeated", REFUSED.len());
}

#[test]
fn where_values_come_from_earlier_answers_none_is_repeated() {
    for (declaration, args) in REFUSED {
        let told = told(declaration, args, "mapping", true);
        assert!(!repeats(&told), "{declaration} {args}: {told}");
    }
}

#[test]
fn what_follows_the_parameters_is_as_sensitive_as_one_of_them() {
    let args = r#"{"NAME":1,"...":[{"type":"int","value":"hunter2"}]}"#;
    let of = |declaration, name| repeats(&told(declaration, args, name, false));
    assert!(of("int f(int NAME, ...);", "mapping"));
    assert!(!of("int f(int NAME, ...);", "userPin"));
    assert!(!of("/** @sensitive ... */ int f(int NAME, ...);", "mapping"));
}

#[test]
fn a_fault_says_what_would_be_right() {
    let text = told("int f(signed char NAME);", r#"{"NAME":4711}"#, "pin", false);
    assert_eq!(text, "a sensitive number is out of range: expected an integer from -128 to 127 /pin");
    let text = told("struct S { int x; }; int f(const struct S *NAME);", r#"{"NAME":{"hunter2":1}}"#, "pin", false);
    assert_eq!(text, "`S` has no such member; it has x /pin");
}
