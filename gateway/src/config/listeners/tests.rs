//! Which listeners are allowed, and what is said of the others.

use super::*;
use crate::config::load;

const TLS: &str = "[tls]\ncertificate='c.pem'\nkey='k.pem'\n";

fn listeners(text: &str) -> Result<Listeners, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge32.toml");
    std::fs::write(&file, text).unwrap();
    load(&file, []).map(|loaded| loaded.config.listeners)
}

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let message = listeners(text).unwrap_err().to_string();
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn several_addresses_are_listened_on_with_tls_or_without() {
    let found =
        listeners(&format!("listen=['127.0.0.1:8032', 'https://[::]:8443', 'http://[::1]:1/']\n{TLS}")).unwrap();
    let written: Vec<String> = found.listen.iter().map(Listen::to_string).collect();
    assert_eq!(written, ["127.0.0.1:8032", "https://[::]:8443", "[::1]:1"]);
    assert!(found.tls_in_use().unwrap().key.is_absolute());
    assert_eq!(listeners("").unwrap().listen, [Listen::parse(DEFAULT_LISTEN).unwrap()]);
}

#[test]
fn what_is_no_list_of_addresses_is_told() {
    for text in ["localhost:80", "127.0.0.1", "ftp://127.0.0.1:21", "https://bridge.example.com", ""] {
        refused(&format!("listen='{text}'"), &[&format!("listen: `{text}` is not an address and a port"), "https://"]);
    }
    refused("listen=[]", &["listen: is an empty list"]);
    refused(&format!("listen=['127.0.0.1:1','https://127.0.0.1:1']\n{TLS}"), &["127.0.0.1:1 is there twice"]);
    assert_eq!(listeners("listen=['127.0.0.1:0','127.0.0.1:0']").unwrap().listen.len(), 2);
    refused("max_connections=0", &["max_connections: 0 would answer nobody"]);
}

#[test]
fn a_plain_listener_for_other_machines_is_refused_with_both_remedies() {
    for address in ["0.0.0.0:80", "192.0.2.1:8032", "[::]:8032"] {
        refused(&format!("listen='{address}'"), &[address, &format!("\"https://{address}\""), "behind_proxy = true"]);
        assert!(listeners(&format!("listen='{address}'\nbehind_proxy=true")).is_ok());
        assert!(listeners(&format!("listen='https://{address}'\n{TLS}")).is_ok());
    }
    assert!(listeners("listen=['127.0.0.7:1','[::1]:1']").is_ok());
}

#[test]
fn tls_needs_both_files() {
    refused("listen='https://127.0.0.1:1'", &["https://127.0.0.1:1 needs a certificate", "[tls]"]);
    refused("[tls]\ncertificate='c.pem'", &["tls.key: is missing"]);
    refused("[tls]\nkey='k.pem'", &["tls.certificate: is missing"]);
    assert_eq!(listeners(TLS).unwrap().remarks().len(), 1);
}

#[test]
fn without_signatures_nobody_else_may_reach_a_listener() {
    let off = "[auth]\nmode='off'\n";
    for (text, words) in [
        (format!("listen=['127.0.0.1:1','https://0.0.0.0:2']\n{TLS}{off}"), "https://0.0.0.0:2 can be reached"),
        (format!("listen='0.0.0.0:2'\nbehind_proxy=true\n{off}"), "0.0.0.0:2 can be reached"),
        (format!("behind_proxy=true\n{off}"), "behind_proxy says"),
        (format!("public_urls='https://b.example'\n{off}"), "https://b.example"),
    ] {
        refused(&text, &["auth.mode: \"off\"", words, "hmac"]);
    }
    assert!(listeners(&format!("listen='https://127.0.0.1:1'\n{TLS}{off}")).is_ok());
}

#[test]
fn an_origin_is_a_scheme_and_an_authority_and_nothing_else() {
    for (text, same) in [
        ("https://Bridge.Example.com", "https://bridge.example.com"),
        ("https://bridge.example.com:443/", "https://bridge.example.com"),
        ("http://[::1]:8032", "http://[::1]:8032"),
        ("HTTPS://b.example:8443", "https://b.example:8443"),
    ] {
        assert_eq!(Origin::parse(text).unwrap().to_string(), same);
    }
    for text in [
        "bridge.example.com",
        "https://",
        "https://b.example/path",
        "https://b.example?q",
        "https://b.example#f",
        "https://user@b.example",
        "https://b.example:",
        "https://b.example:70000",
        "https://*.example",
        "ftp://b.example",
        "null",
        "*",
    ] {
        assert_eq!(Origin::parse(text), None, "{text}");
    }
    refused("cors_origins=['*']", &["cors_origins: `*`", "no wildcards"]);
    refused("public_urls=['b.example']", &["public_urls: `b.example`", "a scheme, a host"]);
    let origin = Origin::parse("https://b.example").unwrap();
    assert!(origin.has_authority("B.example") && origin.has_authority("b.example:443"));
    assert!(!origin.has_authority("b.example:80") && !origin.has_authority("b.example.evil.example"));
}

#[test]
fn clients_are_told_urls_that_can_be_called() {
    for (bound, named) in [
        ("0.0.0.0:8032", "http://127.0.0.1:8032"),
        ("[::]:8032", "http://[::1]:8032"),
        ("https://192.0.2.7:443", "https://192.0.2.7"),
        ("https://[2001:db8::7]:80", "https://[2001:db8::7]:80"),
    ] {
        assert_eq!(Listen::parse(bound).unwrap().origin().to_string(), named);
    }
    let shown = |text: &str| {
        let found = listeners(text).unwrap();
        let urls = found.urls().iter().map(Origin::to_string).collect::<Vec<_>>().join(" ");
        (urls, found.local_url().unwrap().to_string())
    };
    let names = "public_urls='https://b.example'";
    let (urls, local) = shown(&format!("listen=['https://0.0.0.0:8443','127.0.0.1:8032']\n{names}\n{TLS}"));
    assert_eq!(urls, "https://b.example https://127.0.0.1:8443 http://127.0.0.1:8032");
    assert_eq!(local, "http://127.0.0.1:8032");
    assert_eq!(shown(&format!("listen='https://0.0.0.0:8443'\n{names}\n{TLS}")).1, "https://b.example");
}

#[test]
fn the_environment_can_say_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge32.toml");
    std::fs::write(&file, "listen='127.0.0.1:8032'").unwrap();
    let variables = [
        ("BRIDGE32_LISTEN", "['127.0.0.1:1', 'https://[::]:2']"),
        ("BRIDGE32_TLS__CERTIFICATE", "c.pem"),
        ("BRIDGE32_TLS__KEY", "k.pem"),
        ("BRIDGE32_PUBLIC_URLS", "https://b.example"),
        ("BRIDGE32_CORS_ORIGINS", "['https://a.example', 'https://c.example']"),
        ("BRIDGE32_BEHIND_PROXY", "true"),
        ("BRIDGE32_MAX_CONNECTIONS", "7"),
        ("BRIDGE32_CACERT", "of a client"),
    ];
    let loaded = load(&file, variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let found = loaded.config.listeners;
    assert_eq!((found.listen.len(), found.cors_origins.len(), found.max_connections), (2, 2, 7));
    assert_eq!(found.tls.unwrap().certificate, folder.path().join("c.pem"));
    assert!(found.behind_proxy && found.public_urls[0].authority == "b.example");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}
