//! Who is calling: an app by its API key, or an operator by the internal secret.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{
        header::{AUTHORIZATION, HOST},
        request::Parts,
    },
};
use chrono::{DateTime, Utc};
use lambda_http::request::RequestContext;
use shared::{
    auth::{ApiKey, same_secret},
    domain::ids::AppId,
    store::{
        self,
        keys::{self, Presented, StoredKey},
        limits,
    },
};
use uuid::Uuid;

use crate::{
    Config, Deps,
    conventions::Context,
    error::{Error, Result},
    limits::Standing,
};

const API_KEY_HEADER: &str = "x-app-api-key";

/// Under which the requests of operators are counted.
const OPERATORS: Uuid = Uuid::nil();

/// An app whose key is valid.
#[derive(Clone, Debug)]
pub(crate) struct AppCaller {
    /// The tenant: everything the request reads or writes is its own.
    pub(crate) app_id: AppId,
    /// The row of its key.
    pub(crate) key: Uuid,
    /// The request, as logged.
    pub(crate) request_id: String,
}

impl FromRequestParts<Arc<Deps>> for AppCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self> {
        let text =
            parts.headers.get(API_KEY_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = ApiKey::parse(text).map_err(|_| Error::UnknownApp)?;
        let (stored, standing) = recognise(deps, &key).await?;
        let request_id = request_id(parts);
        if let Some(context) = parts.extensions.get::<Arc<Context>>() {
            let _ = context.app_id.set(stored.app_id);
        }
        admit(parts, standing)?;
        Ok(Self { app_id: stored.app_id, key: stored.id, request_id })
    }
}

/// Finds who holds a key, and counts the request, in one round trip.
async fn recognise(deps: &Deps, key: &ApiKey) -> Result<(StoredKey, Option<Standing>)> {
    let (now, hash) = (deps.clock.now(), key.hash());
    let limit = deps.config.api_requests_per_minute;
    let presented = Presented { key_id: key.id(), key_hash: hash.as_bytes(), is_counted: limit > 0 };
    let found = match present(deps, presented, now).await {
        // The connection may have died while the function was frozen; then a new one does.
        Err(error) if error.is_unavailable() => present(deps, presented, now).await?,
        outcome => outcome?,
    };
    let (stored, requests) = found
        .filter(|(stored, _)| hash.matches(&stored.key_hash) && !stored.is_dead)
        .ok_or(Error::UnknownApp)?;
    if !stored.app_is_active {
        return Err(Error::AppInactive);
    }
    Ok((stored, requests.map(|requests| Standing::new(limit, requests, now))))
}

async fn present(
    deps: &Deps,
    key: Presented<'_>,
    now: DateTime<Utc>,
) -> store::Result<Option<(StoredKey, Option<i32>)>> {
    let db = deps.store.system().await?;
    db.commit_with(keys::present(&*db, key, now)).await
}

/// Lets a caller in who has not used up the limit.
fn admit(parts: &Parts, standing: Option<Standing>) -> Result<()> {
    let Some(standing) = standing else { return Ok(()) };
    if let Some(context) = parts.extensions.get::<Arc<Context>>() {
        let _ = context.standing.set(standing);
    }
    standing.check()
}

/// An operator.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    /// The request, as logged and as it stands in the audit trail.
    pub(crate) request_id: String,
}

impl FromRequestParts<Arc<Deps>> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self> {
        authorise(parts, &deps.config)?;
        admit(parts, count(deps).await?)?;
        Ok(Self { request_id: request_id(parts) })
    }
}

/// Whether the request is an operator's.
fn authorise(parts: &Parts, config: &Config) -> Result<()> {
    if config.internal_needs_iam {
        // Not only the route's business: a request that came by another route must not slip through.
        return if is_signed(parts) { Ok(()) } else { Err(Error::UnknownOperator) };
    }
    let Some(secret) = &config.internal_api_secret else {
        return if config.allow_open_internal { Ok(()) } else { Err(Error::InternalClosed) };
    };
    let given = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
    match given {
        Some(given) if same_secret(given, secret.expose()) => Ok(()),
        Some(_) | None => Err(Error::UnknownOperator),
    }
}

/// Counts a request of the operators, who share one credential and so one limit.
async fn count(deps: &Deps) -> Result<Option<Standing>> {
    let (limit, now) = (deps.config.internal_requests_per_minute, deps.clock.now());
    if limit == 0 {
        return Ok(None);
    }
    let db = deps.store.system().await?;
    let requests = db.commit_with(limits::count(&*db, OPERATORS, now)).await?;
    Ok(Some(Standing::new(limit, requests, now)))
}

/// Whether API Gateway has checked a signature and found that IAM allows the request.
fn is_signed(parts: &Parts) -> bool {
    match parts.extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.authorizer.as_ref().and_then(|authorizer| authorizer.iam.as_ref()).is_some()
        }
        Some(_) | None => false,
    }
}

/// The token of an `Authorization` header; the scheme's name may be written in any case.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn request_id(parts: &Parts) -> String {
    parts.extensions.get::<Arc<Context>>().map(|context| context.request_id.clone()).unwrap_or_default()
}

/// Where clients reach the HTTP API, without a slash at the end.
#[derive(Clone, Debug)]
pub(crate) struct PublicUrl(pub(crate) String);

impl FromRequestParts<Arc<Deps>> for PublicUrl {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, deps: &Arc<Deps>) -> Result<Self> {
        if let Some(url) = &deps.config.public_http_url {
            return Ok(Self(url.clone()));
        }
        let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
        let host =
            parts.uri.authority().map(axum::http::uri::Authority::as_str).or(host).unwrap_or("localhost");
        Ok(Self(format!("{}://{host}", parts.uri.scheme_str().unwrap_or("https"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
    }
}
