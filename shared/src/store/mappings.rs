//! `dialpad_user_mappings`: which CRM user a Dialpad user is. Every change is in the audit trail.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};
use uuid::Uuid;

use super::{
    Result,
    page::{Listing, Page, Request},
};
use crate::domain::ids::{AppId, DialpadId, new_id};

/// A mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Its row.
    pub id: Uuid,
    /// The user in Dialpad.
    pub dialpad_user_id: DialpadId,
    /// The user in the CRM.
    pub crm_user_id: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

const COLUMNS: &str = "id, dialpad_user_id, crm_user_id, created_at, updated_at";

impl From<&Row> for Mapping {
    fn from(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            dialpad_user_id: DialpadId(row.get("dialpad_user_id")),
            crm_user_id: row.get("crm_user_id"),
            created_at: row.get("created_at"),
            updated_at: row.get("updated_at"),
        }
    }
}

/// What putting mappings did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Dialpad users that were not mapped before.
    pub created: i64,
    /// Dialpad users that were mapped to somebody else.
    pub updated: i64,
    /// Mappings that stood there already.
    pub unchanged: i64,
}

/// Creates or changes mappings, all in one statement. Call it with the app locked ([`super::apps::lock`]), and with no
/// Dialpad user twice.
pub async fn put(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    mappings: &[(DialpadId, &str)],
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<Counts> {
    let ids: Vec<Uuid> = mappings.iter().map(|_| new_id()).collect();
    let users: Vec<i64> = mappings.iter().map(|(user, _)| user.0).collect();
    let crm_users: Vec<&str> = mappings.iter().map(|(_, crm_user)| *crm_user).collect();
    let row = db
        .query_typed_one(
            "-- mappings.put
             WITH given AS (
                 SELECT * FROM unnest($2::uuid[], $3::bigint[], $4::text[]) AS g (id, dialpad_user_id, crm_user_id)),
             compared AS (
                 SELECT g.*, m.crm_user_id AS previous FROM given g
                 LEFT JOIN dialpad_user_mappings m ON m.app_id = $1 AND m.dialpad_user_id = g.dialpad_user_id),
             changed AS (SELECT * FROM compared WHERE previous IS DISTINCT FROM crm_user_id),
             written AS (
                 INSERT INTO dialpad_user_mappings (id, app_id, dialpad_user_id, crm_user_id, created_at, updated_at)
                 SELECT id, $1, dialpad_user_id, crm_user_id, $6, $6 FROM changed
                 ON CONFLICT (app_id, dialpad_user_id)
                 DO UPDATE SET crm_user_id = excluded.crm_user_id, updated_at = excluded.updated_at),
             audited AS (
                 INSERT INTO audit_log (app_id, action, detail, request_id, created_at)
                 SELECT $1, CASE WHEN previous IS NULL THEN 'mapping.created' ELSE 'mapping.updated' END,
                        jsonb_strip_nulls(jsonb_build_object('dialpad_user_id', dialpad_user_id::text,
                            'crm_user_id', crm_user_id, 'previous_crm_user_id', previous)), $5, $6
                 FROM changed)
             SELECT count(*) FILTER (WHERE previous IS NULL) AS created,
                    count(*) FILTER (WHERE previous <> crm_user_id) AS updated,
                    count(*) FILTER (WHERE previous = crm_user_id) AS unchanged
             FROM compared",
            &[
                (&app_id.0, Type::UUID),
                (&ids, Type::UUID_ARRAY),
                (&users, Type::INT8_ARRAY),
                (&crm_users, Type::TEXT_ARRAY),
                (&request_id, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(Counts { created: row.get("created"), updated: row.get("updated"), unchanged: row.get("unchanged") })
}

/// All mappings, newest first. `None`: there is no such app.
pub async fn list(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    request: &Request,
) -> Result<Option<Page<Mapping>>> {
    let listing = Listing {
        name: "mappings.list",
        columns: COLUMNS,
        table: ("dialpad_user_mappings", "m"),
        joins: "",
        place: ("created_at", "id"),
        matches: "app_id = $1",
        beside: None,
        texts: None,
    };
    listing.page(db, app_id, request, &[], |row| Ok(Mapping::from(row))).await
}

/// The mapping of a Dialpad user.
pub async fn of_dialpad_user(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    user: DialpadId,
) -> Result<Option<Mapping>> {
    let row = db
        .query_typed_opt(
            &format!(
                "-- mappings.of_dialpad_user
                 SELECT {COLUMNS} FROM dialpad_user_mappings WHERE app_id = $1 AND dialpad_user_id = $2"
            ),
            &[(&app_id.0, Type::UUID), (&user.0, Type::INT8)],
        )
        .await?;
    Ok(row.as_ref().map(Mapping::from))
}

/// The mappings of a CRM user, who may be several Dialpad users; the one changed last comes first.
pub async fn of_crm_user(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    crm_user: &str,
    limit: i64,
) -> Result<Vec<Mapping>> {
    let rows = db
        .query_typed(
            &format!(
                "-- mappings.of_crm_user
                 SELECT {COLUMNS} FROM dialpad_user_mappings WHERE app_id = $1 AND crm_user_id = $2
                 ORDER BY updated_at DESC, id DESC LIMIT $3"
            ),
            &[(&app_id.0, Type::UUID), (&crm_user, Type::TEXT), (&limit, Type::INT8)],
        )
        .await?;
    Ok(rows.iter().map(Mapping::from).collect())
}

/// What names a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Its own id.
    Own(Uuid),
    /// The Dialpad user.
    DialpadUser(DialpadId),
}

/// Removes a mapping; says whether there was one.
pub async fn delete(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    name: Name,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (own, user) = match name {
        Name::Own(id) => (Some(id), None),
        Name::DialpadUser(user) => (None, Some(user.0)),
    };
    let deleted = db
        .execute_typed(
            "-- mappings.delete
             WITH gone AS (
                 DELETE FROM dialpad_user_mappings WHERE app_id = $1 AND (id = $2 OR dialpad_user_id = $3)
                 RETURNING id, dialpad_user_id, crm_user_id)
             INSERT INTO audit_log (id, app_id, action, detail, request_id, created_at)
             SELECT $4, $1, 'mapping.deleted', jsonb_build_object('mapping_id', id,
                    'dialpad_user_id', dialpad_user_id::text, 'crm_user_id', crm_user_id), $5, $6
             FROM gone",
            &[
                (&app_id.0, Type::UUID),
                (&own, Type::UUID),
                (&user, Type::INT8),
                (&new_id(), Type::UUID),
                (&request_id, Type::TEXT),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(deleted == 1)
}
