//! What Windows reads of a program before it starts it: that this one wants no other rights than its user's, takes paths of any
//! length, and speaks UTF-8. The agents have none of it: libraries that are as old as theirs count on what Windows does without.

use embed_manifest::{embed_manifest, new_manifest};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_some()
        && let Err(error) = embed_manifest(new_manifest("bridge32"))
    {
        println!("cargo::error=the manifest for Windows cannot be made: {error}");
    }
}
