//! `dialpad_connections`: which company an app is connected with, and its tokens, sealed.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, Row, types::Type};

use super::Result;
use crate::domain::{
    company::{Company, Connection, Hidden, Tokens},
    ids::{AppId, DialpadId},
};

/// The connection of an app.
#[derive(Clone, Debug)]
pub struct StoredConnection {
    /// How access was granted: `oauth` or `api_key`.
    pub kind: String,
    /// `connected`, `broken` or `disconnected`.
    pub status: String,
    /// The tokens; none when disconnected.
    pub tokens: Option<Tokens>,
    /// Grows with every exchange of the tokens.
    pub generation: i64,
    /// Who granted access.
    pub company: Company,
    /// When.
    pub connected_at: DateTime<Utc>,
}

impl StoredConnection {
    /// The tokens, if they can be used.
    #[must_use]
    pub fn usable(&self) -> Option<&Tokens> {
        self.tokens.as_ref().filter(|_| self.status == "connected")
    }
}

impl From<&Row> for StoredConnection {
    fn from(row: &Row) -> Self {
        let id = |column| row.get::<_, Option<i64>>(column).map(DialpadId);
        Self {
            kind: row.get("kind"),
            status: row.get("status"),
            tokens: row
                .get::<_, Option<String>>("sealed_tokens")
                .map(|sealed| Tokens { sealed: Hidden::new(sealed), expires_at: row.get("expires_at") }),
            generation: row.get("generation"),
            company: Company {
                company_id: id("company_id"),
                company_name: row.get("company_name"),
                office_id: id("office_id"),
                dialpad_user_id: id("dialpad_user_id"),
            },
            connected_at: row.get("connected_at"),
        }
    }
}

/// The connection of an app, if there ever was one.
pub async fn find(db: &(impl GenericClient + Sync), app_id: AppId) -> Result<Option<StoredConnection>> {
    let row = db
        .query_typed_opt(
            "-- dialpad_connections.find
             SELECT kind, status, sealed_tokens, generation, expires_at, company_id, company_name, office_id,
                 dialpad_user_id, connected_at
             FROM dialpad_connections WHERE app_id = $1",
            &[(&app_id.0, Type::UUID)],
        )
        .await?;
    Ok(row.as_ref().map(StoredConnection::from))
}

/// Connects an app, in place of what it was connected with before.
pub async fn save(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    kind: &str,
    connection: &Connection,
    now: DateTime<Utc>,
) -> Result<()> {
    let Connection { tokens, company } = connection;
    let number = |id: Option<DialpadId>| id.map(|id| id.0);
    db.execute_typed(
        "-- dialpad_connections.save
         INSERT INTO dialpad_connections AS c (app_id, kind, status, sealed_tokens, expires_at, company_id, company_name,
             office_id, dialpad_user_id, connected_at, updated_at)
         VALUES ($1, $2, 'connected', $3, $4, $5, $6, $7, $8, $9, $9)
         ON CONFLICT (app_id) DO UPDATE SET
             kind = excluded.kind, status = excluded.status, sealed_tokens = excluded.sealed_tokens,
             expires_at = excluded.expires_at, generation = c.generation + 1, refreshing_until = NULL,
             company_id = excluded.company_id, company_name = excluded.company_name, office_id = excluded.office_id,
             dialpad_user_id = excluded.dialpad_user_id, connected_at = excluded.connected_at,
             updated_at = excluded.updated_at",
        &[
            (&app_id.0, Type::UUID),
            (&kind, Type::TEXT),
            (&tokens.sealed.expose(), Type::TEXT),
            (&tokens.expires_at, Type::TIMESTAMPTZ),
            (&number(company.company_id), Type::INT8),
            (&company.company_name, Type::TEXT),
            (&number(company.office_id), Type::INT8),
            (&number(company.dialpad_user_id), Type::INT8),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Takes the right to exchange the tokens of this generation, until then. False: somebody else has it, or did it.
///
/// A lease and not a lock: nobody holds a connection to the database while Dialpad is asked, and one who dies meanwhile
/// stands in nobody's way for long.
pub async fn lease_refresh(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    generation: i64,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = db
        .execute_typed(
            "-- dialpad_connections.lease_refresh
             UPDATE dialpad_connections SET refreshing_until = $3
             WHERE app_id = $1 AND generation = $2 AND status = 'connected'
                 AND (refreshing_until IS NULL OR refreshing_until <= $4)",
            &[
                (&app_id.0, Type::UUID),
                (&generation, Type::INT8),
                (&until, Type::TIMESTAMPTZ),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Gives the right back without new tokens.
pub async fn release_refresh(db: &(impl GenericClient + Sync), app_id: AppId, generation: i64) -> Result<()> {
    db.execute_typed(
        "-- dialpad_connections.release_refresh
         UPDATE dialpad_connections SET refreshing_until = NULL WHERE app_id = $1 AND generation = $2",
        &[(&app_id.0, Type::UUID), (&generation, Type::INT8)],
    )
    .await?;
    Ok(())
}

/// Stores the tokens that those of this generation were exchanged for. False: the app was connected anew meanwhile.
pub async fn refreshed(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    generation: i64,
    tokens: &Tokens,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = db
        .execute_typed(
            "-- dialpad_connections.refreshed
             UPDATE dialpad_connections SET sealed_tokens = $3, expires_at = $4, generation = generation + 1,
                 refreshing_until = NULL, updated_at = $5
             WHERE app_id = $1 AND generation = $2 AND status = 'connected'",
            &[
                (&app_id.0, Type::UUID),
                (&generation, Type::INT8),
                (&tokens.sealed.expose(), Type::TEXT),
                (&tokens.expires_at, Type::TIMESTAMPTZ),
                (&now, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(updated == 1)
}

/// Notes that Dialpad does not accept the tokens of this generation any more.
pub async fn broken(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    generation: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- dialpad_connections.broken
         UPDATE dialpad_connections SET status = 'broken', refreshing_until = NULL, updated_at = $3
         WHERE app_id = $1 AND generation = $2 AND status = 'connected'",
        &[(&app_id.0, Type::UUID), (&generation, Type::INT8), (&now, Type::TIMESTAMPTZ)],
    )
    .await?;
    Ok(())
}

/// Forgets the tokens.
pub async fn disconnect(db: &(impl GenericClient + Sync), app_id: AppId, now: DateTime<Utc>) -> Result<bool> {
    let updated = db
        .execute_typed(
            "-- dialpad_connections.disconnect
             UPDATE dialpad_connections SET status = 'disconnected', sealed_tokens = NULL, expires_at = NULL,
                 generation = generation + 1, refreshing_until = NULL, updated_at = $2
             WHERE app_id = $1 AND status <> 'disconnected'",
            &[(&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(updated == 1)
}

/// Takes the right to make webhook and subscriptions, until then. False: somebody else is at it, or nothing is connected.
pub async fn lease_provisioning(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let updated = db
        .execute_typed(
            "-- dialpad_connections.lease_provisioning
             UPDATE dialpad_connections SET provisioning_until = $2
             WHERE app_id = $1 AND (provisioning_until IS NULL OR provisioning_until <= $3)",
            &[(&app_id.0, Type::UUID), (&until, Type::TIMESTAMPTZ), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(updated == 1)
}

/// Gives that right back.
pub async fn release_provisioning(db: &(impl GenericClient + Sync), app_id: AppId) -> Result<()> {
    db.execute_typed(
        "-- dialpad_connections.release_provisioning
         UPDATE dialpad_connections SET provisioning_until = NULL WHERE app_id = $1",
        &[(&app_id.0, Type::UUID)],
    )
    .await?;
    Ok(())
}
