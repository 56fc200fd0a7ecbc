//! What an app's rows tell when something seems not to work.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};

use super::Result;
use crate::domain::ids::{AppId, DialpadId};

/// Facts about an app.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whether it is switched on.
    pub is_active: bool,
    /// Keys that work now.
    pub live_keys: i64,
    /// Whether Dialpad's deliveries can be authenticated, or need not be.
    pub takes_deliveries: bool,
    /// When the last delivery came.
    pub last_delivery_at: Option<DateTime<Utc>>,
    /// Age of the oldest delivery that waits, in seconds.
    pub oldest_pending_seconds: Option<i64>,
    /// Deliveries that can never be applied.
    pub dead: i64,
    /// Deliveries that are kept aside, since they contradict an earlier one.
    pub conflicting: i64,
    /// Deliveries that tell of a voicemail.
    pub voicemail_deliveries: i64,
    /// Voicemails that are there.
    pub voicemails: i64,
    /// Dialpad users that are mapped.
    pub mappings: i64,
    /// Dialpad users with calls or voicemails in the last week who are not mapped, at most 20.
    pub unmapped: Vec<DialpadId>,
}

/// Collects the facts. `None`: there is no such app.
pub async fn facts(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    now: DateTime<Utc>,
) -> Result<Option<Facts>> {
    let row = db
        .query_typed_opt(
            "-- diagnosis.facts
             SELECT a.is_active, (a.webhook_secret IS NOT NULL OR a.allow_unsigned_webhooks) AS takes_deliveries,
                    (SELECT count(*) FROM api_keys k WHERE k.app_id = a.id AND k.revoked_at IS NULL
                       AND (k.expires_at IS NULL OR k.expires_at > $2)) AS live_keys,
                    e.last_delivery_at, e.dead, e.conflicting, e.voicemail_deliveries,
                    extract(epoch FROM $2 - e.oldest_pending_at)::bigint AS oldest_pending_seconds,
                    (SELECT count(*) FROM voicemails v WHERE v.app_id = a.id AND v.deleted_at IS NULL) AS voicemails,
                    (SELECT count(*) FROM dialpad_user_mappings m WHERE m.app_id = a.id) AS mappings,
                    ARRAY(
                        SELECT DISTINCT u.dialpad_user_id FROM (
                            SELECT dialpad_user_id FROM calls
                            WHERE app_id = a.id AND created_at > $2 - interval '7 days'
                            UNION ALL
                            SELECT dialpad_user_id FROM voicemails
                            WHERE app_id = a.id AND created_at > $2 - interval '7 days') AS u
                        WHERE u.dialpad_user_id IS NOT NULL AND NOT EXISTS (
                            SELECT FROM dialpad_user_mappings m
                            WHERE m.app_id = a.id AND m.dialpad_user_id = u.dialpad_user_id)
                        ORDER BY 1 LIMIT 20) AS unmapped
             FROM apps a, LATERAL (
                 SELECT max(received_at) FILTER (WHERE source = 'delivered') AS last_delivery_at,
                        count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead,
                        count(*) FILTER (WHERE conflicts_with IS NOT NULL) AS conflicting,
                        count(*) FILTER (WHERE event_type LIKE '%voicemail%') AS voicemail_deliveries,
                        min(received_at) FILTER (WHERE processed_at IS NULL AND dead_at IS NULL) AS oldest_pending_at
                 FROM webhook_events WHERE app_id = a.id) AS e
             WHERE a.id = $1",
            &[(&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.map(|row| Facts {
        is_active: row.get("is_active"),
        live_keys: row.get("live_keys"),
        takes_deliveries: row.get("takes_deliveries"),
        last_delivery_at: row.get("last_delivery_at"),
        oldest_pending_seconds: row.get("oldest_pending_seconds"),
        dead: row.get("dead"),
        conflicting: row.get("conflicting"),
        voicemail_deliveries: row.get("voicemail_deliveries"),
        voicemails: row.get("voicemails"),
        mappings: row.get("mappings"),
        unmapped: row.get::<_, Vec<i64>>("unmapped").into_iter().map(DialpadId).collect(),
    }))
}
