//! Takes a person out of a payload or a frame: the number, and whatever was said, written or named beside it.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::ids::AppId;

/// Members that say who the person outside is, what was said, or where it can be heard. What else there is (ids, times,
/// states, who of the company it was for) stays, so that the call goes on being the same call.
const PERSONAL: [&str; 15] = [
    "contact",
    "contact_name",
    "text",
    "text_content",
    "mms_url",
    "transcript",
    "transcription_text",
    "recap_summary",
    "voicemail_link",
    "voicemail_recording_id",
    "recording_url",
    "admin_recording_urls",
    "custom_data",
    "url",
    "csat_transcript",
];

/// Fewer digits are an extension or a short code, which is nobody's.
const FEWEST_DIGITS: usize = 7;

/// A phone number by its digits, so that it is found however it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(String);

impl Number {
    /// Reads a number; `None` if it has too few digits to be somebody's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_written_in_numbers = |letter: char| {
            letter.is_ascii_digit() || matches!(letter, '+' | ' ' | '-' | '.' | '(' | ')' | '/')
        };
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        // E.164 allows 15 digits; Dialpad's ids have 16.
        let is_number =
            (FEWEST_DIGITS..=15).contains(&digits.len()) && text.chars().all(is_written_in_numbers);
        is_number.then_some(Self(digits))
    }

    /// Its digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// What is kept of an erased number: enough to know it when it comes again, and no more.
    #[must_use]
    pub fn hash(&self, app_id: AppId) -> Vec<u8> {
        Sha256::new().chain_update(app_id.0.as_bytes()).chain_update(self.0.as_bytes()).finalize().to_vec()
    }

    /// Whether a text is this number, perhaps without its country.
    fn is(&self, text: &str) -> bool {
        Self::parse(text).is_some_and(|other| {
            self.0 == other.0
                || (other.0.len() >= FEWEST_DIGITS + 2 && self.0.ends_with(&other.0))
                || (self.0.len() >= FEWEST_DIGITS + 2 && other.0.ends_with(&self.0))
        })
    }
}

/// Every number that stands in a payload.
#[must_use]
pub fn numbers(json: &str) -> Vec<Number> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(json) {
        collect(&value, &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut Vec<Number>) {
    match value {
        Value::String(text) => found.extend(Number::parse(text).filter(|number| !found.contains(number))),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(members) => members.values().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The payload or frame without the person; `None` if nothing of the person is in it. What is no JSON object is emptied.
#[must_use]
pub fn erase(json: &str, number: &Number) -> Option<String> {
    let Ok(mut value @ Value::Object(_)) = serde_json::from_str::<Value>(json) else {
        return json.contains(number.digits()).then(|| "{}".to_owned());
    };
    without(&mut value, number).then(|| value.to_string())
}

/// Says whether anything was taken out.
fn without(value: &mut Value, number: &Number) -> bool {
    match value {
        Value::Object(members) => members.iter_mut().fold(false, |changed, (name, value)| {
            let is_personal = PERSONAL.contains(&name.as_str()) && !value.is_null();
            if is_personal {
                *value = Value::Null;
            }
            (is_personal || without(value, number)) || changed
        }),
        Value::Array(values) => {
            // Not `any`, which would stop at the first.
            values.iter_mut().map(|value| without(value, number)).fold(false, |changed, is| changed | is)
        }
        Value::String(text) if number.is(text) => {
            *value = Value::Null;
            true
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ids::new_id;

    fn number() -> Number {
        Number::parse("+1 (415) 555-0160").unwrap()
    }

    #[test]
    fn the_person_goes_and_the_call_stays() {
        let payload = json!({
            "call_id": 5_100_000_000_000_001_i64, "state": "hangup", "external_number": "+14155550160",
            "internal_number": "+14155550101", "contact": {"name": "Robin Caller", "phone": "(415) 555-0160"},
            "target": {"id": 7, "type": "user", "name": "Ada Sample"}, "transcription_text": "Hello",
            "recording_details": [{"id": "1", "url": "https://d/r", "duration": 5}], "to_number": ["14155550160", "x"],
        });
        let erased: Value = serde_json::from_str(&erase(&payload.to_string(), &number()).unwrap()).unwrap();
        let expected = json!({
            "call_id": 5_100_000_000_000_001_i64, "state": "hangup", "external_number": null,
            "internal_number": "+14155550101", "contact": null,
            "target": {"id": 7, "type": "user", "name": "Ada Sample"}, "transcription_text": null,
            "recording_details": [{"id": "1", "url": null, "duration": 5}], "to_number": [null, "x"],
        });
        assert_eq!(erased, expected);
        assert_eq!(erase(&erased.to_string(), &number()), None, "twice is once");
    }

    #[test]
    fn ids_are_no_numbers_and_a_number_is_known_without_its_country() {
        assert!(Number::parse("5100000000000001").is_none() && Number::parse("911").is_none());
        assert!(Number::parse("blocked").is_none() && Number::parse("+1415555x160").is_none());
        assert!(number().is("415-555-0160") && !number().is("+14155550161") && !number().is("5550160"));
        let found = numbers(r#"{"a":["+14155550160",{"b":"+14155550160"}],"c":14155550160,"d":"text"}"#);
        assert_eq!(found.iter().map(Number::digits).collect::<Vec<_>>(), ["14155550160"]);
    }

    #[test]
    fn what_cannot_be_read_is_emptied() {
        assert_eq!(erase(r#""{\"external_number\":\"+14155550160\"""#, &number()).unwrap(), "{}");
        assert_eq!(erase(r#""something else""#, &number()), None);
    }

    #[test]
    fn the_hash_is_the_apps_own() {
        let (one, other) = (AppId(new_id()), AppId(new_id()));
        assert_eq!(number().hash(one), Number::parse("14155550160").unwrap().hash(one));
        assert_ne!(number().hash(one), number().hash(other));
    }
}
