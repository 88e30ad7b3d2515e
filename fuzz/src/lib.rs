//! What must hold for any input, one function a fuzz target. A broken promise is a panic; libFuzzer watches time and memory.

mod header;
mod image;

pub use header::header;
pub use image::image;
