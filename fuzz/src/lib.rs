//! What must hold for any input, one function a fuzz target. A broken promise is a panic; libFuzzer watches time and memory.

mod header;
mod image;
mod marshal;
mod signature;

pub use header::header;
pub use image::image;
pub use marshal::{HEADER, marshal};
pub use signature::signature;
