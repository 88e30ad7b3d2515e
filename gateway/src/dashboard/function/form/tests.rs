//! Forms of whole headers: what is given comes back as it was, through the page and its fields.

use bridge32_interface::schema::{json_schema, schemas};
use bridge32_interface::sensitive::Marks;
use bridge32_interface::{Options, Source, read};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::form_data::FormData;
use askama::Template as _;
use bridge32_protocol::interface::Interface;
use bridge32_protocol::target::Target;

const HEADER: &str = r"
#define FAST 1
#define SLOW 9
enum colour { RED, GREEN = 7, BLUE = -1 };
struct point { int x, y; };
union number { long long whole; double real; struct point both; };
struct line { struct point from, to; char name[8]; unsigned char key[4]; unsigned flags : 3; enum colour colour; };
struct tree { int value; struct tree *left; struct tree *right; };
struct odd { union { int a; float b; }; struct { short c, d; }; union number n; };
typedef int (__cdecl *compare)(const int *a, const int *b);
/** @param level FAST or SLOW @param big as it is */
int scalars(int level, unsigned char small, long long big, unsigned long long huge, float f, double d, _Bool yes, enum colour c);
int texts(const char *s, const wchar_t *w, _In_opt_ const char *maybe, const char *password);
int bytes(_In_reads_bytes_(n) const void *b, unsigned n, _Out_writes_bytes_(m) void *out, unsigned m);
int structures(const struct line *line, struct point p, struct point *both, const struct odd *odd);
int lists(_In_reads_(n) const struct point *points, int n, _In_reads_(3) const short *three, _Inout_updates_(k) int *values, int k);
int trees(const struct tree *tree, void *handle, _In_opt_ void *other);
int sort(_Inout_updates_(n) int *values, int n, compare by);
int print(const char *format, ...);
";

fn interface() -> Interface {
    let mut read = read(&[Source { name: "a.h", text: HEADER.as_bytes() }], &Options::new(Target::Win32));
    Marks::default().apply(&mut read.interface);
    read.interface
}

fn form(function: &str, given: Given<'_>) -> Form {
    let interface = interface();
    let (_, found) = interface.function(function).unwrap();
    assert_eq!(found.unsupported, None, "{function}");
    Form::of(found, types(&interface), given, None)
}

fn types(interface: &Interface) -> Types<'_> {
    Types { interface, target: Target::Win32, handles: &[] }
}

fn html(form: &Form) -> String {
    form.nodes.iter().map(|node| node.render().unwrap()).collect()
}

/// The fields that a browser would send of a page.
fn fields(html: &str) -> FormData {
    let text = |escaped: &str| {
        let pairs = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
        pairs.iter().fold(escaped.to_owned(), |text, (code, sign)| text.replace(code, sign))
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for start in html.match_indices('<').map(|(at, _)| at + 1) {
        let rest = &html[start..];
        let Some(end) = rest.find('>') else { continue };
        let (tag, inside) = (&rest[..end], &rest[end + 1..]);
        let attribute = |name: &str| {
            let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
            Some(text(rest.split_once('"')?.0))
        };
        let Some(name) = attribute("name") else { continue };
        let value = attribute("value").unwrap_or_default();
        if tag.starts_with("textarea") {
            // The first line end belongs to the tag.
            let content = inside.split_once("</textarea>").unwrap().0;
            found.push((name, text(content.strip_prefix('\n').unwrap_or(content)).replace('\n', "\r\n")));
        } else if tag.starts_with("select") {
            let options = inside.split_once("</select>").unwrap().0;
            let chosen = options.split("<option value=\"").skip(1).find(|option| option.contains("\" selected>"));
            found.push((name, text(chosen.map_or("", |option| option.split_once('"').unwrap().0))));
        } else if tag.starts_with("input") && !tag.contains("type=\"file\"") {
            let is_sent = !(tag.contains("\"checkbox\"") || tag.contains("\"radio\""))
                || tag.ends_with(" checked")
                || tag.contains(" checked ");
            if is_sent {
                found.push((name, value));
            }
        }
    }
    let pairs: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    FormData::of(&pairs)
}

/// What comes back of arguments that went into a form, and through its page.
fn through(function: &str, arguments: &Value) -> Value {
    let json = Json::parse(&arguments.to_string()).unwrap();
    let first = form(function, Given::Value(Some(&json)));
    assert!(first.unknown.is_empty(), "{:?}", first.unknown);
    let fields = fields(&html(&first));
    let again = form(function, Given::Fields(&fields));
    let text = again.arguments().unwrap().compact();
    assert_eq!(first.arguments().unwrap().compact(), text, "the page says the same");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_example_of_each_function_comes_back_and_is_what_its_schema_says() {
    let interface = interface();
    let schemas = schemas(&interface, Target::Win32, "a", &mut str::to_owned);
    let named = schemas.components.iter().chain(&schemas.shared);
    let named: serde_json::Map<_, _> = named.map(|(name, schema)| (name.clone(), json_schema(schema))).collect();
    assert_eq!(schemas.functions.len(), 8);
    for (number, function) in &schemas.functions {
        let name = &interface.functions[*number].name;
        let example = function.arguments.example.as_ref();
        // A tree has none: it would not end.
        let example =
            example.cloned().unwrap_or_else(|| json!({"tree": {"value": 1}, "handle": "a.g1.1.0123456789ab"}));
        let mut schema = json_schema(&function.arguments.schema);
        schema["components"] = json!({"schemas": named});
        let back = through(name, &example);
        assert!(jsonschema::is_valid(&schema, &back), "{name}: {back}");
        assert_eq!(without_nulls(back), without_nulls(example), "{name}");
    }
}

/// Null and what is left out mean the same for what the function only reads.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn same(function: &str, arguments: Value) {
    assert_eq!(without_nulls(through(function, &arguments)), without_nulls(arguments));
}

#[test]
fn numbers_keep_every_digit_and_names_stay_names() {
    let mut all = json!({"level": "FAST", "small": 255, "big": i64::MIN, "huge": u64::MAX, "f": 0.5, "d": 1e300, "yes": false, "c": "BLUE"});
    same("scalars", all.clone());
    all["c"] = 42.into();
    all["d"] = "NaN".into();
    all["yes"] = true.into();
    same("scalars", all);
    let fields = FormData::of(&[
        ("/level", " 0x10 "),
        ("/d", ".5"),
        ("/f", "-INF"),
        ("/c", "#"),
        ("*/c", "0xFF"),
        ("/huge", "many"),
    ]);
    let text = form("scalars", Given::Fields(&fields)).arguments().unwrap().compact();
    assert_eq!(text, r#"{"level":16,"huge":"many","f":"-Infinity","d":0.5,"yes":false,"c":255}"#);
}

#[test]
fn a_number_is_shown_with_its_range_and_the_names_that_its_documentation_speaks_of() {
    let page = html(&form("scalars", Given::Nothing));
    for words in ["-9223372036854775808 to 9223372036854775807", "0 to 18446744073709551615", "0 to 255"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(page.contains("<option value=\"FAST\">1</option><option value=\"SLOW\">9</option>"), "{page}");
    assert!(page.contains("<option value=\"GREEN\">GREEN = 7</option>"));
}

#[test]
fn texts_come_back_as_they_are_whatever_is_in_them() {
    let hostile = "</textarea><script>alert(\"1\")</script>&amp;'\n\n \u{1f600}";
    same("texts", json!({"s": hostile, "w": "\nfirst line empty", "maybe": "", "password": "a\"b"}));
    same("texts", json!({"s": "", "w": "", "password": ""}));
    let page = html(&form("texts", Given::Value(Some(&Json::parse(&json!({"s": hostile}).to_string()).unwrap()))));
    assert!(!page.contains("<script>") && page.contains("type=\"password\""), "{page}");
    // What a browser would change.
    same("texts", json!({"s": "a\r\nb\rc", "w": "a\u{0}b", "password": "a\nb"}));
}

#[test]
fn bytes_come_back_and_a_file_is_sent_as_they_are() {
    same("bytes", json!({"b": "AP8Q", "m": 4}));
    same("bytes", json!({"b": "A".repeat(400), "n": 300, "m": 4}));
    let fields = FormData::of(&[("=/b", "file"), ("/b", "ignored"), ("/m", "4")]).with_file("/b", b"\0\xff\x10");
    let form = form("bytes", Given::Fields(&fields));
    assert_eq!((form.arguments().unwrap().compact().as_str(), form.has_files), (r#"{"b":"AP8Q","m":4}"#, true));
}

#[test]
fn structures_unions_and_arrays_are_put_together() {
    let point = json!({"x": 1, "y": -2});
    let line = json!({"from": point, "to": point, "name": "a\"b", "key": "AQIDBA==", "flags": 7, "colour": "RED"});
    let odd = json!({"b": 1.5, "c": 1, "d": 2, "n": {"both": point}});
    same("structures", json!({"line": line, "p": point, "both": {"x": 5}, "odd": odd}));
    same("lists", json!({"points": [point, point], "three": [1, 2, 3], "values": [1, 2]}));
    same("lists", json!({"points": [], "three": [1, 2, 3], "k": 4}));
    same("trees", json!({"tree": {"value": 1, "left": {"value": 2}}, "handle": -1, "other": "a.g1.1.0123456789ab"}));
    same(
        "sort",
        json!({"values": [3, 1], "by": {"returns": 1, "table": [{"when": {"a": 1}, "returns": -1}], "record": false}}),
    );
    let extra = json!([{"type": "int", "value": 5}, {"type": "const char*", "value": "5"}, {"type": "char[10]"}, {"type": "double", "value": 0.5}]);
    same("print", json!({"format": "%d", "...": extra}));
}

#[test]
fn what_goes_into_no_control_stays_as_it_is() {
    same(
        "structures",
        json!({"line": {"from": 5, "toe": 1}, "p": [1], "both": {"$handle": "a.g1.1.0123456789ab"}, "odd": {"a": 1, "b": 2}}),
    );
    same("scalars", json!({"level": [1], "small": null, "big": {"a": 1}, "yes": "maybe", "c": []}));
    same("sort", json!({"values": "a.g1.1.0123456789ab", "by": {"compare": ["a", "b"], "stream": true}}));
    let unknown = Json::parse(r#"{"format": "x", "fromat": 1}"#).unwrap();
    assert_eq!(form("print", Given::Value(Some(&unknown))).unknown, ["fromat"]);
}

#[test]
fn a_form_that_nobody_filled_in_leaves_to_the_agent_what_is_missing() {
    let empty = FormData::of(&[]);
    let text = |function: &str| form(function, Given::Fields(&empty)).arguments().unwrap().compact();
    assert_eq!(text("scalars"), r#"{"yes":false}"#);
    assert_eq!(text("trees"), r#"{"tree":{}}"#);
}

#[test]
fn an_empty_element_is_named_and_what_the_function_fills_in_may_end_early() {
    let fields =
        FormData::of(&[("#/three", "3"), ("/three/0", "1"), ("/three/2", "3"), ("#/values", "3"), ("/values/0", "7")]);
    let wrong = form("lists", Given::Fields(&fields)).arguments().unwrap_err();
    assert_eq!(wrong, [("/three/1".to_owned(), Mistake::Empty)]);
    let fields = FormData::of(&[("#/three", "0"), ("#/values", "3"), ("/values/0", "7")]);
    let text = form("lists", Given::Fields(&fields)).arguments().unwrap().compact();
    assert_eq!(text, r#"{"points":[],"three":[],"values":[7]}"#);
}

#[test]
fn a_list_grows_and_shrinks_by_its_buttons() {
    let first = form("lists", Given::Nothing);
    let mut fields = fields(&html(&first));
    let mut press = |button: &str| {
        let edit = Edit::parse(button).unwrap();
        edit.apply(&mut fields);
        let interface = interface();
        let (_, found) = interface.function("lists").unwrap();
        html(&Form::of(found, types(&interface), Given::Fields(&fields), Some(&edit)))
    };
    let page = press("add:/points");
    assert!(
        page.contains("value=\"remove:/points/1\"") && page.contains("id=\"f/points/1\" tabindex=\"-1\" data-focus"),
        "{page}"
    );
    assert!(!press("remove:/points/0").contains("remove:/points/1"));
    assert!(!press("remove:/points/0").contains("remove:/points/0"));
}

#[test]
fn an_element_that_was_added_has_all_of_its_controls() {
    const HEADER: &str =
        "struct p { float m[4]; union { int a; float b; }; };\nint f(_In_reads_(n) const struct p *ps, int n);";
    let interface = read(&[Source { name: "a.h", text: HEADER.as_bytes() }], &Options::new(Target::Win32)).interface;
    let mut fields = FormData::of(&[("#/ps", "0")]);
    let edit = Edit::parse("add:/ps").unwrap();
    edit.apply(&mut fields);
    let page = html(&Form::of(&interface.functions[0], types(&interface), Given::Fields(&fields), Some(&edit)));
    for words in ["name=\"/ps/0/m/3\"", "name=\"|/ps/0#1\" value=\"0\" checked"] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn unions_without_names_are_chosen_each_by_itself() {
    const HEADER: &str = "struct s { struct { int x; union { int a; float b; }; }; union { int c; float d; union { int e; int g; }; }; };\n\
                          int f(const struct s *s);";
    let interface = read(&[Source { name: "a.h", text: HEADER.as_bytes() }], &Options::new(Target::Win32)).interface;
    let form = |given: Given<'_>| Form::of(&interface.functions[0], types(&interface), given, None);
    for members in [json!({"x": 1, "b": 2, "c": 3}), json!({"x": 1, "a": 2, "g": 3})] {
        let arguments = json!({"s": members});
        let json = Json::parse(&arguments.to_string()).unwrap();
        let page = html(&form(Given::Value(Some(&json))));
        let back = form(Given::Fields(&fields(&page))).arguments().unwrap().compact();
        assert_eq!(serde_json::from_str::<Value>(&back).unwrap(), arguments);
    }
}

#[test]
fn a_problem_is_written_beside_the_control_that_it_is_about() {
    let mut form = form("structures", Given::Nothing);
    assert_eq!(form.blame("/line/from/x", "too <large>").as_deref(), Some("f/line/from/x"));
    assert_eq!(form.blame("/odd", "two are given").as_deref(), Some("f/odd"));
    assert_eq!(form.blame("/odd/c", "no").as_deref(), Some("f/odd/c"), "an anonymous structure has no name of its own");
    assert_eq!(form.blame("/line/name/7", "x").as_deref(), Some("f/line/name"), "the nearest around it");
    assert_eq!((form.blame("/nothing", "x"), form.blame("/lines", "x"), form.blame("", "x")), (None, None, None));
    let page = html(&form);
    assert!(page.contains("too &#60;large&#62;") && page.contains("id=\"f/line/from/x\""), "{page}");
    let input = page.split("<input").find(|tag| tag.contains("id=\"f/line/from/x\"")).unwrap();
    assert!(
        input.contains("aria-invalid=\"true\"") && input.contains("aria-describedby=\"e/line/from/x h/line/from/x\""),
        "{input}"
    );
}

#[test]
fn a_page_is_bounded_however_large_the_types_are() {
    let members = (0..400).map(|n| format!("struct s{} a{n}, b{n}, c{n};", n % 4)).collect::<Vec<_>>().concat();
    let header = format!(
        "struct s0 {{ int a, b, c; }}; struct s1 {{ struct s0 x[9]; }}; struct s2 {{ struct s1 y[9]; }}; struct s3 {{ struct s2 z[9]; }};
         struct all {{ {members} }}; enum e {{ {} }}; int f(const struct all *a, enum e b, int long_names_{});",
        (0..3000).map(|n| format!("E{n}")).collect::<Vec<_>>().join(", "),
        "x".repeat(300),
    );
    let interface = read(&[Source { name: "a.h", text: header.as_bytes() }], &Options::new(Target::Win32)).interface;
    let form = Form::of(&interface.functions[0], types(&interface), Given::Nothing, None);
    let page = html(&form);
    assert!(form.is_cut && page.len() < 150_000, "{}", page.len());
}

proptest! {
    #[test]
    fn whatever_is_given_comes_back(
        text in "[^\r\0]{0,40}", wide in "[^\r\0]{0,40}", maybe in proptest::option::of("[^\r\0]{0,10}"),
        bytes in proptest::collection::vec(any::<u8>(), 0..90),
        big in any::<i64>(), huge in any::<u64>(), number in any::<f64>(), level in any::<i32>(),
        points in proptest::collection::vec(any::<(i32, i32)>(), 0..6), three in any::<[i16; 3]>(),
        values in proptest::collection::vec(any::<i32>(), 1..6),
    ) {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.encode(bytes);
        same("texts", json!({"s": text, "w": wide, "maybe": maybe, "password": text}));
        same("bytes", json!({"b": bytes, "m": level}));
        let number = if number.is_finite() { number } else { 0.5 };
        same("scalars", json!({"level": level, "small": 1, "big": big, "huge": huge, "f": 1, "d": number, "yes": true, "c": level}));
        let points: Vec<Value> = points.into_iter().map(|(x, y)| json!({"x": x, "y": y})).collect();
        same("lists", json!({"points": points, "three": three, "values": values}));
    }

    #[test]
    fn no_fields_make_it_fail(
        fields in proptest::collection::vec(
            ("[?#|*=]?(/(line|from|x|points|three|by|table|odd|n|both|name|0|1|99|\\.\\.\\.)){1,4}", "[0-9a-z{}\\[\\]\"-]{0,6}|null|json|value"), 0..20)
    ) {
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let fields = FormData::of(&pairs);
        for function in ["structures", "lists", "sort", "print", "trees"] {
            let form = form(function, Given::Fields(&fields));
            let _ = form.arguments().map(|json| serde_json::from_str::<Value>(&json.compact()).unwrap());
            prop_assert!(html(&form).len() < 200_000);
        }
    }
}
