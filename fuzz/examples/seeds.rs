//! Writes the first inputs of a fuzz target into a folder: `seeds TARGET FOLDER`. They are made by the code that makes the
//! small files of the tests, or are texts that the checkout has; nothing binary is kept in it.
#![allow(dead_code, reason = "the tests' support code can do more than seeds need")]

use std::path::Path;
use std::{env, fs};

use support::elf::{Elf, Hash, function};
use support::pe::{Entry, Pe};

#[path = "../../image/tests/all/support/mod.rs"]
mod support;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [target, folder] = &arguments[..] else { panic!("usage: seeds TARGET FOLDER") };
    fs::create_dir_all(folder).expect("the folder can be made");
    let seeds = match target.as_str() {
        "pe" => pe(),
        "elf" => elf(),
        "header" => header(),
        "marshal" => marshal(),
        "signature" => signature(),
        other => panic!("there is no target \"{other}\""),
    };
    for (index, seed) in seeds.iter().enumerate() {
        fs::write(Path::new(folder).join(format!("seed-{index}")), seed).expect("a seed can be written");
    }
}

fn pe() -> Vec<Vec<u8>> {
    let full = Pe::default()
        .exports(
            1,
            &[Entry::Code(0), Entry::Forward("A.b"), Entry::Gap, Entry::Data(4), Entry::Forward("A.#7")],
            &[(b"@g@8", 0), (b"_f@8", 0), (b"?f@@YAHH@Z", 1), (b"d", 3)],
        )
        .imports(&["A.dll", "KERNEL32.dll"])
        .delayed("b.dll", false)
        .delayed("c.dll", true)
        .dotnet(1);
    let wide = Pe { machine: 0x8664, wide: true, ..full.clone() };
    vec![full.build(), wide.build(), Pe::default().build(), Pe::default().exports(7, &[], &[]).build()]
}

fn elf() -> Vec<Vec<u8>> {
    let full = Elf {
        symbols: vec![function(b"f"), function(b"_Z1fi"), function(b"f")],
        versions: vec!["V_1", "V_2"],
        strings: vec![(1, "libc.so.6".into()), (14, "me.so".into()), (15, "/lib".into()), (29, "$ORIGIN".into())],
        ..Elf::default()
    };
    vec![
        full.build(),
        Elf { hash: Hash::Gnu, ..full.clone() }.build(),
        Elf { hash: Hash::None, ..full.clone() }.build(),
        Elf { wide: true, machine: 62, hash: Hash::Gnu, ..full }.build(),
        Elf::default().build(),
    ]
}

/// The headers of the demo and of the end-to-end tests, for each target, whole and as two.
fn header() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders =
        ["demo", "tests/fixtures"].map(|folder| fs::read_dir(root.join(folder)).expect("a folder of the checkout"));
    let files = folders.into_iter().flatten().flatten().map(|entry| entry.path());
    let headers = files.filter(|path| path.extension().is_some_and(|extension| extension == "h"));
    let texts = headers.map(|path| fs::read(path).expect("a header can be read"));
    let with_choice = |(text, choice): (Vec<u8>, u8)| [&[choice][..], &text].concat();
    let prototypes =
        ["int f(int a)", "long long __stdcall f(_In_reads_(n) const char *a, size_t n)", "void f(int, ...)"];
    let prototypes = prototypes.map(|text| text.as_bytes().to_vec()).into_iter().zip([0x80, 0x81, 0x83]);
    texts.zip([0, 1, 2, 3, 0x41].into_iter().cycle()).chain(prototypes).map(with_choice).collect()
}

/// Arguments that are right, and some that are wrong, in the order of the functions of `marshal.h`.
fn marshal() -> Vec<Vec<u8>> {
    const PLAIN: &str = r#"{"name":"äb","wide":"桥","local":"你","inside":{"depth":1,"number":{"precise":0.5}},
        "bits":{"low":7,"middle":-16,"wide":"-5","flag":true},"colors":["GREEN",0]}"#;
    let arguments: [&[&str]; 13] = [
        &[r#"{"a":-128,"b":"SEVEN","c":-1,"d":"18446744073709551615","e":"NaN","f":1e308,"g":true,"h":"BLUE","i":65}"#],
        &[r#"{"both":0.5,"color":null}"#, "{}"],
        &[r#"{"room":10,"numbers":[1,-2,3]}"#, r#"{"room":4294967295,"numbers":[],"count":1}"#],
        &[r#"{"size":10,"wide":"桥\ud83d\ude00","rows":2,"columns":3}"#],
        &[r#"{"a":"你好","b":null,"c":"\u0000"}"#],
        &[r#"{"a":"é桥","b":"x","n":20}"#],
        &[r#"{"plain":PLAIN,"bits":{"low":0,"middle":0,"wide":0,"flag":false},"number":{"raw":"AAECAwQFBgcICQoL"}}"#],
        &[r#"{"items":[PLAIN,PLAIN],"bits":[{"low":1,"middle":1,"wide":1,"flag":true}],"data":"AQID"}"#],
        &[
            r#"{"node":{"value":1,"next":{"value":2,"next":null}},"list":{"items":[PLAIN],"text":"t"},"texts":["a","b"]}"#,
        ],
        &["{}", r#"{"list":{"count":0,"items":null,"text":null}}"#],
        &[r#"{"opaque":"@handle","any":null,"system":"@handle","block":{"$handle":"@block"}}"#],
        &[
            r#"{"plain":{"returns":0,"table":[{"when":{"a":1},"returns":"SEVEN"}],"record":true,"limit":3},"floating":
            {"returns":0.5,"stop_after":2,"stop_returns":"NaN"},"event":{"stream":true}}"#,
            r#"{"plain":{"compare":["a","a"]},"event":{}}"#,
        ],
        &[
            r#"{"format":"%d","...":[{"type":"int","value":5},{"type":"char[20]"},{"type":"const wchar_t*","value":"x"}]}"#,
        ],
    ];
    let inputs = |(number, texts): (u8, &&[&str])| {
        let input = |text: &&str| [&[number, 0x41][..], text.replace("PLAIN", PLAIN).as_bytes()].concat();
        texts.iter().map(input).collect::<Vec<_>>()
    };
    (0..).zip(&arguments).flat_map(inputs).collect()
}

/// Headers in the order that `signature` knows, parts of the genuine request, and wishes for an answer.
fn signature() -> Vec<Vec<u8>> {
    const INPUT: &str = r#"sig1=("@method" "@authority" "@target-uri" "content-digest");created=1800000000;keyid="fuzz";nonce="n";alg="hmac-sha256""#;
    const MAC: &str = "sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    const DIGEST: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, sha-512=:AAAA:";
    let any = [
        format!("{INPUT}\n{MAC}\n{DIGEST}"),
        format!("p=(\"@path\" \"@query\" \"x-covered\");expires=1;tag=\"t\"\n{MAC}\n{DIGEST}\n\nx\n{INPUT}\np=:AAAA:"),
        r#"sig1=("x-covered";sf "x-covered";bs "x-covered";key="a";req "@query-param";name="q");a=1.5;b=?0;c=*t"#
            .to_owned(),
    ];
    let changed = ["POST", "http", "127.0.0.1:8032", "/v1/libraries/z/functions/f?x=1", "{\"value\": 5}", INPUT, MAC];
    let wanted = [
        r#"sig1=("@status" "content-type" "content-digest" "signature";req;key="sig1");created;nonce="q\"\\";tag="t""#,
        r#"a=("@status" "@method";req "@path";req "signature";req "content-digest";key="sha-256" "content-digest"), b=();expires"#,
    ];
    let with = |choice: u8, text: &str| [&[choice][..], text.as_bytes()].concat();
    let changed = (0u8..).zip(changed).flat_map(|(part, text)| [with(part * 3 + 1, text), with(part * 3 + 22, text)]);
    let any = any.iter().map(|text| with(0, text));
    any.chain(changed).chain(wanted.iter().map(|text| with(2, text))).collect()
}
