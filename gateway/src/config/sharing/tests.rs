//! What libraries of one process have in common, and which names are free.

use super::super::Running;
use super::super::tests::{load_text, message};

fn group(a: &str, b: &str) -> String {
    format!("[library.a]\nfile='a'\ngroup='g'\n{a}\n[library.b]\nfile='b'\ngroup='g'\n{b}\n[library.c]\nfile='c'")
}

#[test]
fn libraries_of_a_group_have_what_one_of_them_says() {
    let said = "instances={max=4}\nstandby=1\nstartup='9s'\ndrain='8s'\nrecycle={max_calls=7}\nthreads=2\nqueue=5";
    for (a, b) in [(said, ""), ("", said), (said, "standby=1\nrecycle={max_handles=100}")] {
        let libraries = load_text(&group(a, b)).unwrap().libraries;
        let (a, b) = (&libraries["a"].running, &libraries["b"].running);
        assert_eq!((a.instances, a.standby, a.startup, a.drain), (b.instances, b.standby, b.startup, b.drain));
        assert_eq!((a.instances.max, a.standby, a.startup.as_secs(), a.recycle), (4, 1, 9, b.recycle));
        assert_eq!(a.recycle.max_calls, Some(7));
        assert_eq!(a.threads + b.threads, 3, "threads are a library's own");
        assert_eq!(a.queue + b.queue, 1029, "and so is the queue");
        assert_eq!(libraries["c"].running, Running::default());
    }
}

#[test]
fn libraries_of_a_group_that_say_different_things_are_both_named() {
    for (a, b, key) in [
        ("instances=2", "instances=3", "instances"),
        ("standby=0", "standby=1", "standby"),
        ("startup='5s'", "startup='6s'", "startup"),
        ("drain='5s'", "drain='6s'", "drain"),
        ("recycle={max_age='1h'}", "recycle={max_age='61m'}", "recycle.max_age"),
        ("recycle={max_memory='1GiB'}", "recycle={max_memory='1GB'}", "recycle.max_memory"),
    ] {
        let text = message(&group(a, b));
        let expected =
            format!("library.b.{key}: library.a.{key} says something else, and the libraries of the group `g`");
        assert!(
            text.contains(&expected) && text.contains("say it in one of their tables, or the same in all"),
            "{text}"
        );
    }
    assert!(load_text(&group("startup='60s'", "startup='1m'")).is_ok(), "that is the same");
    assert!(message(&group("threads=64", "threads=65")).contains("65 is not possible"));
    let text = format!("{}\ngroup='g'", group("threads=64", "threads=64"));
    assert!(message(&text).contains("library.c.threads: the libraries of the process `g` have more than 128 threads"));
}

fn two(first: &str, second: &str) -> String {
    format!("[library.a]\nfile='a'\n{first}\n[library.b]\nfile='b'\n{second}")
}

#[test]
fn agents_of_others_are_a_list_and_who_shares_one_shares_all() {
    let config = load_text(&two("agent=['p','q']", "agent=['p','q']\nrecycle={max_calls=3}")).unwrap();
    let a = &config.libraries["a"];
    assert_eq!((a.agents.as_slice(), a.running.instances.max), (&["p".to_owned(), "q".to_owned()][..], 2));
    assert_eq!(a.running.recycle.max_calls, Some(3), "they share processes");
    assert_eq!(load_text(&two("agent='p'", "")).unwrap().libraries["a"].agents, ["p"]);
    for (first, second, expected) in [
        ("agent=[]", "", "library.a.agent: is an empty list: leave it out"),
        ("agent=['p','p']", "", "library.a.agent: `p` is there twice"),
        ("agent=['p','b']", "", "`b` is an agent that the gateway starts itself"),
        ("agent=['p','q r']", "", "`q r` is no name"),
        ("agent=['p']", "agent=['q','p']", "library.b.agent: `p` also runs `a`, where the list is [\"p\"]"),
        ("agent='p'", "fallback=[{agent=['p','q']}]", "library.b.fallback.agent: `p` also runs `a`"),
        ("agent='p'\ninstances=2", "", "library.a.instances: is for agents that the gateway starts"),
        ("agent='p'\nstandby=1", "", "library.a.standby: is for agents that the gateway starts"),
        ("agent='p'\ndrain='2s'", "agent='p'\ndrain='3s'", "the libraries of the agent `p` share a process"),
    ] {
        let text = message(&two(first, second));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn no_name_is_that_of_a_further_process() {
    for (text, expected) in [
        (two("agent='b.2'", ""), "library.a.agent: `b.2` is the name of a further process of `b`"),
        (
            two("group='g'", "group='g.3'"),
            "library.b.group: `g.3` is the name of a further process of `g`: choose another",
        ),
        (two("", "fallback=[{agent='a.17'}]"), "library.b.fallback.agent: `a.17`"),
        ("[library.'g.2']\nfile='a'\n[library.b]\nfile='b'\ngroup='g'".to_owned(), "library.g.2: `g.2` is the name"),
    ] {
        let text = message(&text);
        assert!(text.contains(expected), "{text}");
    }
    for free in ["x.2", "b.1", "b.02", "b.x", "b.", "b.2.0"] {
        assert!(load_text(&two(&format!("agent='{free}'"), "")).is_ok(), "{free}");
    }
}
