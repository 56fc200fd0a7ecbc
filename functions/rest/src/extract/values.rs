//! Values that are checked when they are read, so that a handler gets only good ones and a mistake names its field.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{
    Deserialize, Deserializer,
    de::{self, Error as _, Unexpected},
};
use shared::{
    domain::ids::DialpadId,
    phone::{Number, Region},
};

/// The name of an app: 1 to 200 characters, without space around them.
#[derive(Clone, Debug)]
pub(crate) struct AppName(pub(crate) String);

impl<'de> Deserialize<'de> for AppName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        text(&name, 200).map_err(D::Error::custom)?;
        Ok(Self(name.trim().to_owned()))
    }
}

/// The country of national numbers, by its code of two letters; null takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DefaultRegion(pub(crate) Option<Region>);

impl<'de> Deserialize<'de> for DefaultRegion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = Option::<String>::deserialize(deserializer)?;
        code.map(|code| code.parse()).transpose().map(Self).map_err(D::Error::custom)
    }
}

/// A user of the CRM: 1 to 255 characters, not only space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CrmUserId(pub(crate) String);

impl<'de> Deserialize<'de> for CrmUserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        text(&id, 255).map_err(D::Error::custom)?;
        Ok(Self(id))
    }
}

fn text(text: &str, longest: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("must not be empty".to_owned())
    } else if text.chars().count() > longest {
        Err(format!("must have at most {longest} characters"))
    } else {
        Ok(())
    }
}

/// A user of Dialpad: a positive 64-bit integer, or its digits as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DialpadUserId(pub(crate) DialpadId);

impl<'de> Deserialize<'de> for DialpadUserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a positive 64-bit integer, or its digits as a string")
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<i64, E> {
                Some(id).filter(|id| *id > 0).ok_or_else(|| E::invalid_value(Unexpected::Signed(id), &self))
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<i64, E> {
                let unfit = || E::invalid_value(Unexpected::Unsigned(id), &self);
                i64::try_from(id).ok().filter(|id| *id > 0).ok_or_else(unfit)
            }

            // As digits it has one spelling, which is also the one that it is shown in.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
                let id = text.parse().ok().filter(|id: &i64| *id > 0 && id.to_string() == text);
                id.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Visitor).map(|id| Self(DialpadId(id)))
    }
}

/// How long an old key goes on working: at most a week.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GraceSeconds(pub(crate) u32);

impl GraceSeconds {
    pub(crate) const MOST: u32 = 604_800;
}

impl<'de> Deserialize<'de> for GraceSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = u32::deserialize(deserializer)?;
        if seconds <= Self::MOST {
            Ok(Self(seconds))
        } else {
            Err(D::Error::custom(format!("must be at most {}", Self::MOST)))
        }
    }
}

/// A moment in RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The plus sign of an offset reads as a space where it was not encoded.
        let text = String::deserialize(deserializer)?.replace(' ', "+");
        DateTime::parse_from_rfc3339(&text)
            .map(|time| Self(time.to_utc()))
            .map_err(|_| D::Error::custom("must be a time in RFC 3339, as 2026-01-31T09:30:00Z"))
    }
}

/// A number in a filter, or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhoneNumber(pub(crate) Number);

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(D::Error::custom("must not be empty"));
        }
        // The plus sign reads as a space where it was not encoded in the query.
        let lost_plus =
            text.strip_prefix(' ').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        Ok(Self(lost_plus.map_or_else(|| Number::read(&text), |rest| Number::read(&format!("+{rest}")))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn is_refused<T: serde::de::DeserializeOwned>(value: Value) -> bool {
        serde_json::from_value::<T>(value).is_err()
    }

    #[test]
    fn a_name_is_trimmed_and_neither_empty_nor_long() {
        let name: AppName = serde_json::from_value(json!("  Acme  ")).unwrap();
        assert_eq!(name.0, "Acme");
        assert!(is_refused::<AppName>(json!("  ")) && is_refused::<AppName>(json!("é".repeat(201))));
        assert!(!is_refused::<AppName>(json!("é".repeat(200))));
    }

    #[test]
    fn users_are_positive_there_and_texts_here() {
        for wrong in
            [json!(0), json!(-5), json!("-5"), json!(1.5), json!("12a"), json!(null), json!(u64::MAX)]
        {
            assert!(is_refused::<DialpadUserId>(wrong.clone()), "{wrong}");
        }
        let user: DialpadUserId = serde_json::from_value(json!("9223372036854775807")).unwrap();
        assert_eq!(user.0, DialpadId(i64::MAX));
        for wrong in [json!(""), json!(" \t"), json!(7), json!("x".repeat(256)), json!({})] {
            assert!(is_refused::<CrmUserId>(wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn a_grace_period_is_at_most_a_week() {
        assert!(!is_refused::<GraceSeconds>(json!(604_800)));
        for wrong in [json!(604_801), json!(-1), json!("60"), json!(1.5)] {
            assert!(is_refused::<GraceSeconds>(wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_read_with_any_offset_even_when_its_plus_sign_was_lost() {
        let utc: Moment = serde_json::from_value(json!("2026-01-31T09:30:00Z")).unwrap();
        let offset: Moment = serde_json::from_value(json!("2026-01-31T10:30:00 01:00")).unwrap();
        assert_eq!(utc, offset);
        assert!(is_refused::<Moment>(json!("yesterday")) && is_refused::<Moment>(json!("2026-01-31")));
    }

    #[test]
    fn a_number_is_read_even_when_its_plus_sign_was_lost() {
        let read = |text: &str| serde_json::from_value::<PhoneNumber>(json!(text)).unwrap().0;
        for text in ["+14155550160", "+1 (415) 555-0160", " 1 415.555.0160"] {
            assert_eq!(read(text), Number::E164("+14155550160".to_owned()), "{text}");
        }
        assert_eq!(read("12345"), Number::Other("12345".to_owned()));
        assert_eq!(read(" blocked"), Number::Other("blocked".to_owned()));
        assert_eq!(read("+"), Number::Other("+".to_owned()));
        assert!(is_refused::<PhoneNumber>(json!(" ")));
    }
}
