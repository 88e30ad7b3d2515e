//! What users of bridge32 rely on, tested with a real gateway, real agents and real libraries.
#![expect(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

mod arguments;
mod bulk;
mod calls;
mod command_line;
mod concurrency;
mod cpp;
mod crashes;
mod demo;
mod doctor;
mod documents;
mod events;
mod exports;
mod external;
mod forged;
mod gateway;
mod health;
mod history;
mod init;
mod interface;
mod kept_calls;
mod kernel32;
mod keys;
mod libc;
mod library_commands;
mod lifecycle;
mod listeners;
mod load;
mod loading;
mod metrics;
mod openapi;
mod output;
mod pages;
mod pools;
mod protocol;
mod questions;
mod registration;
mod reload;
mod replay;
mod second_user;
mod sensitive;
mod servers;
mod sessions;
mod sign_in;
mod signed;
mod signing_commands;
mod soak;
mod sqlite;
mod traces;
mod windows;
#[cfg(feature = "windows-gateway")]
mod windows_gateway;
mod zlib;

use bridge32_tests::{Bridge, TARGETS, fixture};

/// A bridge with one fixture, as a library of each target: `linux32`, `win32`, `linux64`.
fn on_all_targets(name: &str) -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS {
            config.library(target.name(), fixture::library(name, target)).header(fixture::header(name));
        }
    })
}
