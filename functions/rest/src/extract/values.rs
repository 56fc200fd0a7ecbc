//! Values that are checked when they are read, so that a handler gets only good ones and a mistake names its field.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, de::Error as _};
use shared::domain::ids::DialpadId;

/// The name of an app: 1 to 200 characters, without space around them.
#[derive(Clone, Debug)]
pub(crate) struct AppName(pub(crate) String);

impl<'de> Deserialize<'de> for AppName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?.trim().to_owned();
        text(&name, 200).map_err(D::Error::custom)?;
        Ok(Self(name))
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
        let id = DialpadId::deserialize(deserializer)?;
        if id.0 > 0 { Ok(Self(id)) } else { Err(D::Error::custom("must be positive")) }
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

/// A number as calls have it: E.164 without what people write between the digits. Other texts (a short code, `blocked`)
/// stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PhoneNumber(pub(crate) String);

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(D::Error::custom("must not be empty"));
        }
        Ok(Self(normalised(&text)))
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn normalised(text: &str) -> String {
    let is_formatting = |letter: char| matches!(letter, ' ' | '\u{a0}' | '-' | '.' | '/' | '(' | ')');
    // A plus sign reads as a space where it was not encoded in the query.
    let international = text.starts_with(['+', ' ']);
    let digits: String =
        text.trim().trim_start_matches('+').chars().filter(|letter| !is_formatting(*letter)).collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.trim().to_owned();
    }
    if international { format!("+{digits}") } else { digits }
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
    fn numbers_are_compared_without_what_people_write_between_the_digits() {
        for text in ["+14155550160", "+1 (415) 555-0160", " 1 415.555.0160"] {
            assert_eq!(normalised(text), "+14155550160", "{text}");
        }
        assert_eq!(normalised("12345"), "12345");
        assert_eq!(normalised(" blocked"), "blocked");
        assert_eq!(normalised("+"), "+");
    }
}
