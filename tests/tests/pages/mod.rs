//! The pages for people, without their scripts.

mod agents;
mod calls;
mod keys;
mod libraries;
