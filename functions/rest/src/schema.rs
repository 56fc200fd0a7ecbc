//! Schemas that cannot be derived: words of enums, which the domain defines without knowing of any document, and what
//! parameters may be, as exactly as they are read.

use serde_json::Value;
use shared::{
    domain::call::{Direction, Outcome, Status},
    phone::Region,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{Object, ObjectBuilder, SchemaType, Type},
    },
};

/// Names schemas of parameters. Given by name, a parameter keeps its description and whether it is required; both are lost
/// beside a function.
macro_rules! named {
    ($($(#[$meta:meta])* $name:ident: $schema:expr;)*) => {$(
        $(#[$meta])*
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object($schema))
            }
        }

        impl ToSchema for $name {}
    )*};
}

named! {
    /// A cursor as pages give it; until the year 2112 it begins with three zeros.
    Cursor: text("^000[0-9a-f]{45}$").build();
    /// What more a list is to tell.
    Include: words(&["total"], false);
    /// A number, or what stands in its place.
    Number: number();
    /// A user of the CRM.
    CrmUserId: crm_user_id();
    /// A positive 64-bit integer, in digits.
    DialpadUserId: text(&digits_up_to(i64::MAX)).build();
    /// Where a call stands.
    CallStatus: status();
    /// Which way a call or a message went.
    CallDirection: words(&all(Direction::ALL, Direction::as_str), false);
}

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

/// Something that can be seen, without the one character that Postgres cannot hold. Space is what Unicode calls so, each
/// character by itself: dialects of regular expressions disagree about `\S`.
const VISIBLE: &str =
    r"^[^\x00]*[^\x00\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\x00]*$";

/// Anything without that character.
pub(crate) const STORABLE: &str = r"^[^\x00]*$";

pub(crate) fn number() -> Object {
    text(VISIBLE).min_length(Some(1)).build()
}

pub(crate) fn app_name() -> Object {
    text(VISIBLE).min_length(Some(1)).max_length(Some(200)).build()
}

/// 7 to 15 digits, written in any way that people write numbers in.
pub(crate) fn erasable() -> Object {
    text(r"^[-+ ./()]*([0-9][-+ ./()]*){7,15}$").examples(["+14155550160"]).build()
}

/// A secret that somebody pastes: visible ASCII, perhaps with space around it.
pub(crate) fn pasted() -> Object {
    text(r"^\s*[!-~]+\s*$").min_length(Some(1)).max_length(Some(4096)).build()
}

pub(crate) fn crm_user_id() -> Object {
    text(VISIBLE).min_length(Some(1)).max_length(Some(255)).build()
}

pub(crate) fn crm_user_id_or_null() -> Object {
    let mut schema = crm_user_id();
    schema.schema_type = SchemaType::from_iter([Type::String, Type::Null]);
    schema
}

pub(crate) fn dialpad_user_id_or_number() -> Object {
    dialpad_id(&[Type::Integer, Type::String])
}

pub(crate) fn dialpad_id_or_null() -> Object {
    dialpad_id(&[Type::Integer, Type::String, Type::Null])
}

fn dialpad_id(kinds: &[Type]) -> Object {
    ObjectBuilder::new()
        .schema_type(kinds.iter().cloned().collect::<SchemaType>())
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

pub(crate) fn status() -> Object {
    words(&all(Status::ALL, Status::as_str), false)
}

pub(crate) fn nullable_direction() -> Object {
    words(&all(Direction::ALL, Direction::as_str), true)
}

pub(crate) fn nullable_outcome() -> Object {
    words(&all(Outcome::ALL, Outcome::as_str), true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_valid(schema: &Object, value: &Value) -> bool {
        jsonschema::validator_for(&serde_json::to_value(schema).unwrap()).unwrap().is_valid(value)
    }

    #[test]
    fn the_pattern_of_an_erasable_number_is_what_is_read_as_one() {
        for text in [
            "+14155550160",
            "(415) 555-0160",
            "1/2.3 4-5(6)7",
            "555-016",
            "1234567890123456",
            "123456789012345",
            "415x5550160",
            "+",
            "",
        ] {
            let is_read = shared::dialpad::erasure::Number::parse(text).is_some();
            assert_eq!(is_valid(&erasable(), &json!(text)), is_read, "{text}");
        }
    }

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

    #[test]
    fn what_can_be_seen_is_what_is_not_only_space() {
        let pattern = serde_json::json!({ "pattern": VISIBLE });
        let schema = jsonschema::validator_for(&pattern).unwrap();
        for code in (1..0x3100).filter_map(char::from_u32) {
            let text = code.to_string();
            assert_eq!(
                schema.is_valid(&text.clone().into()),
                !text.trim().is_empty(),
                "{:x}",
                u32::from(code)
            );
        }
        assert!(!schema.is_valid(&"a\0".into()) && !schema.is_valid(&"".into()));
    }
}
