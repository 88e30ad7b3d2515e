//! Calls whose buffers are no JSON: `application/octet-stream` for one, `multipart/form-data` for several, in and out.

mod answer;
mod given;

pub(super) use answer::Wanted;
pub(super) use given::{Body, Call, read};
