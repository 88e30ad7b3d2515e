//! How much of its address space a process has taken: what 32-bit processes run out of.

use bridge32_protocol::wire::Health;

use super::Visit;
use super::chart::{self, Part, Svg};
use super::filters::text;
use super::words::size;

/// What a 32-bit process can have, on a 64-bit system.
pub const WALL: u64 = 4 << 30;

/// The memory of a 32-bit process.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What is taken, and the largest block that is free, of all that it can have.
    pub bar: Svg,
    /// What is taken, in words.
    pub text: String,
    /// The largest block that is free, if that is known: no allocation can be larger.
    pub largest_free: Option<u64>,
}

impl Memory {
    /// That of a process; `None` where it does not tell, or cannot run out of addresses.
    pub fn of(health: &Health, visit: &Visit) -> Option<Self> {
        let taken = health.address_space_bytes?;
        let text = visit.say(text!("{taken} of 4 GB")).replace("{taken}", &size(taken));
        let free = health.largest_free_bytes;
        let hint = free.map(|free| visit.say(text!("largest free block {free}")).replace("{free}", &size(free)));
        let label = hint.as_ref().map_or_else(|| text.clone(), |hint| format!("{text}, {hint}"));
        let between = WALL.saturating_sub(taken).saturating_sub(free.unwrap_or_default());
        let part = |class, bytes, hint: &str| Part { class, size: float(bytes), hint: hint.to_owned() };
        let mut parts = vec![part("used", taken, &text)];
        if let (Some(free), Some(hint)) = (free, &hint) {
            parts.push(part("point", between, &text));
            parts.push(part("free", free, hint));
        }
        Some(Self { bar: chart::parts(&parts, float(WALL), &label), text, largest_free: free })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a width on a screen")]
const fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_what_is_taken_and_the_largest_block_that_is_left() {
        let health = |taken, free| Health { address_space_bytes: taken, largest_free_bytes: free, ..Health::default() };
        let visit = Visit::nobody("/agents");
        let memory = Memory::of(&health(Some(1 << 30), Some(2 << 30)), &visit).unwrap();
        let bar = memory.bar.to_string();
        assert!(
            bar.contains("class=\"used\" x=\"0\" width=\"250\"") && bar.contains("x=\"500\" width=\"500\""),
            "{bar}"
        );
        assert!(bar.contains("aria-label=\"1.00 GB of 4 GB, largest free block 2.00 GB\""), "{bar}");
        assert!(Memory::of(&health(None, None), &visit).is_none(), "a 64-bit process does not run out of addresses");
        assert_eq!(Memory::of(&health(Some(1), None), &visit).unwrap().largest_free, None);
    }
}
