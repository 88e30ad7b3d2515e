//! Library files: any bytes are read or refused, and what was read can be asked everything that the bridge asks.

use bridge32_image::diagnose::{Wanted, diagnose};
use bridge32_image::{Decoration, Image, Looks, demangle, lookup, text};

/// More exports than this are alike, and only cost time.
const LOOKED_AT: usize = 32;

/// Reads `data` as a library file.
///
/// # Panics
/// If what was read does not survive JSON, or an export is not found by its own name.
pub fn image(data: &[u8]) {
    let _ = Looks::of(data).to_string();
    let (whole, head) = (Image::parse(data), Image::parse_without_exports(data));
    let image = match whole {
        Ok(image) => image,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.code().is_empty());
            return;
        }
    };
    let head = head.expect("less is read of it, so no more can be wrong");
    assert_eq!((head.format, head.architecture, head.kind), (image.format, image.architecture, image.kind));
    let json = serde_json::to_string(&image).expect("plain data");
    assert_eq!(serde_json::from_str::<Image>(&json).expect("its own words"), image);
    for runtime in ["linux32", "win32", "linux64", "win64"] {
        let findings = diagnose(&image, Wanted::by_runtime(runtime).expect("a runtime's name"));
        assert_eq!(image.runtime() == Some(runtime) || findings.iter().any(|finding| finding.is_fatal()), true);
    }
    for export in image.exports.iter().take(LOOKED_AT) {
        let Some(name) = &export.name else { continue };
        let found = lookup::find(&image.exports, name, None);
        assert!(!matches!(found, lookup::Lookup::Missing { .. }), "{name} is an export");
        let _ = (Decoration::parse(name), demangle::demangle(name), lookup::find(&image.exports, name, Some(8)));
        let _ = text::unescape(name);
    }
}
