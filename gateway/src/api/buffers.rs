//! Calls whose buffers are no JSON: `application/octet-stream` for one, `multipart/form-data` for several, in and out.

mod answer;
mod given;

pub(super) use answer::Wanted;
pub use given::Body;
pub(super) use given::{Call, read};
