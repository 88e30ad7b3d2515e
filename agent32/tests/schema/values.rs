//! Values made up from a schema: some that fit it, and some in which one thing is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::world::World;

/// Numbers that look random and are the same for a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }
}

/// Arguments that fit.
pub(crate) fn fitting(world: &World, index: usize, seed: u64) -> Value {
    value(world, world.schema(index), &mut Dice(seed), 0)
}

/// Arguments that fitted, until one thing was changed: perhaps they still do.
pub(crate) fn spoiled(world: &World, index: usize, seed: u64) -> Value {
    let mut dice = Dice(seed);
    let mut arguments = value(world, world.schema(index), &mut dice, 0);
    spoil(&mut arguments, &mut dice);
    arguments
}

fn value(world: &World, schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    if schema["nullable"] == true && (depth > 5 || dice.roll(3) == 0) {
        return Value::Null;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return value(world, world.component(reference), dice, depth);
    }
    if let Some(only) = schema["allOf"].get(0) {
        return value(world, only, dice, depth);
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        return value(world, &branches[usize::try_from(dice.roll(branches.len() as u64)).unwrap()], dice, depth);
    }
    match schema["type"].as_str() {
        Some("integer") => integer(schema, dice),
        Some("number") => {
            [json!(0), json!(-1.5), json!(1e30), json!(3)][usize::try_from(dice.roll(4)).unwrap()].clone()
        }
        Some("boolean") => (dice.roll(2) == 0).into(),
        Some("string") => text(world, schema, dice),
        Some("array") => array(world, schema, dice, depth),
        Some("object") => object(world, schema, dice, depth),
        _ => Value::Null,
    }
}

fn integer(schema: &Value, dice: &mut Dice) -> Value {
    match dice.roll(6) {
        0 => schema["minimum"].clone(),
        1 => schema.get("maximum").cloned().unwrap_or_else(|| 100.into()),
        _ => {
            let least = schema["minimum"].as_i64().unwrap_or_default();
            let most = schema["maximum"].as_u64().map_or(4, |most| most.min(4));
            least.max(i64::try_from(dice.roll(most + 1)).unwrap()).into()
        }
    }
}

fn text(world: &World, schema: &Value, dice: &mut Dice) -> Value {
    if let Some(names) = schema["enum"].as_array() {
        return names[usize::try_from(dice.roll(names.len() as u64)).unwrap()].clone();
    }
    let (least, most) = (schema["minLength"].as_u64().unwrap_or(0), schema["maxLength"].as_u64().unwrap_or(20));
    let length = least + dice.roll((most + 1).saturating_sub(least).min(12));
    match schema["format"].as_str() {
        Some("handle") => world.token().into(),
        Some("byte") => {
            let most = if most < least { length } else { most };
            let bytes = length.div_ceil(4).min(most / 4) * 3;
            let bytes = if least == most { bytes } else { bytes - dice.roll(bytes.min(2) + 1).min(bytes) };
            let bytes = bytes.max((least / 4 * 3).min(bytes.max(least)));
            STANDARD.encode(vec![7; usize::try_from(bytes).unwrap()]).into()
        }
        _ => "tëxt of some length".chars().cycle().take(usize::try_from(length).unwrap()).collect::<String>().into(),
    }
}

fn array(world: &World, schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    let least = schema["minItems"].as_u64().unwrap_or(0);
    let most = schema["maxItems"].as_u64().unwrap_or(3).min(least + 3);
    let count = least + dice.roll(most - least + 1);
    let count = if depth > 6 { least } else { count };
    (0..count).map(|_| value(world, &schema["items"], dice, depth + 1)).collect()
}

fn object(world: &World, schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    let mut object = Map::new();
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let most = schema["maxProperties"].as_u64().unwrap_or(u64::MAX);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let wanted = required.iter().any(|it| *it == name);
        // What leads on and on is left out when it has become deep.
        if wanted || (depth < 5 && (object.len() as u64) < most && dice.roll(2) == 0) {
            object.insert(name.clone(), value(world, inner, dice, depth + 1));
        }
    }
    // Only the client knows what an argument behind `...` is.
    if schema["properties"].get("encoding").is_some() {
        return json!({"type": "int", "value": 5});
    }
    if object.is_empty() && schema["minProperties"] == 1 {
        let (name, inner) = schema["properties"].as_object().and_then(|all| all.iter().next()).unwrap();
        object.insert(name.clone(), value(world, inner, dice, depth + 1));
    }
    object.into()
}

/// Changes one thing somewhere.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let deeper = dice.roll(3) > 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let chosen = usize::try_from(dice.roll(map.len() as u64)).unwrap();
            // What a callback compares its arguments with may be any JSON, and null is nothing there.
            if let Some((name, inner)) = map.iter_mut().nth(chosen)
                && name != "when"
            {
                spoil(inner, dice);
            }
        }
        Value::Object(map) => match dice.roll(2) {
            0 => {
                map.insert("no_such_member".to_owned(), 1.into());
            }
            _ => {
                let first = map.keys().next().cloned().unwrap_or_default();
                map.remove(&first);
            }
        },
        Value::Array(items) if deeper && !items.is_empty() => {
            let chosen = usize::try_from(dice.roll(items.len() as u64)).unwrap();
            spoil(&mut items[chosen], dice);
        }
        Value::Array(items) => {
            let more = items.first().cloned().unwrap_or_else(|| 1.into());
            items.extend(vec![more; 5]);
        }
        other => {
            let wrong =
                [json!(2.5), json!("zzz"), json!(1e30), json!({"x": 1}), json!([[1]]), json!(-1e30), json!(true)];
            *other = wrong[usize::try_from(dice.roll(7)).unwrap()].clone();
        }
    }
}
