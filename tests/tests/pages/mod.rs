//! The pages for people, without their scripts.

mod function;
