//! The files of libraries: where they may lie, and which they are.

mod identity;
mod places;
mod state;

pub use identity::{Changed, Identity, Known, OnDisk};
pub use places::{Place, Places, Refusal};
pub use state::FileState;
