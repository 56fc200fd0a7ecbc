//! Identifiers, each of its own type.

use std::{collections::BTreeMap, fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppId(pub Uuid);

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AppId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What belongs to several apps, app by app; what is of one app keeps its order.
#[must_use]
pub fn by_app<T>(items: Vec<(AppId, T)>) -> BTreeMap<AppId, Vec<T>> {
    let mut by_app: BTreeMap<AppId, Vec<T>> = BTreeMap::new();
    for (app_id, item) in items {
        by_app.entry(app_id).or_default().push(item);
    }
    by_app
}

/// A new id of our own: time-ordered (RFC 9562, version 7).
#[must_use]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// An id of Dialpad's: a 64-bit integer that JavaScript may not hold, so it is read from a number or a string of
/// digits, and always written as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialpadId(pub i64);

impl fmt::Display for DialpadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DialpadId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for DialpadId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DialpadId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = DialpadId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a 64-bit integer, or its digits as a string")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<DialpadId, E> {
                Ok(DialpadId(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<DialpadId, E> {
                i64::try_from(value)
                    .map(DialpadId)
                    .map_err(|_| E::custom("the id is larger than 64 bits hold"))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<DialpadId, E> {
                value.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_beyond_what_javascript_holds_survives() {
        for json in ["9007199254740993", "\"9007199254740993\""] {
            let id: DialpadId = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), "\"9007199254740993\"");
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for json in ["1.5", "\"abc\"", "true", "null", "99999999999999999999"] {
            assert!(serde_json::from_str::<DialpadId>(json).is_err(), "{json}");
        }
    }
}
