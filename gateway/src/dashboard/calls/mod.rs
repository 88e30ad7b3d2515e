//! The pages of calls: the list, one call, its replay and what differs then. They show what the API tells, read from its own
//! documents, so that both say the same.

mod call;
mod compare;
mod detail;
mod filters;
mod hex;
mod list;
mod many;
mod markup;
mod replay;
mod show;
mod time;
mod tree;

pub use compare::show as compare;
pub use list::show as list;
pub use many::{ask as ask_many, submit as replay_many};
pub use replay::submit as replay;
pub use show::{cancel, show};
