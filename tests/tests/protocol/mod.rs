//! What the gateway relies on in its agents, asked of real ones without a gateway.

mod journal;
mod lanes;
mod looks;
mod sessions;
