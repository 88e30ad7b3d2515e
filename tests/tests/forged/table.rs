//! The table of forged requests: what is wrong with each, the code of its refusal, the request.

use bridge32_tests::base64;
use sha2::{Digest as _, Sha256};

use super::request::{BODY, ECHO, Raw, Signer, digest, now};

/// Refused before the signature is looked at, or after the connection was closed.
pub(super) const WHATEVER: &str = "";
const MISSING: &str = "signature_missing";
const INVALID: &str = "signature_invalid";
const EXPIRED: &str = "signature_expired";
const MISMATCH: &str = "digest_mismatch";
const UNKNOWN: &str = "unknown_key";

type Row = (&'static str, &'static str, Raw);

/// Requests that look unusual and are right.
pub(super) fn genuine(signer: &Signer) -> Vec<(&'static str, Raw)> {
    vec![
        ("as usual", signer.good()),
        ("in chunks", signer.good().chunked("c\r\n{\"value\": 5}\r\n0\r\n\r\n")),
        (
            "path and query",
            signer.signed(|draft| draft.components.splice(2..3, ["\"@path\"", "\"@query\""]).for_each(drop)),
        ),
        ("a query", signer.signed(|draft| draft.request.target = format!("{ECHO}?"))),
        ("until it expires", signer.signed(|draft| draft.set("expires", (now() + 100).to_string()))),
        ("other parameters", signer.signed(|draft| draft.set("tag", "\"a tag\";more=1.5;flag=?0"))),
        ("in its own order", signer.signed(|draft| (draft.components.reverse(), draft.parameters.reverse()).0)),
        ("spaces between", signer.good().replace("signature-input", "\" \"", "\"   \"")),
        (
            "a proxy's signature beside it",
            signer.good().add("signature-input", "p=(\"@method\");keyid=\"proxy\"").add("signature", "p=:AAAA:"),
        ),
        ("covered headers", signer.signed(|draft| draft.components.extend(["\"content-type\"", "\"content-length\""]))),
        ("lower and upper case of a header's name", signer.good().remove("none").add("X-Unsigned", "1")),
    ]
}

/// All of them.
pub(super) fn forged(signer: &Signer, other: &Signer) -> Vec<Row> {
    let tables = [absent(signer), twice(signer), keys(signer, other), parameters(signer), times(signer)];
    let more =
        [components(signer), messages(signer), bodies(signer), macs(signer, other), syntax(signer), http(signer)];
    tables.into_iter().chain(more).flatten().collect()
}

fn absent(signer: &Signer) -> Vec<Row> {
    let good = || signer.good();
    vec![
        ("no signature at all", MISSING, good().remove("signature").remove("signature-input")),
        ("no Signature-Input", MISSING, good().remove("signature-input")),
        ("no Signature", MISSING, good().remove("signature")),
        ("both empty", MISSING, good().edit("signature", |_| String::new()).edit("signature-input", |_| String::new())),
        ("an empty Signature", INVALID, good().edit("signature", |_| String::new())),
        ("no Content-Digest", INVALID, good().remove("content-digest")),
        ("the signature as Authorization", MISSING, {
            let request = good();
            let value = format!("Signature {}", request.text("signature"));
            request.remove("signature").remove("signature-input").add("authorization", value)
        }),
    ]
}

fn twice(signer: &Signer) -> Vec<Row> {
    let double = |name: &str| {
        let request = signer.good();
        let value = request.text(name);
        request.add(name, value)
    };
    vec![
        ("Signature-Input twice", INVALID, double("signature-input")),
        ("Signature twice", INVALID, double("signature")),
        ("Content-Digest twice", INVALID, double("content-digest")),
        ("Host twice", WHATEVER, double("host")),
        ("another Host behind it", WHATEVER, signer.good().add("host", "evil.example")),
        ("Content-Length twice", WHATEVER, signer.good().add("content-length", "3")),
        ("a label twice in a line", INVALID, signer.good().edit("signature", |value| format!("{value}, sig1=:AAAA:"))),
        (
            "a digest twice, signed so",
            MISMATCH,
            signer.signed(|draft| {
                let request = draft.request.clone();
                draft.request = request.edit("content-digest", |value| format!("{value}, {value}"));
            }),
        ),
        ("created twice", INVALID, signer.signed(|draft| draft.parameters.push(("created", "1".into())))),
        ("keyid twice", INVALID, signer.signed(|draft| draft.parameters.insert(0, ("keyid", "\"other\"".into())))),
        ("nonce twice", INVALID, signer.signed(|draft| draft.parameters.push(("nonce", "\"second\"".into())))),
        ("a component twice", INVALID, signer.signed(|draft| draft.components.push("\"@method\""))),
    ]
}

fn keys(signer: &Signer, other: &Signer) -> Vec<Row> {
    let named = |id: &str| signer.signed(|draft| draft.set("keyid", id));
    vec![
        ("an empty keyid", INVALID, named("\"\"")),
        ("no keyid", INVALID, signer.signed(|draft| draft.unset("keyid"))),
        ("a keyid that is no string", INVALID, named("all")),
        ("an unknown key", UNKNOWN, named("\"nobody\"")),
        ("a keyid in another case", UNKNOWN, named("\"ALL\"")),
        ("a keyid with a space", UNKNOWN, named("\"all \"")),
        ("another key's name", INVALID, named("\"other\"")),
        ("another key's signature", INVALID, other.signed(|draft| draft.set("keyid", "\"all\""))),
        ("an agent's name", UNKNOWN, named("\"scalars\"")),
        ("a path for a name", UNKNOWN, named("\"../../etc/passwd\"")),
    ]
}

fn parameters(signer: &Signer) -> Vec<Row> {
    let with = |name: &'static str, value: &str| signer.signed(|draft| draft.set(name, value));
    let without = |name: &str| signer.signed(|draft| draft.unset(name));
    let good = || signer.good();
    vec![
        (
            "reordered",
            INVALID,
            good().edit("signature-input", |value| {
                let algorithm = ";alg=\"hmac-sha256\"";
                value.replace(algorithm, "").replace(";created", &format!("{algorithm};created"))
            }),
        ),
        ("one less", INVALID, good().replace("signature-input", ";alg=\"hmac-sha256\"", "")),
        ("one more", INVALID, good().edit("signature-input", |value| format!("{value};tag=\"x\""))),
        ("another algorithm", INVALID, with("alg", "\"rsa-pss-sha512\"")),
        ("no algorithm", INVALID, with("alg", "\"none\"")),
        ("an empty algorithm", INVALID, with("alg", "\"\"")),
        ("an algorithm in upper case", INVALID, with("alg", "\"HMAC-SHA256\"")),
        ("an algorithm that is no string", INVALID, with("alg", "hmac-sha256")),
        ("no nonce", INVALID, without("nonce")),
        ("an empty nonce", INVALID, with("nonce", "\"\"")),
        ("a nonce that is a number", INVALID, with("nonce", "5")),
        ("a long nonce", INVALID, with("nonce", &format!("\"{}\"", "n".repeat(257)))),
        ("another nonce", INVALID, good().replace("signature-input", "forged-", "forget-")),
        ("a tag that is no string", INVALID, with("tag", "5")),
        ("many parameters", INVALID, {
            let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
            signer.signed(|draft| draft.parameters.extend(names.map(|name| (name, "1".to_owned()))))
        }),
    ]
}

fn times(signer: &Signer) -> Vec<Row> {
    let with = |name: &'static str, value: &str| signer.signed(|draft| draft.set(name, value));
    let created = |seconds: i64| with("created", &(now() + seconds).to_string());
    vec![
        ("stale", EXPIRED, created(-400)),
        ("of the future", EXPIRED, created(400)),
        ("of long ago", EXPIRED, with("created", "-999999999999999")),
        ("of the far future", EXPIRED, with("created", "999999999999999")),
        ("no time", INVALID, signer.signed(|draft| draft.unset("created"))),
        ("a time that is a string", INVALID, with("created", &format!("\"{}\"", now()))),
        ("a time with a fraction", INVALID, with("created", &format!("{}.5", now()))),
        ("a time that is a date", INVALID, with("created", &format!("@{}", now()))),
        ("a time of 16 digits", INVALID, with("created", "1800000000000000")),
        ("a time of 400 digits", INVALID, with("created", &"9".repeat(400))),
        (
            "expired",
            EXPIRED,
            signer.signed(|draft| {
                draft.set("created", (now() - 20).to_string());
                draft.set("expires", (now() - 10).to_string());
            }),
        ),
        ("expired before it was created", INVALID, with("expires", "1")),
        ("an expiry that is no number", INVALID, with("expires", "never")),
        ("a later time", INVALID, signer.good().replace("signature-input", "created=1", "created=2")),
    ]
}

fn components(signer: &Signer) -> Vec<Row> {
    let without = |component: &str| signer.signed(|draft| draft.uncover(component));
    let with = |component: &'static str| signer.signed(|draft| draft.components.push(component));
    let instead = |old: &str, new: &'static str| {
        signer.signed(|draft| {
            draft.uncover(old);
            draft.components.push(new);
        })
    };
    vec![
        ("no method", INVALID, without("\"@method\"")),
        ("no authority", INVALID, without("\"@authority\"")),
        ("no target", INVALID, without("\"@target-uri\"")),
        ("no digest", INVALID, without("\"content-digest\"")),
        ("nothing", INVALID, signer.signed(|draft| draft.components.clear())),
        ("a path without a query", INVALID, instead("\"@target-uri\"", "\"@path\"")),
        ("Host for the authority", INVALID, instead("\"@authority\"", "\"host\"")),
        ("a digest by its member", INVALID, instead("\"content-digest\"", "\"content-digest\";key=\"sha-256\"")),
        ("a digest in strict form", INVALID, instead("\"content-digest\"", "\"content-digest\";sf")),
        ("a digest in binary form", INVALID, instead("\"content-digest\"", "\"content-digest\";bs")),
        ("a digest of the trailers", INVALID, instead("\"content-digest\"", "\"content-digest\";tr")),
        ("the method of another request", INVALID, instead("\"@method\"", "\"@method\";req")),
        ("a name in upper case", INVALID, instead("\"content-digest\"", "\"Content-Digest\"")),
        ("a component that there is not", INVALID, with("\"@everything\"")),
        ("a status", INVALID, with("\"@status\"")),
        ("its own parameters", INVALID, with("\"@signature-params\"")),
        ("a parameter of the query", INVALID, with("\"@query-param\";name=\"x\"")),
        ("a header that is not there", INVALID, with("\"x-absent\"")),
        ("a component that is no string", INVALID, with("content-type")),
        ("too many components", INVALID, signer.signed(|draft| draft.components.extend(["1"; 70]))),
    ]
}

fn messages(signer: &Signer) -> Vec<Row> {
    let good = || signer.good();
    let port = signer.authority.rsplit(':').next().unwrap_or_default();
    vec![
        ("another method", WHATEVER, good().by("PUT")),
        ("another method of the same route", INVALID, {
            let read = "/v1/libraries/scalars/interface";
            signer.signed(|draft| draft.request.target = read.into()).by("DELETE")
        }),
        ("another function", INVALID, good().to("/v1/libraries/scalars/functions/EchoShort")),
        ("a query", INVALID, good().to(format!("{ECHO}?x=1"))),
        ("an empty query", INVALID, good().to(format!("{ECHO}?"))),
        ("without its query", INVALID, signer.signed(|draft| draft.request.target = format!("{ECHO}?x=1")).to(ECHO)),
        ("the same path in other characters", INVALID, good().to(ECHO.replace("Echo", "%45cho"))),
        ("dots in the path", WHATEVER, good().to(ECHO.replace("functions/", "functions/../functions/"))),
        ("two slashes", WHATEVER, good().to(ECHO.replace("/functions", "//functions"))),
        ("a slash at the end", WHATEVER, good().to(format!("{ECHO}/"))),
        ("another name of the same host", INVALID, good().edit("host", |_| format!("localhost:{port}"))),
        ("another host", WHATEVER, good().edit("host", |_| "evil.example".to_owned())),
        ("no host", WHATEVER, good().remove("host")),
        ("another host in the target", WHATEVER, good().to(format!("http://evil.example{ECHO}"))),
        ("another scheme in what was signed", INVALID, {
            let mut draft = signer.draft();
            draft.components.push("\"@scheme\"");
            let (input, base) = draft.written();
            draft.request.with_mac(&input, &signer.mac(&base.replace("http://", "https://")))
        }),
        ("a registration by a client's key", WHATEVER, {
            signer
                .signed(|draft| (draft.request.method, draft.request.target) = ("PUT", "/v1/agents/scalars".to_owned()))
        }),
    ]
}

fn bodies(signer: &Signer) -> Vec<Row> {
    let good = || signer.good();
    let six = "{\"value\": 6}";
    let digested = |value: &str| {
        signer.signed(|draft| draft.request = draft.request.clone().edit("content-digest", |_| value.to_owned()))
    };
    vec![
        ("another body", MISMATCH, good().carrying(six)),
        ("a shorter body", MISMATCH, good().carrying("{\"value\": 5")),
        ("a longer body", MISMATCH, good().carrying("{\"value\": 5} ")),
        ("no body", MISMATCH, good().carrying("")),
        (
            "another body with its digest",
            INVALID,
            good().carrying(six).edit("content-digest", |_| digest(six.as_bytes())),
        ),
        ("another body in chunks", MISMATCH, good().chunked("c\r\n{\"value\": 6}\r\n0\r\n\r\n")),
        ("a digest of another body", MISMATCH, digested(&digest(six.as_bytes()))),
        ("a digest that is unknown", MISMATCH, digested("md5=:AAAA:")),
        ("a digest that is no dictionary", MISMATCH, digested("sha-256")),
        ("an empty digest", MISMATCH, digested("")),
        ("one right digest of two", MISMATCH, digested(&format!("{}, sha-512=:AAAA:", digest(BODY.as_bytes())))),
        ("a digest in base64 of the web", MISMATCH, {
            // Of a hash whose base64 differs in the two alphabets.
            digested(&digest(BODY.as_bytes()).replace('+', "-").replace('/', "_").replace("=:", "=:-"))
        }),
        (
            "a body that nobody signed",
            INVALID,
            signer.signed(|draft| {
                draft.uncover("\"content-digest\"");
                draft.request = draft.request.clone().remove("content-digest");
            }),
        ),
    ]
}

fn macs(signer: &Signer, other: &Signer) -> Vec<Row> {
    let with = |mac: &dyn Fn(&str) -> Vec<u8>| {
        let draft = signer.draft();
        let (input, base) = draft.written();
        draft.request.with_mac(&input, &mac(&base))
    };
    let written = |value: &str| signer.good().edit("signature", |_| value.to_owned());
    vec![
        ("half of the MAC", INVALID, with(&|base| signer.mac(base)[..16].to_vec())),
        ("the MAC and more", INVALID, with(&|base| [signer.mac(base), vec![0]].concat())),
        ("an empty MAC", INVALID, with(&|_| Vec::new())),
        ("a MAC of zeros", INVALID, with(&|_| vec![0; 32])),
        ("another key's MAC", INVALID, with(&|base| other.mac(base))),
        ("a bare hash", INVALID, with(&|base| Sha256::digest(base).to_vec())),
        (
            "a hash of key and base",
            INVALID,
            with(&|base| Sha256::digest([&signer.secret, base.as_bytes()].concat()).to_vec()),
        ),
        ("the key itself", INVALID, with(&|_| signer.secret.clone())),
        ("the MAC of a base with a line feed", INVALID, with(&|base| signer.mac(&format!("{base}\n")))),
        (
            "the MAC in hexadecimal",
            INVALID,
            with(&|base| signer.mac(base).iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()),
        ),
        ("a string for the MAC", INVALID, signer.good().edit("signature", |value| value.replace(':', "\""))),
        ("a list for the MAC", INVALID, signer.good().edit("signature", |value| value.replacen(':', "(:", 1) + ")")),
        ("base64 that is none", INVALID, written("sig1=:****:")),
        ("a MAC of another label", INVALID, signer.good().replace("signature", "sig1", "sig2")),
        ("eight wrong MACs", INVALID, {
            let all: Vec<String> = (1..=8).map(|number| format!("sig{number}=:{}:", base64([0; 32]))).collect();
            written(&all.join(", "))
        }),
    ]
}

fn syntax(signer: &Signer) -> Vec<Row> {
    let input = |value: &[u8]| signer.good().remove("signature-input").add("signature-input", value);
    let long = |length: usize| format!("sig1=(\"@method\");keyid=\"{}\"", "k".repeat(length));
    vec![
        ("an input that is no list", INVALID, input(b"sig1=\"@method\"")),
        ("an input that does not end", INVALID, input(b"sig1=(\"@method\"")),
        ("an input of one quote", INVALID, input(b"\"")),
        ("an input of another alphabet", INVALID, input("sig1=(\"@m\u{e9}thod\")".as_bytes())),
        ("an input of bytes that are no text", INVALID, input(b"sig1=(\"\xff\xfe\")")),
        ("an input of old drafts", INVALID, input(b"keyId=\"all\",algorithm=\"hmac-sha256\",headers=\"date\"")),
        ("a list in a list", INVALID, input(b"sig1=((((\"@method\"))))")),
        ("a long input", INVALID, input(long(20_000).as_bytes())),
        (
            "nine signatures",
            INVALID,
            input(&(1..=9).map(|number| format!("s{number}=()")).collect::<Vec<_>>().join(",").into_bytes()),
        ),
        ("thousands of labels", INVALID, input("a=(),".repeat(3000).trim_end_matches(',').as_bytes())),
        ("nothing but commas", INVALID, input(",".repeat(10_000).as_bytes())),
        (
            "many lines",
            INVALID,
            (0..60).fold(signer.good(), |request, number| request.add("signature-input", format!("l{number}=()"))),
        ),
    ]
}

fn http(signer: &Signer) -> Vec<Row> {
    let good = || signer.good();
    vec![
        ("a huge header", WHATEVER, good().add("x-huge", "x".repeat(1 << 20))),
        ("a thousand headers", WHATEVER, (0..1000).fold(good(), |request, _| request.add("x-more", "x"))),
        (
            "a header that goes on in the next line",
            WHATEVER,
            good().edit("signature-input", |value| value.replace("\" \"", "\"\r\n \"")),
        ),
        ("a zero in a header", WHATEVER, good().edit("signature", |value| format!("{value}\0"))),
        ("a carriage return in a header", WHATEVER, good().edit("signature", |value| format!("{value}\rx: y"))),
        ("a space before the colon", WHATEVER, good().add("x-space ", "1")),
        ("a length that is no number", WHATEVER, good().edit("content-length", |_| "twelve".to_owned())),
        ("a negative length", WHATEVER, good().edit("content-length", |_| "-1".to_owned())),
        ("a body that ends early", WHATEVER, good().edit("content-length", |_| "40".to_owned()).ending()),
        ("a head that ends early", WHATEVER, {
            let mut request = good().remove("content-length");
            (request.headers, request.body) = (request.headers.split_off(2), Vec::new());
            request.ending()
        }),
        ("chunks that are none", WHATEVER, good().chunked("zz\r\n{}\r\n0\r\n\r\n")),
        ("chunks that do not end", WHATEVER, good().chunked("c\r\n{\"value\": 5}\r\n").ending()),
        (
            "another coding of the body",
            WHATEVER,
            good().remove("content-length").add("transfer-encoding", "gzip, identity"),
        ),
        ("a target of another alphabet", WHATEVER, good().to(format!("{ECHO}\u{e9}"))),
        ("a target of 100 kB", WHATEVER, good().to(format!("{ECHO}?{}", "x".repeat(100_000)))),
        ("a method that there is not", WHATEVER, good().by("EXECUTE")),
    ]
}
