//! `dialpad_authorizations`: links at which a person connects a company, and the state of each who follows one.

use chrono::{DateTime, Utc};
use tokio_postgres::{GenericClient, types::Type};

use super::Result;
use crate::domain::{company::Hidden, ids::AppId};

/// The state of a person who was sent to Dialpad.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The app that the company is to be connected with.
    pub app_id: AppId,
    /// The PKCE verifier, sealed.
    pub sealed_verifier: Hidden,
    /// Where Dialpad was told to send the person back to.
    pub redirect_uri: String,
}

/// Stores a link.
pub async fn insert_link(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    hash: &[u8],
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- dialpad_authorizations.insert_link
         INSERT INTO dialpad_authorizations (token_hash, app_id, kind, created_at, expires_at)
         VALUES ($1, $2, 'link', $3, $4)",
        &[
            (&hash, Type::BYTEA),
            (&app_id.0, Type::UUID),
            (&now, Type::TIMESTAMPTZ),
            (&expires_at, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Whether a link is one that was given out for this app, and not too long ago. It may be followed again: whoever
/// looks at a link before handing it on, a mail program for example, must not use it up.
pub async fn is_link(
    db: &(impl GenericClient + Sync),
    app_id: AppId,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = db
        .query_typed_opt(
            "-- dialpad_authorizations.is_link
             SELECT FROM dialpad_authorizations
             WHERE token_hash = $1 AND app_id = $2 AND kind = 'link' AND expires_at > $3",
            &[(&hash, Type::BYTEA), (&app_id.0, Type::UUID), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.is_some())
}

/// Stores the state of a person who is sent to Dialpad.
pub async fn begin(
    db: &(impl GenericClient + Sync),
    begun: &Begun,
    hash: &[u8],
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    db.execute_typed(
        "-- dialpad_authorizations.begin
         INSERT INTO dialpad_authorizations (token_hash, app_id, kind, sealed_verifier, redirect_uri, created_at, expires_at)
         VALUES ($1, $2, 'state', $3, $4, $5, $6)",
        &[
            (&hash, Type::BYTEA),
            (&begun.app_id.0, Type::UUID),
            (&begun.sealed_verifier.expose(), Type::TEXT),
            (&begun.redirect_uri, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
            (&expires_at, Type::TIMESTAMPTZ),
        ],
    )
    .await?;
    Ok(())
}

/// Uses a state up, if it is good: of two who try at once, one gets it.
pub async fn redeem(
    db: &(impl GenericClient + Sync),
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Begun>> {
    let row = db
        .query_typed_opt(
            "-- dialpad_authorizations.redeem
             UPDATE dialpad_authorizations SET used_at = $2
             WHERE token_hash = $1 AND kind = 'state' AND used_at IS NULL AND expires_at > $2
             RETURNING app_id, sealed_verifier, redirect_uri",
            &[(&hash, Type::BYTEA), (&now, Type::TIMESTAMPTZ)],
        )
        .await?;
    Ok(row.map(|row| Begun {
        app_id: AppId(row.get("app_id")),
        sealed_verifier: Hidden::new(row.get::<_, String>("sealed_verifier")),
        redirect_uri: row.get("redirect_uri"),
    }))
}
