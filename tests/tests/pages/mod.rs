//! The pages for people, without their scripts.

mod agents;
mod calls;
mod function;
mod keys;
mod libraries;
