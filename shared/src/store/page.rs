//! Lists, newest first: where a page begins, and what came of asking for it.
//!
//! A cursor is the place of a row in the list (its time and its id), not a count of rows: paging by it neither skips nor
//! repeats a row while others are added.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use tokio_postgres::{
    GenericClient, Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::Result;
use crate::domain::ids::AppId;

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

/// The most bytes of long texts that one page reads, so that neither the function's memory nor its answer overflows.
const MAX_TEXTS: i64 = 4 * 1024 * 1024;

/// A list of one tenant's: what its statement has of its own.
pub(super) struct Listing<'a> {
    /// The function, as the statement's comment names it.
    pub(super) name: &'static str,
    /// What a row has; `id` and `created_at` are among it.
    pub(super) columns: &'a str,
    /// The table, and what it is called in the statement.
    pub(super) table: (&'a str, &'a str),
    /// What is looked up for each row of the page. A join that adds or drops rows does not belong here.
    pub(super) joins: &'a str,
    /// The row's place in the list, as the table has it: its time and its id.
    pub(super) place: (&'a str, &'a str),
    /// Which rows: `$1` is the tenant, and what a caller filters by begins with `$7`.
    pub(super) matches: &'a str,
    /// What the answer says of the tenant besides, if anything.
    pub(super) beside: Option<&'a str>,
    /// A column of long texts: the page ends early when there are too many bytes of them.
    pub(super) texts: Option<&'a str>,
}

/// A parameter of a statement.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

impl Listing<'_> {
    /// A page, newest row first. `None`: there is no such app.
    pub(super) async fn page<T>(
        &self,
        db: &(impl GenericClient + Sync),
        app_id: AppId,
        request: &Request,
        filters: &[Parameter<'_>],
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Option<Page<T>>> {
        let rows = self.rows(db, app_id, request, filters).await?;
        self.read(&rows, request, read)
    }

    /// The page's rows, for a list that tells more than them.
    pub(super) async fn rows(
        &self,
        db: &(impl GenericClient + Sync),
        app_id: AppId,
        request: &Request,
        filters: &[Parameter<'_>],
    ) -> Result<Vec<Row>> {
        let window = request.window();
        let mut parameters: Vec<Parameter<'_>> = vec![(&app_id.0, Type::UUID)];
        parameters.extend(window.parameters());
        parameters.extend_from_slice(filters);
        Ok(db.query_typed(&self.statement(), &parameters).await?)
    }

    /// Reads what [`Self::rows`] gave.
    pub(super) fn read<T>(
        &self,
        rows: &[Row],
        request: &Request,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Option<Page<T>>> {
        let page = Page::read(rows, request.limit, read)?;
        Ok(if self.texts.is_some() { page.map(|page| page.cut_short_of(rows)) } else { page })
    }

    /// One row with nulls when the page is empty, and none when there is no such app. The page is cut before anything is
    /// looked up: so a far page costs its rows and not those before it.
    fn statement(&self) -> String {
        let Self { name, columns, table: (table, alias), joins, place: (time, id), matches, .. } = self;
        let beside = self.beside.map(|beside| format!("{beside}, ")).unwrap_or_default();
        let (measured, fits) = match self.texts {
            None => (String::new(), "true".to_owned()),
            Some(column) => (
                format!(
                    ", count(*) OVER () AS found, coalesce(sum(octet_length({column})) OVER (
                        ORDER BY created_at DESC, id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before"
                ),
                format!("page.before < {MAX_TEXTS}"),
            ),
        };
        format!(
            "-- {name}
             WITH matching AS (
                 SELECT {columns} FROM (
                     SELECT * FROM {table} AS {alias} WHERE {matches}
                       AND ($2::timestamptz IS NULL OR ({time}, {id}) < ($2, $3))
                     ORDER BY {time} DESC, {id} DESC LIMIT $4 OFFSET $5) AS {alias} {joins}),
             page AS (SELECT *{measured} FROM matching)
             SELECT {beside}CASE WHEN $6 THEN (SELECT count(*) FROM {table} AS {alias} WHERE {matches}) END AS total, page.*
             FROM apps a LEFT JOIN page ON {fits}
             WHERE a.id = $1 ORDER BY page.created_at DESC, page.id DESC"
        )
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
    fn cut_short_of(self, rows: &[Row]) -> Self {
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
