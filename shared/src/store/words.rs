//! Columns that hold one of an enum's words.

use std::str::FromStr;

use tokio_postgres::Row;

use super::{Error, Result};

/// The word of a column that may be null.
pub(super) fn nullable_word<T: FromStr>(
    row: &Row,
    table: &'static str,
    column: &'static str,
) -> Result<Option<T>> {
    let text: Option<&str> = row.get(column);
    text.map(|text| text.parse().map_err(|_| Error::Inconsistent { table, column })).transpose()
}

/// The word of a column that is never null.
pub(super) fn word<T: FromStr>(row: &Row, table: &'static str, column: &'static str) -> Result<T> {
    nullable_word(row, table, column)?.ok_or(Error::Inconsistent { table, column })
}
