//! What only Windows has, behind functions that are safe to call. Elsewhere there is only what is pure.

pub mod descriptor;

#[cfg(windows)]
pub mod access;
#[cfg(windows)]
pub mod process;
#[cfg(windows)]
mod wide;

#[cfg(windows)]
pub use wide::of_any_length;
