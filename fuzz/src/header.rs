//! C headers: whatever the bytes, reading ends, the interface is plain data, and every message has a place.

use bridge32_interface::{Options, Source, prototype, read};
use bridge32_protocol::interface::Interface;
use bridge32_protocol::target::Target;

/// Reads `data`: its first byte chooses the target, and whether it is one header, two, or a prototype.
///
/// # Panics
/// If the interface does not survive JSON, or a diagnostic points outside the text.
pub fn header(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let options = Options::new(Target::ALL[usize::from(choice & 3)]);
    if choice & 0x80 != 0 {
        let _ = prototype(&String::from_utf8_lossy(text), &options);
        return;
    }
    let (first, second) = text.split_at(if choice & 0x40 == 0 { text.len() } else { text.len() / 2 });
    let sources = [Source { name: "a.h", text: first }, Source { name: "b.h", text: second }];
    let header = read(&sources, &options);
    let json = serde_json::to_string(&header.interface).expect("plain data");
    assert_eq!(serde_json::from_str::<Interface>(&json).expect("its own words"), header.interface);
    for diagnostic in &header.diagnostics {
        assert!(diagnostic.line > 0 && diagnostic.column > 0 && !diagnostic.message.is_empty(), "{diagnostic}");
    }
}
