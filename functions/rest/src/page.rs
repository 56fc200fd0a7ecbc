//! Lists: the parameters that every one takes, and the answer that every one gives.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use shared::store::page::{Cursor, Page, Request, Start};
use utoipa::ToSchema;

use crate::error::{Error, Result};

/// What a Lambda function may answer is 6 MB, after the text was written into another JSON text.
const MAX_ANSWER_BYTES: usize = 5 * 1024 * 1024;

const DEFAULT_LIMIT: i64 = 50;

/// How many rows are wanted: 1 to 100.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(i64);

impl Limit {
    pub(crate) fn or_default(limit: Option<Self>) -> i64 {
        limit.map_or(DEFAULT_LIMIT, |limit| limit.0)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        within(deserializer, 1, 100).map(Self)
    }
}

/// How many rows are skipped: 0 to 10,000.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offset(i64);

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        within(deserializer, 0, 10_000).map(Self)
    }
}

fn within<'de, D: Deserializer<'de>>(deserializer: D, least: i64, most: i64) -> Result<i64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| D::Error::custom(format!("must be a whole number from {least} to {most}")))
}

/// A cursor as an earlier page gave it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct After(Cursor);

impl<'de> Deserialize<'de> for After {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| D::Error::custom("must be the next_cursor of an earlier page"))
    }
}

/// What more a list is to tell.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Include {
    /// How many rows match in all.
    Total,
}

/// The page that these parameters ask for.
pub(crate) fn request(
    limit: Option<Limit>,
    cursor: Option<After>,
    offset: Option<Offset>,
    include: Option<Include>,
) -> Result<Request> {
    let start = match (cursor, offset) {
        (None, None) => Start::Newest,
        (Some(cursor), None) => Start::After(cursor.0),
        (None, Some(offset)) => Start::Offset(offset.0),
        (Some(_), Some(_)) => return Err(Error::invalid("offset", "cannot be given together with cursor")),
    };
    let with_total = offset.is_some() || matches!(include, Some(Include::Total));
    Ok(Request { limit: Limit::or_default(limit), start, with_total })
}

/// Defines the query of a list: parameters of its own, which are all optional, and those of every list.
macro_rules! list_query {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$field_meta])* $field: Option<$type>,)*
            /// How many rows, 50 without it.
            #[param(value_type = Option<i64>, minimum = 1, maximum = 100)]
            limit: Option<$crate::page::Limit>,
            /// Begin after the page that gave this `next_cursor`. Not together with `offset`.
            #[param(value_type = Option<$crate::schema::Cursor>, inline)]
            cursor: Option<$crate::page::After>,
            /// Begin after this many rows. Rows that come meanwhile move the others: a cursor does not have that.
            #[param(value_type = Option<i64>, minimum = 0, maximum = 10_000)]
            offset: Option<$crate::page::Offset>,
            /// `total`: count all rows that match, as `offset` does by itself.
            #[param(value_type = Option<$crate::schema::Include>, inline)]
            include: Option<$crate::page::Include>,
        }

        impl $name {
            /// The page that is asked for.
            fn page(&self) -> $crate::error::Result<shared::store::page::Request> {
                $crate::page::request(self.limit, self.cursor, self.offset, self.include)
            }
        }
    };
}
pub(crate) use list_query;

/// Where a page stands in its list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Pagination {
    /// The most rows the page may have.
    limit: i64,
    /// How many rows were skipped, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    /// How many rows match in all, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    /// Whether there are more rows after this page. A page of long texts may end before its limit.
    has_more: bool,
    /// The cursor of the next page, if there is one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A page of a list, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// Always true.
    success: bool,
    /// The rows.
    data: Vec<T>,
    /// Where the page stands.
    pagination: Pagination,
}

impl<T: Serialize> List<T> {
    /// The answer for a page; it ends early rather than become larger than an answer may be.
    pub(crate) fn new<R>(page: Page<R>, request: &Request, view: impl Fn(R) -> T) -> Self {
        let mut data = Vec::with_capacity(page.rows.len());
        let (mut bytes, mut last, mut has_more) = (0, None, page.has_more);
        for (cursor, row) in page.rows {
            let item = view(row);
            bytes += written_bytes(&item);
            if bytes > MAX_ANSWER_BYTES && !data.is_empty() {
                has_more = true;
                break;
            }
            data.push(item);
            last = Some(cursor);
        }
        let offset = match request.start {
            Start::Offset(offset) => Some(offset),
            Start::Newest | Start::After(_) => None,
        };
        let next_cursor = last.filter(|_| has_more).map(|cursor: Cursor| cursor.to_string());
        let pagination =
            Pagination { limit: request.limit, offset, total: page.total, has_more, next_cursor };
        Self { success: true, data, pagination }
    }

    /// The rows and where they stand, for an answer that has more to tell.
    pub(crate) fn into_parts(self) -> (Vec<T>, Pagination) {
        (self.data, self.pagination)
    }
}

/// How large a value is in an answer of a Lambda function, which is a JSON text in a JSON text.
fn written_bytes(value: &impl Serialize) -> usize {
    struct Counter(usize);

    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let escaped = bytes.iter().filter(|byte| matches!(**byte, b'"' | b'\\')).count();
            self.0 += bytes.len() + escaped;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(1);
    // A value that cannot be written fails where it is written.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn page(rows: usize, text: &str) -> Page<String> {
        let cursor = Cursor { created_at: DateTime::UNIX_EPOCH, id: Uuid::nil() };
        Page { rows: vec![(cursor, text.to_owned()); rows], has_more: false, total: None }
    }

    #[test]
    fn a_page_that_would_be_too_large_ends_early_and_says_so() {
        let quotes = "\"".repeat(1024 * 1024);
        let list = List::new(page(5, &quotes), &Request::newest(50), |text| text);
        // Each quotation mark becomes \" in the text, and \\\" in the text around it.
        assert_eq!(list.data.len(), 1);
        assert!(list.pagination.has_more && list.pagination.next_cursor.is_some());
        let huge = List::new(page(1, &quotes.repeat(6)), &Request::newest(50), |text| text);
        assert_eq!((huge.data.len(), huge.pagination.has_more), (1, false));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let list = List::new(page(3, "short"), &Request::newest(50), |text| text);
        let written = serde_json::to_value(&list).unwrap();
        let expected = serde_json::json!({"limit": 50, "has_more": false, "next_cursor": null});
        assert_eq!(written["pagination"], expected);
    }
}
