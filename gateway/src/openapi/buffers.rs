//! What the document says of buffers of bytes that are no JSON.

use bridge32_interface::places::byte_buffers;
use bridge32_protocol::interface::Function;

/// A sentence about them. Their types are no part of an operation: generators of clients make nothing that compiles of a body, or an
/// answer, that has one of several types.
pub(super) fn remark(function: &Function) -> Option<String> {
    let names: Vec<String> = byte_buffers(function).map(|parameter| format!("`{}`", parameter.name)).collect();
    (!names.is_empty()).then(|| format!("As bytes instead of base64, as `callFunction` says: {}.", names.join(", ")))
}
