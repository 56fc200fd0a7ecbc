//! Schemas that cannot be derived: words of enums, which the domain defines without knowing of any document.

use serde_json::Value;
use shared::domain::call::{Direction, Outcome, Status};
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
