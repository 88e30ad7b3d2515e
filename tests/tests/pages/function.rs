//! The page of a function: its form and its answers; and an export that is tried and kept.

use bridge32_tests::browser::hidden;
use bridge32_tests::client::Answer;
use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, Browser, Config, HOME, json};

const SOURCE: &str = r"
typedef struct { int x, y; } point;
API int Add(int a, int b) { return a + b; }
API unsigned Sum(const unsigned char *data, unsigned size) { unsigned sum = 0; while (size) sum += data[--size]; return sum; }
API int Area(const point *corners, int count, int colour) { int area = colour; while (count--) area += corners[count].x * corners[count].y; return area; }
API const char *Echo(const char *text) { return text; }
API int Fill(unsigned char *data, int size) { for (int i = 0; i < size; i++) data[i] = i; return size; }
API long long Large(long long value) { return value; }
API int Hidden(int a) { return a * 2; }
";

const HEADER: &str = "\
typedef struct { /** to the right */ int x; int y; } point;
enum colour { RED, GREEN = 7 };
/** Adds <b>two</b> numbers. @param a the <script>alert(1)</script> first @return a + b */
int Add(int a, int b);
unsigned Sum(_In_reads_bytes_(size) const unsigned char *data, unsigned size);
int Area(_In_reads_(count) const point *corners, int count, enum colour colour);
const char *Echo(const char *text);
int Fill(_Out_writes_bytes_(size) unsigned char *data, int size);
long long Large(long long value);
";

fn configure(config: &mut Config) {
    let file = Fixture::generated("paged", SOURCE).build(HOME);
    config.library("paged", file).declares(HEADER);
}

fn one() -> (Bridge, Browser) {
    let bridge = Bridge::start(configure);
    let browser = Browser::new(bridge.client());
    (bridge, browser)
}

fn address(function: &str) -> String {
    format!("/libraries/paged/functions/{function}")
}

#[track_caller]
fn has(page: &Answer, status: u16, texts: &[&str]) {
    assert_eq!(page.status, status, "{}", page.text);
    for text in texts {
        assert!(page.text.contains(text), "no {text} in {}", page.text);
    }
}

/// The tag of a control.
#[track_caller]
fn control<'a>(page: &'a Answer, id: &str) -> &'a str {
    let tag = page.text.split('<').find(|tag| tag.contains(&format!("id=\"{id}\"")));
    tag.unwrap_or_else(|| panic!("no {id} in {}", page.text))
}

#[test]
fn a_page_says_what_a_function_is_and_runs_nothing_that_its_header_says() {
    let (_bridge, mut browser) = one();
    let page = browser.open(&address("Add"));
    has(&page, 200, &["int Add(int a, int b);", "Adds ", "a + b", "-2147483648 to 2147483647"]);
    assert!(!page.text.contains("<script>alert") && !page.text.contains("<b>two"), "{}", page.text);
    assert!(page.text.len() < 200_000 && page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    has(&browser.open(&address("Adb")), 404, &["Did you mean <code>Add</code>?"]);
    has(&browser.open("/libraries/none/functions/Add"), 404, &["none"]);
}

#[test]
fn a_call_from_the_form_is_a_call_like_any_other() {
    let (bridge, mut browser) = one();
    let page = browser.submit(&address("Add"), &[("/a", "0x10"), ("/b", " 26 ")]);
    has(&page, 200, &["returned", "<code>42</code>", "in the library", "&#34;result&#34;: 42", "value=\"0x10\""]);
    let id = page.text.split("/calls/").nth(1).unwrap()[..36].to_owned();
    assert_eq!(bridge.client().get(&format!("/v1/calls/{id}")).ok()["function"], "Add");
    let later = browser.open(&address("Add"));
    has(&later, 200, &[&format!("href=\"/calls/{id}\""), "1 call in the last hour", "class=\"column\""]);
    let large = browser.submit(&address("Large"), &[("/value", "-9223372036854775808")]);
    has(&large, 200, &["<code>-9223372036854775808</code>"]);
    let hostile = browser.submit(&address("Echo"), &[("/text", "</pre><script>alert(1)</script>")]);
    has(&hostile, 200, &["&#60;/pre&#62;&#60;script&#62;"]);
    assert!(!hostile.text.contains("<script>alert"), "{}", hostile.text);
    has(&browser.submit(&address("Fill"), &[("/size", "20")]), 200, &["20 B", "0010  10 11 12 13"]);
}

#[test]
fn what_is_wrong_stands_beside_its_control_and_what_was_typed_stays() {
    let (_bridge, mut browser) = one();
    let page = browser.submit(&address("Add"), &[("/a", "99999999999"), ("/b", "twelve")]);
    has(&page, 422, &["argument_mismatch", "The library was not called.", "href=\"#f/a\"", "out of range"]);
    let tag = control(&page, "f/a");
    assert!(tag.contains("aria-invalid=\"true\"") && tag.contains("value=\"99999999999\""), "{tag}");
    assert!(control(&page, "f/b").contains("value=\"twelve\"") && page.text.contains("id=\"e/a\""));
    let missing = browser.submit(&address("Add"), &[("/a", "1"), ("/b", "")]);
    has(&missing, 422, &["`b` is missing"]);
    assert!(control(&missing, "f/b").contains("aria-invalid"));
    let digits = browser.submit(&address("Sum"), &[("=/data", "hex"), ("/data", "0g")]);
    has(&digits, 422, &["Nothing was called", "is no hexadecimal digit", "0g"]);
    let inner = [("#/corners", "1"), ("/corners/0/x", "1"), ("/corners/0/y", "y"), ("/colour", "RED")];
    let inner = browser.submit(&address("Area"), &inner);
    has(&inner, 422, &["href=\"#f/corners/0/y\""]);
    assert!(control(&inner, "f/corners/0/y").contains("aria-invalid=\"true\""));
}

#[test]
fn a_list_grows_without_scripts_and_is_sent_as_it_is() {
    let (_bridge, mut browser) = one();
    let fields = [("#/corners", "1"), ("/corners/0/x", "3"), ("/corners/0/y", "4"), ("/colour", "GREEN")];
    let grown = browser.submit(&address("Area"), &[&fields[..], &[("go", "add:/corners")]].concat());
    has(&grown, 200, &["name=\"/corners/1/x\"", "name=\"/corners/0/x\" value=\"3\"", "given by corners"]);
    let both = [
        ("#/corners", "2"),
        ("/corners/0/x", "3"),
        ("/corners/0/y", "4"),
        ("/corners/1/x", "5"),
        ("/corners/1/y", "6"),
    ];
    let called = browser.submit(&address("Area"), &[&both[..], &[("/colour", "GREEN")]].concat());
    has(&called, 200, &["<code>49</code>"]);
    let shrunk = browser.submit(&address("Area"), &[&both[..], &[("go", "remove:/corners/0")]].concat());
    has(&shrunk, 200, &["name=\"/corners/0/x\" value=\"5\""]);
    assert!(!shrunk.text.contains("/corners/1/x"));
    let text = browser.submit(&address("Area"), &[&fields[..], &[("go", "json")]].concat());
    has(&text, 200, &["name=\"arguments\"", "&#34;colour&#34;: &#34;GREEN&#34;"]);
    let json = "{\"corners\": [{\"x\": 1, \"y\": 1}], \"colour\": 0}";
    let back = browser.submit(&address("Area"), &[("as", "json"), ("arguments", json), ("go", "form")]);
    has(&back, 200, &["name=\"/corners/0/x\" value=\"1\""]);
    has(&browser.submit(&address("Area"), &[("as", "json"), ("arguments", json)]), 200, &["<code>1</code>"]);
    let wrong = browser.submit(&address("Area"), &[("as", "json"), ("arguments", "{\"corners\": 1}")]);
    has(&wrong, 422, &["id=\"arguments-error\"", "{&#34;corners&#34;: 1}"]);
    has(&browser.submit(&address("Area"), &[("as", "json"), ("arguments", "{\"a\"")]), 400, &["aria-invalid", "JSON"]);
}

/// A form with a file.
fn parts(fields: &[(&str, &str)], file: (&str, &[u8])) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--xx\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes());
    }
    let head = format!("--xx\r\ncontent-disposition: form-data; name=\"{}\"; filename=\"a.bin\"\r\n\r\n", file.0);
    [&body[..], head.as_bytes(), file.1, b"\r\n--xx--\r\n"].concat()
}

fn send(browser: &Browser, function: &str, body: Vec<u8>) -> Answer {
    let kind = "multipart/form-data; boundary=xx";
    browser.request("POST", &address(function)).header("accept", "text/html").body(kind, body).send()
}

#[test]
fn a_file_is_the_bytes_of_a_buffer_and_a_session_shows_that_the_form_is_ours() {
    let bridge = Bridge::start(|config| {
        config.key("all", &["call:*", "read", "adhoc", "manage"]);
        configure(config);
    });
    let mut browser = Browser::signed_in(bridge.client());
    let page = browser.open(&address("Sum"));
    has(&page, 200, &["enctype=\"multipart/form-data\"", "type=\"file\""]);
    let token = hidden(&page.text, "csrf");
    let file = [1, 2, 250, 0, 13, 10];
    let sent = send(&browser, "Sum", parts(&[("csrf", &token), ("=/data", "file"), ("/size", "")], ("/data", &file)));
    has(&sent, 200, &["<code>276</code>"]);
    let strange = send(&browser, "Sum", parts(&[("csrf", "wrong"), ("=/data", "file")], ("/data", &file)));
    has(&strange, 403, &["Nothing was done"]);
    let broken = send(&browser, "Sum", b"--xx\r\ncontent-disposition: form-data; name=\"csrf".to_vec());
    assert_eq!(broken.status, 403);
    let read_only = Bridge::start(|config| {
        config.key("reader", &["read", "manage"]);
        configure(config);
    });
    let page = Browser::signed_in(read_only.client()).open(&address("Sum"));
    has(&page, 200, &["It cannot be called from here", "disabled"]);
}

#[test]
fn an_export_is_tried_with_a_prototype_and_kept() {
    let (bridge, mut browser) = one();
    let page = browser.open("/libraries/paged/try?export=Hidden");
    has(&page, 200, &["No header declares it", "Hidden", "name=\"prototype\""]);
    has(&browser.open("/libraries/paged/try?export=Add"), 200, &["The header declares it", "/functions/Add\""]);
    let prototype = "int Twice(int a)";
    let fields = [("export", "Hidden"), ("ordinal", ""), ("prototype", prototype)];
    let wrong = browser
        .submit("/libraries/paged/try", &[("export", "Hidden"), ("prototype", "int Twice(\nint a;"), ("go", "read")]);
    has(&wrong, 422, &["line 1, column 10", "aria-invalid=\"true\"", "int a;"]);
    let read = browser.submit("/libraries/paged/try", &[&fields[..], &[("go", "read")]].concat());
    has(&read, 200, &["name=\"/a\"", "Keep the prototype", "/v1/libraries/paged/calls"]);
    // Enter in the form of the prototype.
    has(
        &browser.submit("/libraries/paged/try", &fields),
        200,
        &["name=\"/a\"", "What the function gives back is shown here"],
    );
    let called = browser.submit("/libraries/paged/try", &[&fields[..], &[("as", "form"), ("/a", "21")]].concat());
    has(&called, 200, &["<code>42</code>", "value=\"21\""]);
    let missing = browser.submit("/libraries/paged/try", &[&fields[..], &[("as", "form"), ("/a", "")]].concat());
    has(&missing, 422, &["href=\"#f/a\""]);
    let kept = browser.submit("/libraries/paged/try", &[&fields[..], &[("go", "keep")]].concat());
    assert_eq!(
        (kept.status, kept.header("location")),
        (303, Some("/libraries/paged/functions/Twice")),
        "{}",
        kept.text
    );
    assert_eq!(bridge.call("paged", "Twice", json!({"a": 4})).result(), 8);
    assert_eq!(bridge.call("paged", "Add", json!({"a": 4, "b": 1})).result(), 5, "what was declared stays");
    has(&browser.open("/libraries/paged/functions/Twice"), 200, &["int Twice(int a);"]);
}

#[test]
fn strange_forms_are_answered_and_break_nothing() {
    let (bridge, mut browser) = one();
    let strange = [("/nothing", "1"), ("#/a", "99999999999999999999"), ("?/a", "json"), ("/a", "{"), ("/a", "2")];
    assert_eq!(browser.submit(&address("Add"), &strange).status, 422);
    has(&browser.submit(&address("Area"), &[("#/corners", "4000000000")]), 422, &[]);
    let many: Vec<(String, String)> = (0..6000).map(|n| (format!("/x{n}"), String::new())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    has(&browser.submit(&address("Add"), &many), 400, &["more than 5000 fields"]);
    let long = "7".repeat(1 << 20);
    assert_eq!(browser.submit(&address("Add"), &[("/a", &long)]).status, 422);
    let json =
        browser.request("POST", &address("Add")).header("accept", "text/html").body("application/json", "{}").send();
    has(&json, 400, &["application/x-www-form-urlencoded"]);
    assert_eq!(bridge.call("paged", "Add", json!({"a": 4, "b": 1})).result(), 5);
}
