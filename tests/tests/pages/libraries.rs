//! The list of libraries, the pages of one, and the search.

use std::path::{Path, PathBuf};

use bridge32_tests::client::Answer;
use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::{Bridge, Browser, Config, HOME, Target};

/// Exports whose names are markup, and Chinese, and long.
fn hostile() -> PathBuf {
    let long = "x".repeat(300);
    let names = ["<script>alert(1)</script>", "\\\\\\\"><img src=x onerror=alert(1)>", "读卡器", &long];
    let export = |name: &str| format!(".globl \\\"{name}\\\"\\n.set \\\"{name}\\\", Plain\\n");
    let exports: String = names.into_iter().map(export).collect();
    let source = format!("API int Plain(int a) {{ return a; }}\n__asm__(\"{exports}\");\n");
    Fixture::generated("hostile", &source).build(HOME)
}

/// A page that is there.
#[track_caller]
fn page(browser: &mut Browser, address: &str) -> String {
    let answer = browser.open(address);
    assert_eq!(answer.status, 200, "{address}: {}", answer.text);
    assert!(answer.header("content-security-policy").unwrap().contains("script-src 'self'"));
    answer.text
}

#[track_caller]
fn has(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "no {text} in {page}");
    }
}

#[track_caller]
fn leads_to(answer: &Answer, place: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, Some(place)), "{}", answer.text);
}

fn one(header: &str) -> (Bridge, Browser) {
    let bridge = Bridge::start(|config| {
        config.library("exports", Fixture::new("exports").build(HOME)).declares(header);
    });
    let browser = Browser::new(bridge.client());
    (bridge, browser)
}

#[test]
fn the_list_says_how_each_library_fares_and_without_one_how_to_add_it() {
    let bridge = Bridge::start(|_| {});
    let empty = page(&mut Browser::new(bridge.client()), "/libraries");
    has(&empty, &["bridge32 import vendor.dll", "action=\"/configuration/reload\""]);
    let bridge = Bridge::start(|config| {
        config.library("scalars", fixture::library("scalars", HOME)).header(fixture::header("scalars"));
        config.library("gone", "/nowhere/gone.so");
    });
    let list = page(&mut Browser::new(bridge.client()), "/libraries");
    has(&list, &["href=\"/libraries/scalars\"", "linux32", "ready", "/nowhere/gone.so", "failed"]);
}

#[test]
fn a_library_is_shown_with_its_functions_and_what_is_wrong_first() {
    let header = "/** Gives it back. Twice. */ int Plain(int a);\nint Absent(void);\nint f(unknown_t a);\n";
    let (_bridge, mut browser) = one(header);
    let functions = page(&mut browser, "/libraries/exports");
    has(&functions, &["id=\"problems\"", "Gives it back", "/libraries/exports/functions/Plain", "int Plain(int a)"]);
    has(&functions, &["SHA-256", "Linux (ELF)", "href=\"/agents/exports\"", "not callable"]);
    assert!(functions.find("id=\"problems\"") < functions.find("<dl class=\"facts\">"));
    let uncallable = page(&mut browser, "/libraries/exports?show=uncallable");
    assert!(uncallable.contains("functions/Absent") && !uncallable.contains("functions/Plain"), "{uncallable}");
    let found = page(&mut browser, "/libraries/exports?q=TWICE");
    assert!(found.contains("functions/Plain") && !found.contains("functions/Absent"), "{found}");
    has(&page(&mut browser, "/libraries/exports?q=nothing-has-this"), &["No function fits"]);
    assert_eq!(browser.open("/libraries/exports?from=x").status, 400);
    assert_eq!(browser.open("/libraries/nothere").status, 404);
}

#[test]
fn every_kind_of_export_leads_to_what_can_be_done_with_it() {
    let bridge = Bridge::start(|config| {
        let file = Fixture::new("exports").flag("-DAPI=").definitions("exports.def").build(Target::Win32);
        config.library("dll", file).declares("int Plain(int a); int __stdcall Std(int a, int b);");
    });
    let mut browser = Browser::new(bridge.client());
    let all = page(&mut browser, "/libraries/dll/exports");
    has(&all, &["/libraries/dll/functions/Plain", "/libraries/dll/functions/Std", "_Std@8", "__stdcall, 8 B"]);
    has(&all, &["/libraries/dll/try?ordinal=11", "by ordinal only", "kernel32.GetTickCount"]);
    has(&all, &["/libraries/dll/try?export=Forwarded", "mangled(int)", "int __cdecl Add(int, int)"]);
    assert!(!all.contains("try?export=Table"), "data cannot be called: {all}");
    let only = |show: &str, browser: &mut Browser| page(browser, &format!("/libraries/dll/exports?show={show}"));
    let forwarded = only("forwarded", &mut browser);
    assert!(forwarded.contains("GetTickCount") && !forwarded.contains("_Std@8"), "{forwarded}");
    let data = only("data", &mut browser);
    assert!(data.contains(">Table<") && !data.contains("GetTickCount"), "{data}");
    assert!(!only("declared", &mut browser).contains("GetTickCount"));
    assert!(!only("undeclared", &mut browser).contains("functions/Plain"));
    let found = page(&mut browser, "/libraries/dll/exports?q=MANGLED");
    assert!(found.contains("mangled(int)") && !found.contains("_Std@8"), "{found}");
    let dependencies = page(&mut browser, "/libraries/dll/dependencies");
    has(&dependencies, &["KERNEL32.dll", "loaded", "the file itself"]);
}

#[test]
fn names_and_comments_that_are_markup_are_shown_and_not_obeyed() {
    let header = "/** <script>alert(2)</script> does <b>it</b>. */\nint Plain(const char *a);\n";
    let bridge = Bridge::start(|config| {
        config.library("hostile", hostile()).declares(header);
    });
    let mut browser = Browser::new(bridge.client());
    for address in [
        "/libraries",
        "/libraries/hostile",
        "/libraries/hostile/exports",
        "/libraries/hostile/interface",
        "/libraries/hostile/interface/edit",
        "/libraries/hostile/exports?q=%3Cscript%3E&show=%22%3E%3Cb%3E",
        "/libraries/hostile?q=%22%3E%3Cimg%20src%3Dx%3E",
        "/libraries/hostile/interface?about=%3Cimg%20src%3Dx%3E&file=%3Cb%3E",
        "/search?q=alert",
        "/search?q=%3Cimg%20src%3Dx%3E",
    ] {
        let page = page(&mut browser, address);
        for tag in ["<script>alert", "<img", "<b>"] {
            assert!(!page.contains(tag), "{tag} on {address}: {page}");
        }
    }
    let exports = page(&mut browser, "/libraries/hostile/exports");
    has(&exports, &["alert(1)", "读卡器", "export=%3Cscript%3Ealert%281%29%3C%2Fscript%3E"]);
    let long = "x".repeat(300);
    assert!(exports.contains(&format!("title=\"{long}\"")) && !exports.contains(&format!(">{long}<")), "{exports}");
    has(&page(&mut browser, "/search?q=%E8%AF%BB"), &["读卡器", "/libraries/hostile/try?export=%E8%AF%BB"]);
}

#[test]
fn what_was_assumed_leads_to_the_line_and_says_how_to_confirm_it() {
    let (_bridge, mut browser) = one("/* one */\nint Plain(int a);\nint Absent(int *values);\n");
    let interface = page(&mut browser, "/libraries/exports/interface");
    has(&interface, &["Absent(values)", "line=3#L3", "_Inout_", "<li id=\"L3\">int Absent(int *values);</li>"]);
    let about = page(&mut browser, "/libraries/exports/interface?about=Plain");
    assert!(!about.contains("Absent(values)") && about.contains("Plain"), "{about}");
}

#[test]
fn a_header_is_replaced_and_a_wrong_one_is_kept_in_the_form() {
    let (bridge, mut browser) = one("int Plain(int a);");
    let form = page(&mut browser, "/libraries/exports/interface/edit");
    has(&form, &["int Plain(int a);</textarea>", "name=\"accept_errors\""]);
    let wrong = "int Plain(int a);\r\nint broken(unknown_t;\r\n";
    let answer = browser.submit("/libraries/exports/interface", &[("header", wrong)]);
    assert_eq!(answer.status, 422, "{}", answer.text);
    has(&answer.text, &["int broken(unknown_t;", "aria-invalid=\"true\"", "aria-describedby=\"header-error\""]);
    has(&answer.text, &["Nothing has changed"]);
    let good = "/* by hand */\r\nint Plain(int value);\r\n";
    let answer = browser.submit("/libraries/exports/interface", &[("header", good)]);
    leads_to(&answer, "/libraries/exports/interface");
    let interface = page(&mut browser, "/libraries/exports/interface");
    has(&interface, &["A header that was sent is in force", "int Plain(int value);"]);
    leads_to(&browser.submit("/libraries/exports/interface/restore", &[]), "/libraries/exports/interface");
    assert!(!page(&mut browser, "/libraries/exports/interface").contains("A header that was sent"));
    // What the form was filled with is what is configured.
    let answer = browser.submit("/libraries/exports/interface", &[("header", "int Plain(int a);")]);
    leads_to(&answer, "/libraries/exports/interface");
    assert!(!page(&mut browser, "/libraries/exports/interface").contains("A header that was sent"));
    drop(bridge);
}

fn put(file: &Path, place: &Path) {
    let new = place.with_extension("new");
    std::fs::copy(file, &new).unwrap();
    std::fs::rename(new, place).unwrap();
}

#[test]
fn a_reload_tells_what_has_changed_or_why_nothing_has() {
    let version = |number: u32| {
        let source = format!("API int Version(void) {{ return {number}; }}\n");
        Fixture::generated(&format!("page_version{number}"), &source).build(HOME)
    };
    let mut config = Config::new();
    let file = config.folder().join("v.so");
    put(&version(1), &file);
    config.library("v", &file).declares("int Version(void);").set("deadline", "7s");
    let bridge = Bridge::with(config);
    let mut browser = Browser::new(bridge.client());
    let settings = page(&mut browser, "/libraries/v/settings");
    has(&settings, &["&#34;7s&#34;", "deadline", "instances", "Reload this library"]);
    put(&version(2), &file);
    has(&page(&mut browser, "/libraries/v"), &["is another file now than the one that is loaded"]);
    leads_to(&browser.submit("/libraries/v/reload", &[]), "/libraries/v/settings#reload");
    let settings = page(&mut browser, "/libraries/v/settings");
    has(&settings, &["Reloaded", "SHA-256 of the file", "as before", "→"]);
    std::fs::write(file.with_extension("new"), "this is no library").unwrap();
    std::fs::rename(file.with_extension("new"), &file).unwrap();
    leads_to(&browser.submit("/libraries/v/reload", &[]), "/libraries/v/settings#reload");
    let settings = page(&mut browser, "/libraries/v/settings");
    has(&settings, &["The last reload failed", "Nothing has changed"]);
    assert_eq!(bridge.call("v", "Version", bridge32_tests::json!({})).result(), 2);
    leads_to(&browser.submit("/configuration/reload", &[]), "/libraries#configuration");
    has(&page(&mut browser, "/libraries"), &["id=\"reload\"", "notice"]);
}

#[test]
fn only_who_may_manage_is_offered_what_changes_something() {
    let bridge = Bridge::start(|config| {
        config.key("reader", &["read"]);
        config.library("exports", Fixture::new("exports").build(HOME)).declares("int Plain(int a);");
    });
    // A key signs the request by itself.
    let answer = bridge.client().get("/libraries/exports/settings");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains("Reload this library"), "{}", answer.text);
    for address in ["/libraries/exports/reload", "/configuration/reload", "/libraries/exports/interface/restore"] {
        bridge.client().request("POST", address).send().refused(403, "forbidden");
    }
    bridge.client().get("/libraries/exports/interface/edit").refused(403, "forbidden");
}

#[test]
fn the_search_finds_what_has_a_name_and_leads_to_a_call() {
    let (_bridge, mut browser) = one("/** Gives it back. */ int Plain(int a);");
    has(&page(&mut browser, "/search"), &["A part of a name finds"]);
    let found = page(&mut browser, "/search?q=plai");
    has(&found, &["/libraries/exports/functions/Plain", "Gives it back"]);
    has(&page(&mut browser, "/search?q=exports"), &["href=\"/libraries/exports\"", "href=\"/agents/exports\""]);
    has(&page(&mut browser, "/search?q=mangled%28int"), &["_Z7mangledi", "/libraries/exports/try?export=_Z7mangledi"]);
    has(&page(&mut browser, "/search?q=nothing-has-this"), &["Nothing has"]);
    let id = "0192f0c1-2345-7890-abcd-0123456789ab";
    leads_to(&browser.open(&format!("/search?q={id}")), &format!("/calls/{id}"));
}
