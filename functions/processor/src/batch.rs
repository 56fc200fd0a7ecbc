//! One batch of one app: read, fold, write, all in one transaction.

use chrono::{DateTime, Utc};
use futures_util::future::try_join5;
use shared::{
    domain::ids::{AppId, DialpadId},
    store::{
        Connection, Result, Transaction,
        event_log::{self, LoggedEvent},
        folding, inbox,
    },
};

use crate::{
    frames,
    plan::{Plan, Read},
};

/// What became of a batch.
pub(crate) enum Batch {
    /// Events were applied.
    Applied(Applied),
    /// No event is due.
    NothingDue,
    /// Another worker has the app, or there is no such app.
    Busy,
}

/// A batch that was applied and committed.
pub(crate) struct Applied {
    /// How many events.
    pub(crate) events: usize,
    /// How many of them can never be read.
    pub(crate) dead: usize,
    /// What clients are to be told.
    pub(crate) log: Vec<LoggedEvent>,
    /// Whether they are to be told at all.
    pub(crate) is_active: bool,
}

/// Applies up to `limit` due events of the app, and marks `handed_over` entries of its log.
pub(crate) async fn apply(
    db: &mut Connection,
    app_id: AppId,
    limit: i64,
    handed_over: &[i64],
    now: DateTime<Utc>,
) -> Result<Batch> {
    let tx = db.begin().await?;
    let Some(stream) = inbox::lock_stream(&tx, app_id).await? else { return Ok(Batch::Busy) };
    if !handed_over.is_empty() {
        event_log::mark_handed_over(&tx, app_id, handed_over, now).await?;
    }
    let pending = inbox::pending(&tx, app_id, now, limit).await?;
    if pending.is_empty() {
        tx.commit().await?;
        return Ok(Batch::NothingDue);
    }
    let events = pending.len();
    let read = Read::new(pending);
    let plan = plan(&tx, app_id, &read).await?;
    let log = write(&tx, app_id, &read, &plan, stream.last_seq, now).await?;
    tx.commit().await?;
    Ok(Batch::Applied(Applied { events, dead: read.unreadable.len(), log, is_active: stream.is_active }))
}

/// Reads what the events' conversations are so far, and folds.
async fn plan(tx: &Transaction<'_>, app_id: AppId, read: &Read) -> Result<Plan> {
    if read.events.is_empty() {
        return Ok(Plan::default());
    }
    let links = folding::links(tx, app_id, &read.mentioned()).await?;
    let grouping = read.group(links);
    let applied = folding::applied_events(tx, app_id, &grouping.legs()).await?;
    Ok(Plan::new(read, grouping, &applied))
}

/// Writes what the plan says; gives the new entries of the event log.
async fn write(
    tx: &Transaction<'_>,
    app_id: AppId,
    read: &Read,
    plan: &Plan,
    last_seq: i64,
    now: DateTime<Utc>,
) -> Result<Vec<LoggedEvent>> {
    let legs: Vec<DialpadId> = plan.legs().map(|leg| leg.call_id).collect();
    let known = if legs.is_empty() {
        folding::Known::default()
    } else {
        folding::known(tx, app_id, &legs, &plan.users()).await?
    };
    let rows = plan.rows(&known);
    let log = frames::log(app_id, plan, &rows, &known, last_seq, now);
    // Independent statements, sent without waiting for one another.
    try_join5(
        async {
            if plan.links.is_empty() { Ok(()) } else { folding::save_links(tx, app_id, &plan.links).await }
        },
        async {
            if rows.calls.is_empty() {
                Ok(())
            } else {
                folding::save_calls(tx, app_id, &rows.calls, now).await
            }
        },
        async {
            if rows.voicemails.is_empty() {
                Ok(())
            } else {
                folding::save_voicemails(tx, app_id, &rows.voicemails, now).await
            }
        },
        async { if log.is_empty() { Ok(()) } else { event_log::append(tx, app_id, &log, now).await } },
        async {
            if !read.finished.is_empty() {
                inbox::finish(tx, app_id, &read.finished, now).await?;
            }
            if !read.unreadable.is_empty() {
                inbox::give_up(tx, app_id, &read.unreadable, now).await?;
            }
            Ok(())
        },
    )
    .await?;
    Ok(log)
}
