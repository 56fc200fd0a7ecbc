//! How long things took under all of this.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Error, stage::Stage};

/// Times by name.
#[derive(Debug, Default)]
pub(super) struct Measures(pub(super) Vec<(&'static str, Duration)>);

/// Reads them from the rows: from a delivery to its being applied, and from a return of the database to the first event
/// that is applied after it.
pub(super) async fn take(stage: &Stage, returns: &[DateTime<Utc>]) -> Result<Measures, Error> {
    let database = stage.database().await?;
    let sql = "SELECT percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (
                   ORDER BY (extract(epoch FROM processed_at - received_at) * 1000)::bigint)
               FROM webhook_events WHERE processed_at IS NOT NULL";
    let lags: Option<Vec<i64>> = database.query_one(sql, &[]).await?.get(0);
    let names = [
        "delivered to applied, half of them within",
        "delivered to applied, 99 of 100 within",
        "delivered to applied, the slowest",
    ];
    let lags = lags.unwrap_or_default().into_iter().map(milliseconds);
    let mut measures: Vec<_> = names.into_iter().zip(lags).collect();

    let sql = "SELECT min(processed_at) FROM webhook_events WHERE processed_at > $1";
    let mut recoveries = Vec::new();
    for returned in returns {
        let applied: Option<DateTime<Utc>> = database.query_one(sql, &[returned]).await?.get(0);
        // After the last return there may have been nothing to apply.
        recoveries.extend(applied.map(|applied| milliseconds((applied - returned).num_milliseconds())));
    }
    recoveries.sort_unstable();
    if let (Some(median), Some(slowest)) = (recoveries.get(recoveries.len() / 2), recoveries.last()) {
        measures.push(("database back to first event applied, median", *median));
        measures.push(("database back to first event applied, the slowest", *slowest));
    }
    Ok(Measures(measures))
}

fn milliseconds(number: i64) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}
