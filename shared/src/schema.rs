//! JSON Schemas of the domain's types that write themselves in another form than they have; the others derive theirs.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

use crate::domain::{
    ids::{AppId, DialpadId},
    socket::Seq,
    time::Timestamp,
};

/// Gives a type a schema that stands wherever the type does.
macro_rules! inline {
    ($($type:ty => $schema:expr,)+) => { $(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+ };
}

inline! {
    AppId => json_schema!({"type": "string", "format": "uuid"}),
    DialpadId => json_schema!({"type": "string", "pattern": "^-?[0-9]{1,19}$"}),
    Seq => json_schema!({"type": "integer", "minimum": 0}),
    Timestamp => json_schema!({"type": "string", "format": "date-time"}),
}
