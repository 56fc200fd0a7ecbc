//! Lists, newest first: where a page begins, and what came of asking for it.
//!
//! A cursor is the place of a row in the list (its time and its id), not a count of rows: paging by it neither skips nor
//! repeats a row while others are added.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::Result;

/// The place of a row in a list. Written as 48 hexadecimal digits, which mean nothing to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the row was made.
    pub created_at: DateTime<Utc>,
    /// Its id, which decides between rows of the same time.
    pub id: Uuid,
}

/// Text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a cursor")]
pub struct Malformed;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.created_at.timestamp_micros(), self.id.simple())
    }
}

impl FromStr for Cursor {
    type Err = Malformed;

    fn from_str(text: &str) -> std::result::Result<Self, Malformed> {
        // Three zeros: rows were made since 1970, and 2112 is far away.
        if text.len() != 48 || !text.starts_with("000") || !text.bytes().all(is_lower_hexdigit) {
            return Err(Malformed);
        }
        let micros = i64::from_str_radix(&text[..16], 16).map_err(|_| Malformed)?;
        let created_at = DateTime::from_timestamp_micros(micros).ok_or(Malformed)?;
        Ok(Self { created_at, id: Uuid::parse_str(&text[16..]).map_err(|_| Malformed)? })
    }
}

fn is_lower_hexdigit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the newest row.
    #[default]
    Newest,
    /// After the row of this cursor.
    After(Cursor),
    /// After this many rows.
    Offset(i64),
}

/// Which page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The most rows it may have.
    pub limit: i64,
    /// Where it begins.
    pub start: Start,
    /// Whether to count all rows that match.
    pub with_total: bool,
}

impl Request {
    /// A page from the newest row on.
    #[must_use]
    pub const fn newest(limit: i64) -> Self {
        Self { limit, start: Start::Newest, with_total: false }
    }

    /// The parameters of [`Window`], as values.
    pub(super) fn window(&self) -> Window {
        let (after, offset) = match self.start {
            Start::Newest => (None, 0),
            Start::After(cursor) => (Some(cursor), 0),
            Start::Offset(offset) => (None, offset),
        };
        Window {
            created_at: after.map(|cursor| cursor.created_at),
            id: after.map(|cursor| cursor.id),
            // One more than asked for tells whether there are more.
            rows: self.limit + 1,
            offset,
            with_total: self.with_total,
        }
    }
}

/// A page as five parameters of a statement: time and id of the cursor, rows, offset, and whether to count.
#[derive(Debug)]
pub(super) struct Window {
    created_at: Option<DateTime<Utc>>,
    id: Option<Uuid>,
    rows: i64,
    offset: i64,
    with_total: bool,
}

impl Window {
    /// The parameters, in this order.
    pub(super) fn parameters(&self) -> [(&(dyn ToSql + Sync), Type); 5] {
        [
            (&self.created_at, Type::TIMESTAMPTZ),
            (&self.id, Type::UUID),
            (&self.rows, Type::INT8),
            (&self.offset, Type::INT8),
            (&self.with_total, Type::BOOL),
        ]
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Its rows, newest first, each with its place in the list.
    pub rows: Vec<(Cursor, T)>,
    /// Whether there are more after it.
    pub has_more: bool,
    /// How many match in all, if that was asked for.
    pub total: Option<i64>,
}

impl<T> Page<T> {
    /// Reads the answer to a statement that gives one row with nulls when the page is empty, and none when the tenant does
    /// not exist. Each row has `id`, `created_at` and `total`.
    pub(super) fn read(rows: &[Row], limit: i64, read: impl Fn(&Row) -> Result<T>) -> Result<Option<Self>> {
        let Some(first) = rows.first() else { return Ok(None) };
        let total = first.get("total");
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(id) = row.get::<_, Option<Uuid>>("id") {
                page.push((Cursor { id, created_at: row.get("created_at") }, read(row)?));
            }
        }
        let limit = usize::try_from(limit).unwrap_or(0);
        let has_more = page.len() > limit;
        page.truncate(limit);
        Ok(Some(Self { rows: page, has_more, total }))
    }

    /// Says that there is more where a statement gave fewer rows than it `found`, lest the page become too large.
    pub(super) fn cut_short_of(self, rows: &[Row]) -> Self {
        let found = rows.first().and_then(|row| row.get::<_, Option<i64>>("found")).unwrap_or(0);
        let was_cut = i64::try_from(self.rows.len()).is_ok_and(|read| read < found);
        Self { has_more: self.has_more || was_cut, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_to_the_microsecond() {
        let cursor = Cursor {
            created_at: DateTime::from_timestamp_micros(1_780_000_000_123_456).unwrap(),
            id: Uuid::now_v7(),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let far = format!("{:016x}{}", i64::MAX, Uuid::nil().simple());
        for text in [
            "",
            "abc",
            &"x".repeat(48),
            &"é".repeat(24),
            &format!("+{}", "0".repeat(47)),
            &far,
            &"000F".repeat(12),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(Malformed), "{text}");
        }
    }
}
