//! Values made up from a schema: some that fit it, and some in which one thing is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::world::World;

/// Numbers that look random and are the same for a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap_or_default() % sides.max(1)
    }
}

fn limit(schema: &Value, name: &str, otherwise: usize) -> usize {
    schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(otherwise)
}

/// Arguments that fit.
pub(crate) fn fitting(world: &World, index: usize, seed: u64) -> Value {
    value(world, World::schema(index), &mut Dice(seed), 0)
}

/// Arguments that fitted, until one thing was changed: perhaps they still do.
pub(crate) fn spoiled(world: &World, index: usize, seed: u64) -> Value {
    let mut dice = Dice(seed);
    let mut arguments = value(world, World::schema(index), &mut dice, 0);
    spoil(&mut arguments, &mut dice);
    arguments
}

fn value(world: &World, schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    if schema["nullable"] == true && (depth > 5 || dice.roll(3) == 0) {
        return Value::Null;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return value(world, World::component(reference), dice, depth);
    }
    if let Some(only) = schema["allOf"].get(0) {
        return value(world, only, dice, depth);
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        return value(world, &branches[dice.roll(branches.len())], dice, depth);
    }
    match schema["type"].as_str() {
        Some("integer") => integer(schema, dice),
        Some("number") => [json!(0), json!(-1.5), json!(1e30), json!(3)][dice.roll(4)].clone(),
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
            let most = schema["maximum"].as_u64().map_or(4, |most| if most < 4 { 1 } else { 4 });
            least.max(i64::try_from(dice.roll(most + 1)).unwrap_or_default()).into()
        }
    }
}

fn text(world: &World, schema: &Value, dice: &mut Dice) -> Value {
    if let Some(names) = schema["enum"].as_array() {
        return names[dice.roll(names.len())].clone();
    }
    let (least, most) = (limit(schema, "minLength", 0), limit(schema, "maxLength", 20));
    let length = least + dice.roll((most + 1).saturating_sub(least).min(12));
    match schema["format"].as_str() {
        Some("handle") => world.token().into(),
        Some("byte") => {
            let most = if most < least { length } else { most };
            let bytes = length.div_ceil(4).min(most / 4) * 3;
            let bytes = if least == most { bytes } else { bytes - dice.roll(bytes.min(2) + 1).min(bytes) };
            let bytes = bytes.max((least / 4 * 3).min(bytes.max(least)));
            STANDARD.encode(vec![7; bytes]).into()
        }
        _ => "tëxt of some length".chars().cycle().take(length).collect::<String>().into(),
    }
}

fn array(world: &World, schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    let least = limit(schema, "minItems", 0);
    let most = limit(schema, "maxItems", 3).clamp(least, least + 3);
    let count = least + dice.roll(most - least + 1);
    let count = if depth > 6 { least } else { count };
    (0..count).map(|_| value(world, &schema["items"], dice, depth + 1)).collect()
}

fn object(world: &World, schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    let mut object = Map::new();
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let most = limit(schema, "maxProperties", usize::MAX);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let wanted = required.iter().any(|it| *it == name);
        // What leads on and on is left out when it has become deep.
        if wanted || (depth < 5 && object.len() < most && dice.roll(2) == 0) {
            object.insert(name.clone(), value(world, inner, dice, depth + 1));
        }
    }
    // Only the client knows what an argument behind `...` is.
    if schema["properties"].get("encoding").is_some() {
        return json!({"type": "int", "value": 5});
    }
    if object.is_empty()
        && schema["minProperties"] == 1
        && let Some((name, inner)) = schema["properties"].as_object().and_then(|all| all.iter().next())
    {
        object.insert(name.clone(), value(world, inner, dice, depth + 1));
    }
    object.into()
}

/// Changes one thing somewhere.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let deeper = dice.roll(3) > 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let chosen = dice.roll(map.len());
            // What a callback compares its arguments with may be any JSON, and null is nothing there.
            if let Some((name, inner)) = map.iter_mut().nth(chosen)
                && name != "when"
            {
                spoil(inner, dice);
            }
        }
        Value::Object(map) if dice.roll(2) == 0 => {
            map.insert("no_such_member".to_owned(), 1.into());
        }
        Value::Object(map) => {
            let first = map.keys().next().cloned().unwrap_or_default();
            map.remove(&first);
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let chosen = dice.roll(items.len());
            spoil(&mut items[chosen], dice);
        }
        Value::Array(items) => {
            let more = items.first().cloned().unwrap_or_else(|| 1.into());
            items.extend(vec![more; 5]);
        }
        other => {
            let wrong =
                [json!(2.5), json!("zzz"), json!(1e30), json!({"x": 1}), json!([[1]]), json!(-1e30), json!(true)];
            *other = wrong[dice.roll(7)].clone();
        }
    }
}
