//! The document becomes Rust.

use std::path::Path;
use std::{env, fs};

fn main() {
    let document = env::var("BRIDGE32_DOCUMENT").expect("BRIDGE32_DOCUMENT names the document");
    println!("cargo::rerun-if-env-changed=BRIDGE32_DOCUMENT");
    println!("cargo::rerun-if-changed={document}");
    let text = fs::read_to_string(&document).unwrap_or_else(|error| panic!("{document}: {error}"));
    // YAML contains JSON.
    let document = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{document}: {error}"));
    let tokens = progenitor::Generator::default().generate_tokens(&document).expect("progenitor accepts the document");
    let file = syn::parse2(tokens).expect("what progenitor generates is Rust");
    let place = Path::new(&env::var("OUT_DIR").expect("Cargo sets it")).join("client.rs");
    fs::write(place, prettyplease::unparse(&file)).expect("it can be written");
}
