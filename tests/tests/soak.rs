//! The short form of `cargo xtask soak`: a few failures of each kind, and what must hold then.

use bridge32_tests::soak::{Options, Scenario};

/// Runs a scenario.
fn holds(name: &str) {
    Scenario::named(name).unwrap().run(&Options::short()).assert_clean();
}

#[test]
fn every_call_has_one_true_outcome_whatever_fails_in_elf_libraries() {
    holds("mixed");
}

#[test]
fn every_call_has_one_true_outcome_whatever_fails_under_wine() {
    holds("mixed-wine");
}

#[test]
fn an_idempotent_call_is_repeated_until_it_returns() {
    holds("retries");
}

#[test]
fn a_library_is_back_soon_after_a_crash() {
    holds("recovery");
}

#[test]
fn an_agent_that_stands_by_takes_over() {
    holds("recovery-standby");
}

#[test]
fn a_library_is_back_soon_after_a_crash_under_wine() {
    holds("recovery-wine");
}

#[test]
fn a_client_that_only_crashes_a_library_does_not_lock_others_out() {
    holds("hammered");
}

#[test]
fn a_killed_gateway_leaves_no_agent_and_the_next_one_serves() {
    holds("gateway-killed");
}

#[test]
fn a_key_gives_the_same_outcome_after_the_gateway_was_killed() {
    holds("keys-kept");
}

#[test]
fn a_reload_fails_no_call() {
    holds("reload");
}

#[test]
fn idle_sessions_take_little() {
    holds("sessions");
}

#[test]
fn libraries_that_are_not_loaded_take_little() {
    holds("libraries");
}

#[test]
fn the_history_has_every_answered_call_after_the_gateway_was_killed_if_it_has_to() {
    holds("history-killed");
}

#[test]
fn the_history_misses_the_last_moments_before_the_gateway_was_killed_at_most() {
    holds("history-killed-batched");
}

#[test]
fn calls_go_on_while_the_history_cannot_be_written_and_are_there_or_told_as_missing() {
    holds("history-unwritable");
}
