//! One batch of one app: read, fold, write, all in one transaction of the caller.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures_util::try_join;
use shared::{
    domain::ids::AppId,
    phone::Region,
    store::{Client, Result, agents, event_log, folding, inbox, messages},
};

use crate::{
    erased,
    frames::{self, Written},
    plan::{Grouping, Plan, Read},
    told::Deliveries,
    traces::{Causes, Traces},
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

/// A batch that was applied.
pub(crate) struct Applied {
    /// What became of the deliveries.
    pub(crate) deliveries: Deliveries,
    /// What clients are to be told.
    pub(crate) written: Written,
    /// Whether they are to be told at all.
    pub(crate) is_active: bool,
}

/// Applies up to `limit` due events of the app.
pub(crate) async fn apply(
    tx: &Client,
    app_id: AppId,
    limit: i64,
    traces: &Traces,
    now: DateTime<Utc>,
) -> Result<Batch> {
    let Some(last_seq) = inbox::lock_stream(tx, app_id).await? else { return Ok(Batch::Busy) };
    let (terms, pending) = try_join!(inbox::terms(tx, app_id), inbox::pending(tx, app_id, now, limit))?;
    if pending.is_empty() {
        return Ok(Batch::NothingDue);
    }
    let waited_since = pending.iter().map(inbox::PendingEvent::waits_since).collect();
    let pending =
        if terms.has_erasures { erased::without_erased(tx, app_id, pending).await? } else { pending };
    // The database holds nothing that is no region; were it otherwise, national numbers would stay as they are.
    let region = terms.default_region.and_then(|code| code.parse().ok());
    let read = Read::new(pending, region);
    let plan = plan(tx, app_id, &read, region).await?;
    let causes = Causes::new(&read.finished, traces);
    let written = write(tx, app_id, &read, &plan, &causes, last_seq, now).await?;
    let Read { finished, unreadable, conflicting, unrecognised, .. } = read;
    let deliveries = Deliveries { finished, unreadable, conflicting, unrecognised, waited_since };
    Ok(Batch::Applied(Applied { deliveries, written, is_active: terms.is_active }))
}

/// Reads what the events' conversations, messages and agents are so far, and folds.
async fn plan(tx: &Client, app_id: AppId, read: &Read, region: Option<Region>) -> Result<Plan> {
    let (mentioned, messages, agents) = (read.events.legs(), read.events.messages(), read.events.agents());
    let links =
        if mentioned.is_empty() { HashMap::new() } else { folding::links(tx, app_id, &mentioned).await? };
    let grouping = Grouping::new(&read.events.calls, links);
    let legs = grouping.legs();
    let (applied, agents) = try_join!(
        async {
            if legs.is_empty() && messages.is_empty() {
                Ok(Vec::new())
            } else {
                folding::applied_events(tx, app_id, &legs, &messages).await
            }
        },
        async { if agents.is_empty() { Ok(Vec::new()) } else { agents::known(tx, app_id, &agents).await } },
    )?;
    Ok(Plan::new(&read.events, grouping, &applied, &agents, region))
}

/// Writes what the plan says; gives the new entries of the event log.
async fn write(
    tx: &Client,
    app_id: AppId,
    read: &Read,
    plan: &Plan,
    causes: &Causes<'_>,
    last_seq: i64,
    now: DateTime<Utc>,
) -> Result<Written> {
    let (legs, messages, users) = (plan.calls.legs(), plan.messages.ids(), plan.users());
    let known = if legs.is_empty() && messages.is_empty() && users.is_empty() {
        folding::Known::default()
    } else {
        folding::known(tx, app_id, &legs, &messages, &users).await?
    };
    let rows = plan.rows(&known);
    let written = frames::log(app_id, plan, &rows, &known, causes, last_seq, now);
    let log = &written.events;
    // Independent statements, sent without waiting for one another.
    try_join!(
        unless(plan.calls.links.is_empty(), folding::save_links(tx, app_id, &plan.calls.links)),
        unless(rows.calls.is_empty(), folding::save_calls(tx, app_id, &rows.calls, now)),
        unless(rows.voicemails.is_empty(), folding::save_voicemails(tx, app_id, &rows.voicemails, now)),
        unless(rows.messages.is_empty(), messages::save(tx, app_id, &rows.messages, now)),
        unless(rows.agents.is_empty(), agents::save(tx, app_id, &rows.agents, now)),
        unless(log.is_empty(), event_log::append(tx, app_id, log, now)),
        unless(read.finished.is_empty(), inbox::finish(tx, app_id, &read.finished, now)),
        unless(read.unreadable.is_empty(), inbox::give_up(tx, app_id, &read.unreadable, now)),
        unless(read.conflicting.is_empty(), inbox::leave_aside(tx, app_id, &read.conflicting, now)),
    )?;
    Ok(written)
}

/// Does it unless there is nothing to do.
async fn unless(there_is_nothing: bool, it: impl Future<Output = Result<()>>) -> Result<()> {
    if there_is_nothing { Ok(()) } else { it.await }
}
