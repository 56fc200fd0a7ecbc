//! One value of a payload, read as what the reader needs: types differ by year, by route, and by who wrote the row.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::value::RawValue;

use crate::domain::ids::DialpadId;

/// The end of the year 9999: what is later cannot be written as RFC 3339.
const LAST_MILLISECOND: i64 = 253_402_300_799_999;

/// Thirty years: what is longer is no duration of anything.
const LONGEST_MILLISECONDS: f64 = 1e12;

/// A value that is not null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a>(&'a str);

/// Why a value is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoId {
    /// It is no whole number above zero.
    NotANumber,
    /// It does not fit into 64 bits.
    TooLarge,
}

impl<'a> Member<'a> {
    /// A value, as JSON text.
    pub(super) fn new(json: &'a str) -> Option<Self> {
        (json != "null").then_some(Self(json))
    }

    /// The value as JSON text.
    pub(super) fn json(self) -> &'a str {
        self.0
    }

    /// A text that is more than white space, as it was written. A number counts as its digits.
    pub(super) fn text(self) -> Option<String> {
        let text = match self.0.as_bytes().first()? {
            b'"' => serde_json::from_str(self.0).ok()?,
            b'-' | b'0'..=b'9' => self.0.to_owned(),
            _ => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// A string that is more than white space; numbers are none.
    pub(super) fn word(self) -> Option<String> {
        self.0.starts_with('"').then(|| self.text()).flatten()
    }

    /// An id: digits, as a number or a string.
    pub(super) fn id(self) -> Result<DialpadId, NoId> {
        let text = self.text().ok_or(NoId::NotANumber)?;
        let text = text.trim();
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        let id = match text.parse::<i64>() {
            Ok(id) => id,
            Err(_) if is_whole => return Err(NoId::TooLarge),
            // 6.1e15 and 12.0 are whole numbers, too.
            Err(_) => whole(text).ok_or(NoId::NotANumber)?,
        };
        if id > 0 { Ok(DialpadId(id)) } else { Err(NoId::NotANumber) }
    }

    /// A duration in milliseconds.
    pub(super) fn milliseconds(self) -> Option<f64> {
        let number: f64 = self.text()?.trim().parse().ok()?;
        (0.0..=LONGEST_MILLISECONDS).contains(&number).then_some(number)
    }

    /// A time: milliseconds since 1970, or ISO 8601, which is taken as UTC where it names no zone.
    pub(super) fn time(self) -> Option<DateTime<Utc>> {
        let text = self.text()?;
        let text = text.trim();
        let milliseconds = text.parse().ok().or_else(|| {
            let number: f64 = text.parse().ok()?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "`as` saturates, and the range is checked below"
            )]
            let number = number.is_finite().then_some(number as i64);
            number
        });
        let time = match milliseconds {
            Some(milliseconds) => DateTime::from_timestamp_millis(milliseconds)?,
            None => DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok().or_else(|| {
                let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
                    .iter()
                    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
                Some(naive.and_utc())
            })?,
        };
        (1..=LAST_MILLISECOND).contains(&time.timestamp_millis()).then_some(time)
    }

    /// A truth value: a boolean, or one of the strings and numbers that stand for one.
    pub(super) fn truth(self) -> Option<bool> {
        let text = match self.0 {
            "true" | "false" => self.0.to_owned(),
            _ => self.text()?.trim().to_ascii_lowercase(),
        };
        match text.as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        }
    }

    /// The values in it, if it is an array; else itself.
    pub(super) fn each(self) -> Vec<Member<'a>> {
        if !self.0.starts_with('[') {
            return vec![self];
        }
        let values: Vec<&RawValue> = serde_json::from_str(self.0).unwrap_or_default();
        values.into_iter().filter_map(|value| Member::new(value.get())).collect()
    }
}

/// A number that is whole though it is not written so, as far as a float tells.
fn whole(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
    let id = (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Member<'_> {
        Member::new(json).unwrap()
    }

    #[test]
    fn an_id_is_a_number_or_its_digits() {
        for json in
            ["6100000000000001", "\"6100000000000001\"", "\" 6100000000000001 \"", "6.100000000000001e15"]
        {
            assert_eq!(of(json).id(), Ok(DialpadId(6_100_000_000_000_001)), "{json}");
        }
        assert_eq!(of("9223372036854775807").id(), Ok(DialpadId(i64::MAX)));
        assert_eq!(of("9223372036854775808").id(), Err(NoId::TooLarge));
        for json in ["0", "-5", "1.5", "\"\"", "\"abc\"", "true", "{}", "[1]", "1e400", "\"NaN\"", "1e19"] {
            assert_eq!(of(json).id(), Err(NoId::NotANumber), "{json}");
        }
    }

    #[test]
    fn a_time_is_milliseconds_or_iso() {
        let expected = DateTime::from_timestamp_millis(1_772_470_801_068);
        for json in [
            "1772470801068",
            "1772470801068.0",
            "\"1772470801068\"",
            "\"2026-03-02T17:00:01.068Z\"",
            "\"2026-03-02T18:00:01.068+01:00\"",
            "\"2026-03-02T17:00:01.068\"",
            "\"2026-03-02 17:00:01.068\"",
        ] {
            assert_eq!(of(json).time(), expected, "{json}");
        }
        for json in [
            "0",
            "-1",
            "1e300",
            "1e999",
            "\"inf\"",
            "9223372036854775807",
            "253402300800000",
            "\"\"",
            "{}",
            "true",
            "[]",
        ] {
            assert_eq!(of(json).time(), None, "{json}");
        }
    }

    #[test]
    fn a_duration_is_a_number_that_makes_sense() {
        assert_eq!(of("11989.972").milliseconds(), Some(11989.972));
        assert_eq!(of("\"95200\"").milliseconds(), Some(95200.0));
        assert_eq!(of("0").milliseconds(), Some(0.0));
        for json in ["-1", "1e400", "\"inf\"", "\"nan\"", "{}", "\"\"", "1e13", "false"] {
            assert_eq!(of(json).milliseconds(), None, "{json}");
        }
    }

    #[test]
    fn a_truth_value_has_many_spellings() {
        for json in ["true", "\"TRUE\"", "\"True\"", "1", "\"1\""] {
            assert_eq!(of(json).truth(), Some(true), "{json}");
        }
        for json in ["false", "\"FALSE\"", "0", "\"0\""] {
            assert_eq!(of(json).truth(), Some(false), "{json}");
        }
        for json in ["{}", "[]", "\"\"", "2", "\"maybe\""] {
            assert_eq!(of(json).truth(), None, "{json}");
        }
    }

    #[test]
    fn white_space_is_no_text() {
        assert_eq!(of("\" \\t\\n\"").text(), None);
        assert_eq!(of("\" a \"").text().as_deref(), Some(" a "));
        assert_eq!(of("14155550150").text().as_deref(), Some("14155550150"));
        assert_eq!(of("14155550150").word(), None);
        assert_eq!(of("{}").text(), None);
    }
}
