//! Schemas that cannot be derived: words of enums, which the domain defines without knowing of any document, and what
//! parameters may be, as exactly as they are read.

use serde_json::Value;
use shared::{
    domain::call::{Direction, Outcome, Status},
    phone::Region,
};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

fn words(words: &[&str], nullable: bool) -> Object {
    let mut values: Vec<Value> = words.iter().copied().map(Value::from).collect();
    let mut kinds = vec![Type::String];
    if nullable {
        values.push(Value::Null);
        kinds.push(Type::Null);
    }
    ObjectBuilder::new().schema_type(SchemaType::from_iter(kinds)).enum_values(Some(values)).build()
}

fn all<T: Copy>(values: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    values.iter().copied().map(word).collect()
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some(pattern))
}

/// A cursor as pages give it; until the year 2112 it begins with three zeros.
pub(crate) fn cursor() -> Object {
    text("^000[0-9a-f]{45}$").build()
}

/// Something that can be seen, without the one character that Postgres cannot hold.
const VISIBLE: &str = r"^[^\x00]*\S[^\x00]*$";

/// A number, or what stands in its place.
pub(crate) fn number() -> Object {
    text(VISIBLE).min_length(Some(1)).build()
}

pub(crate) fn crm_user_id() -> Object {
    text(VISIBLE).min_length(Some(1)).max_length(Some(255)).build()
}

/// A positive 64-bit integer, in digits.
pub(crate) fn dialpad_user_id() -> Object {
    text(&digits_up_to(i64::MAX)).build()
}

pub(crate) fn dialpad_user_id_or_number() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::String]))
        .minimum(Some(1))
        .maximum(Some(i64::MAX))
        .pattern(Some(digits_up_to(i64::MAX)))
        .build()
}

/// A pattern for the digits of every positive integer up to `most`, and for nothing else.
fn digits_up_to(most: i64) -> String {
    let most = most.to_string();
    let mut options = vec![format!("[1-9][0-9]{{0,{}}}", most.len() - 2), most.clone()];
    for (place, digit) in most.char_indices() {
        let least = if place == 0 { '1' } else { '0' };
        // Less at this place, the same before it, anything after it.
        if let Some(less) = char::from_u32(u32::from(digit) - 1).filter(|less| *less >= least) {
            options.push(format!("{}[{least}-{less}][0-9]{{{}}}", &most[..place], most.len() - place - 1));
        }
    }
    format!("^({})$", options.join("|"))
}

/// The country of national numbers, or null.
pub(crate) fn default_region() -> Object {
    words(&Region::codes().collect::<Vec<_>>(), true)
}

pub(crate) fn include() -> Object {
    words(&["total"], false)
}

pub(crate) fn status() -> Object {
    words(&all(Status::ALL, Status::as_str), false)
}

pub(crate) fn direction() -> Object {
    words(&all(Direction::ALL, Direction::as_str), false)
}

pub(crate) fn nullable_direction() -> Object {
    words(&all(Direction::ALL, Direction::as_str), true)
}

pub(crate) fn nullable_outcome() -> Object {
    words(&all(Outcome::ALL, Outcome::as_str), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_of_an_id_is_its_range() {
        assert_eq!(digits_up_to(305), "^([1-9][0-9]{0,1}|305|[1-2][0-9]{2}|30[0-4][0-9]{0})$");
        let pattern = format!(r#"{{"pattern":{:?}}}"#, digits_up_to(i64::MAX));
        let schema = jsonschema::validator_for(&serde_json::from_str(&pattern).unwrap()).unwrap();
        for (text, is_one) in [
            ("1", true),
            ("9007199254740993", true),
            ("999999999999999999", true),
            ("9223372036854775807", true),
            ("9223372036854775808", false),
            ("9300000000000000000", false),
            ("10000000000000000000", false),
            ("0", false),
            ("01", false),
            ("-1", false),
            ("+1", false),
            ("", false),
        ] {
            assert_eq!(schema.is_valid(&text.into()), is_one, "{text}");
        }
    }
}
