//! What programs that nobody here wrote make of the OpenAPI documents: linters, generators of clients and the compilers of
//! their languages, a tester that sends what the schemas allow and what they do not, signers of requests, and the examples'
//! clients and the code that pages show to copy.
#![expect(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

mod documents;
mod examples;
mod generators;
mod requests;
mod signers;
mod signing;
mod snippets;
mod tools;
