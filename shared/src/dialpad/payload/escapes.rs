//! Escapes that JSON allows and Postgres's `jsonb` refuses.

use std::borrow::Cow;

/// Doubles the backslash of every `\u0000` and of every surrogate without its other half, so that they become text that
/// shows what was sent. Everything else stays as it is. Doing it twice is the same as doing it once.
pub(super) fn doubled(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let mut kept_until = 0;
    let mut result = String::new();
    let mut at = 0;
    // In JSON a backslash only ever stands in a string, so there is no need to know where strings begin.
    while let Some(backslash) = bytes[at..].iter().position(|&byte| byte == b'\\').map(|found| at + found) {
        let (length, is_refused) = match (code_unit(bytes, backslash), code_unit(bytes, backslash + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, false),
            (Some(0 | 0xD800..=0xDFFF), _) => (6, true),
            (Some(_), _) => (6, false),
            (None, _) => (2, false),
        };
        if is_refused {
            result.push_str(&json[kept_until..backslash]);
            result.push('\\');
            kept_until = backslash;
        }
        at = (backslash + length).min(bytes.len());
    }
    if kept_until == 0 && result.is_empty() {
        return Cow::Borrowed(json);
    }
    result.push_str(&json[kept_until..]);
    Cow::Owned(result)
}

/// The UTF-16 code unit that is escaped at this place, as `\uXXXX`.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(value).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_takes_stays_as_it_is() {
        for json in
            [r#"{"a":"b"}"#, r#""\ud83d\ude00""#, r#""\\u0000""#, r#""\n\"\\\u00e9""#, "\"\u{1F600}\""]
        {
            assert!(matches!(doubled(json), Cow::Borrowed(same) if same == json), "{json}");
        }
    }

    #[test]
    fn what_jsonb_refuses_becomes_text() {
        for (sent, kept) in [
            (r#""\u0000""#, r#""\\u0000""#),
            (r#""a\u0000b\u0000""#, r#""a\\u0000b\\u0000""#),
            (r#""\\\u0000""#, r#""\\\\u0000""#),
            (r#""\ud83d""#, r#""\\ud83d""#),
            (r#""\uDE00\ud83d""#, r#""\\uDE00\\ud83d""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\\ud83d\ud83d\ude00""#),
            (r#""\ud83d\u0000""#, r#""\\ud83d\\u0000""#),
            (r#"{"\u0000":1}"#, r#"{"\\u0000":1}"#),
        ] {
            assert_eq!(doubled(sent), kept);
            assert_eq!(doubled(kept), kept, "twice is once");
        }
    }

    #[test]
    fn broken_json_is_left_to_the_parser() {
        for json in ["\\", r"\u", r"\u00", r"\u00zz", "\\é", "\\\u{1F600}", r"\ud83d\u"] {
            drop(doubled(json));
        }
    }
}
