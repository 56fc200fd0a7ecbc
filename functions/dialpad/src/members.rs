//! Reading Dialpad's answers: 64-bit numbers come as numbers or as strings of digits.

use serde_json::Value;
use shared::domain::ids::DialpadId;

/// A whole number.
pub(crate) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// An id.
pub(crate) fn id(value: &Value) -> Option<DialpadId> {
    number(value).filter(|id| *id > 0).map(DialpadId)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_is_a_number_or_its_digits() {
        assert_eq!(id(&json!("9007199254740993")), Some(DialpadId(9_007_199_254_740_993)));
        assert_eq!(id(&json!(7)), Some(DialpadId(7)));
        for no_id in [json!(null), json!({}), json!(0), json!("-1"), json!("abc"), json!(1.5)] {
            assert_eq!(id(&no_id), None, "{no_id}");
        }
    }
}
