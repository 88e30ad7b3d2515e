//! Places of values that make no sense.

use crate::config::load;
use crate::config::tests::written;

const OFF: &str = "[auth]\nmode='off'\n";

fn told(files: &[(&str, &str)], variables: &[(&str, &str)]) -> String {
    let (_folder, main) = written(files);
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(&main, variables).unwrap_err().to_string()
}

#[test]
fn a_line_is_told_whatever_form_the_key_has() {
    for (text, expected) in [
        ("[library.a]\nfile='a'\n\nthreads=0", ":6: library.a.threads: "),
        ("[library.a]\nfile='a'\n[library.a.instances]\nmin=1\nmax=0", ":7: library.a.instances.max: "),
        ("[library.a]\nfile='a'\ninstances={min=1,\n max=0}", ":6: library.a.instances.max: "),
        ("[library]\na.file='a'\na.deadline='5'", ":5: library.a.deadline: "),
        ("[library.\"a.b\"]\nfile='a'\ndeadline='5'", ":5: library.a.b.deadline: "),
        ("[library.a]\nfile='a'\n[library.\"a.b\"]\nfile='a'\ndeadline='5'", ":7: library.a.b.deadline: "),
        ("# é\n\n[library.a]\nheader='a.h'", ":5: library.a.file: is missing"),
        ("[history]\nmax_outcomes=0", ":4: history.max_outcomes: "),
    ] {
        let text = told(&[("bridge32.toml", &format!("{OFF}{text}"))], &[]);
        assert!(text.contains(&format!("bridge32.toml{expected}")), "{text}");
    }
}

#[test]
fn the_file_is_the_one_that_says_so() {
    let main = format!("include=['one.toml','two.toml']\n{OFF}");
    let files = [
        ("bridge32.toml", main.as_str()),
        ("one.toml", "[library.a]\nfile='a'\n"),
        ("two.toml", "\n[library.b]\nfile='b'\ndeadline='5'\n"),
    ];
    let text = told(&files, &[]);
    assert!(text.contains("two.toml:4: library.b.deadline: "), "{text}");
    let files = [("bridge32.toml", main.as_str()), ("one.toml", "\nmax_body=1"), ("two.toml", "\n\nmax_body=2")];
    let text = told(&files, &[]);
    assert!(text.contains("two.toml:3: max_body: is said in "), "{text}");
}

#[test]
fn a_value_of_the_environment_is_told_by_its_variable() {
    let main = format!("{OFF}[library.a]\nfile='a'\ndeadline='5s'\nstartup='x'");
    let set = [("BRIDGE32_LIBRARY__A__DEADLINE", "5")];
    let text = told(&[("bridge32.toml", &main.replace("startup='x'", ""))], &set);
    assert!(text.starts_with("environment variable BRIDGE32_LIBRARY__A__DEADLINE: library.a.deadline: "), "{text}");
    // Another key of the same table is still the file's.
    let text = told(&[("bridge32.toml", &main)], &[("BRIDGE32_LIBRARY__A__DEADLINE", "6s")]);
    assert!(text.contains("bridge32.toml:6: library.a.startup: "), "{text}");
    // Nor does a variable that sets a table set what is not in it.
    let text = told(&[("bridge32.toml", &main)], &[("BRIDGE32_LIBRARY__A", "{deadline='6s'}")]);
    assert!(text.contains("bridge32.toml:6: library.a.startup: "), "{text}");
    let text = told(&[("bridge32.toml", &main)], &[("BRIDGE32_LIBRARY__A", "{startup='y'}")]);
    assert!(text.starts_with("environment variable BRIDGE32_LIBRARY__A: library.a.startup: "), "{text}");
}

#[test]
fn what_no_file_says_has_no_line() {
    let text = told(&[("bridge32.toml", "listen='0.0.0.0:80'")], &[]);
    assert!(text.contains("bridge32.toml:1: listen: "), "{text}");
    let text = told(&[("bridge32.toml", "[tls]\nkey='k'")], &[]);
    assert!(text.contains("bridge32.toml:1: tls.certificate: is missing"), "{text}");
}
