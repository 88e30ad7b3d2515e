//! What the schemas of an interface say is what the marshaller does: what fits a schema is taken, what does not fit is
//! refused, and what is answered fits.

mod left_out;
mod values;
mod world;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

use world::World;

/// Why arguments may be refused although they fit: what the module of the schemas says of where it is looser.
const LOOSER: [&str; 9] = [
    "is missing",            // a length, where no array tells it
    "but its length",        // a length that is another value's
    "is the length of both", // one length for two arrays
    "the length of `",       // negative, or too much
    "does not exist in",     // a character that an encoding does not have
    "bytes of text",         // text that takes more bytes than characters
    "is a union",            // members of an anonymous union
    "does not fit into",     // an array that is longer than its length can say
    "bytes, and",            // base64 of almost the right length
];

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1_000,
        rng_seed: RngSeed::Fixed(32),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn every_example_is_accepted_and_fits() {
    let world = World::new();
    for index in 0..world.count() {
        let name = world.name(index);
        let example = world.example(index).unwrap_or_else(|| panic!("{name} has an example"));
        assert!(World::fits(index, &example), "{name}: {example}");
        assert_eq!(world.marshal(index, &example).err(), None, "{name}: {example}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_fits_is_taken((index, seed) in (0..World::COUNT, any::<u64>())) {
        let world = World::new();
        let arguments = values::fitting(&world, index, seed);
        prop_assert!(World::fits(index, &arguments), "{} {arguments}", world.name(index));
        if let Err(detail) = world.marshal(index, &arguments) {
            prop_assert!(
                LOOSER.iter().any(|known| detail.contains(known)),
                "{}: {arguments} fits and is refused: {detail}", world.name(index)
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_refused((index, seed) in (0..World::COUNT, any::<u64>())) {
        let world = World::new();
        let arguments = values::spoiled(&world, index, seed);
        if !World::fits(index, &arguments) {
            prop_assert!(world.marshal(index, &arguments).is_err(), "{}: {arguments} does not fit", world.name(index));
        }
    }

    #[test]
    fn what_is_answered_fits((index, seed, byte) in (0..World::COUNT, any::<u64>(), any::<u8>())) {
        let world = World::new();
        let arguments = values::fitting(&world, index, seed);
        if let Ok(answer) = world.answer(index, &arguments, byte) {
            let wrong = World::unfit(index, &answer);
            prop_assert!(wrong.is_none(), "{}: {arguments} answers {answer}: {wrong:?}", world.name(index));
        }
    }
}

/// Where the agent takes more than is described, on purpose: if that changes, so does the description.
#[test]
fn what_is_stricter_is_what_is_said_to_be() {
    let world = World::new();
    let scalars = json!({"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": true, "h": "RED", "i": 1});
    let index = world.index("PlainScalars");
    let with = |name: &str, value: Value| {
        let mut changed = scalars.clone();
        changed[name] = value;
        changed
    };
    for (name, value) in
        [("c", json!("SEVEN")), ("d", json!("5")), ("e", json!("NaN")), ("f", json!("-Infinity")), ("g", json!(1))]
    {
        let arguments = with(name, value);
        assert!(!World::fits(index, &arguments) && world.marshal(index, &arguments).is_ok(), "{arguments}");
    }
}
