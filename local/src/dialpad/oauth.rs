//! Granting access: consent without a person, codes that work once, and refresh tokens that are replaced each time.

use std::time::Duration;

use axum::{
    Json,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Asked, Fake, refused,
    state::{Access, Code, State},
};

/// The only app that is registered.
pub const CLIENT_ID: &str = "local-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "local-client-secret";

pub(super) fn answer(fake: &Fake, asked: &Asked) -> Response {
    match asked.operation.id.as_str() {
        "oauth2.authorize.get" => authorize(fake, asked),
        "oauth2.token.post" => token(fake, asked),
        _ => deauthorize(fake, asked),
    }
}

/// Consents at once, and sends the person back.
fn authorize(fake: &Fake, asked: &Asked) -> Response {
    if asked.parameter("client_id") != CLIENT_ID || asked.parameter("response_type") != "code" {
        return refused(StatusCode::BAD_REQUEST, "There is no such app, or no such flow.");
    }
    if asked.parameter("code_challenge_method") != "S256" || asked.parameter("code_challenge").len() != 43 {
        return refused(StatusCode::BAD_REQUEST, "The challenge is none of S256.");
    }
    let mut memory = fake.memory();
    let (company, code) = (memory.company(), Uuid::new_v4().simple().to_string());
    let redirect_uri = asked.parameter("redirect_uri").to_owned();
    let challenge = asked.parameter("code_challenge").to_owned();
    let query = serde_urlencoded::to_string([("code", code.as_str()), ("state", asked.parameter("state"))]);
    let location = format!("{redirect_uri}?{}", query.unwrap_or_default());
    memory.codes.insert(code, Code { company, challenge, redirect_uri });
    (StatusCode::FOUND, [(LOCATION, location)]).into_response()
}

fn token(fake: &Fake, asked: &Asked) -> Response {
    let member = |name: &str| asked.body[name].as_str().unwrap_or_default();
    if member("client_id") != CLIENT_ID || member("client_secret") != CLIENT_SECRET {
        return grant_refused("invalid_client");
    }
    let mut memory = fake.memory();
    if member("grant_type") == "refresh_token" {
        let Some(company) = memory.refresh.remove(member("refresh_token")) else {
            return grant_refused("invalid_grant");
        };
        if let Some(company) = memory.companies.get_mut(&company) {
            company.refreshes += 1;
        }
        return Json(pair(&mut memory, company)).into_response();
    }
    let Some(code) = memory.codes.remove(member("code")) else { return grant_refused("invalid_grant") };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(member("code_verifier")));
    if challenge != code.challenge || member("redirect_uri") != code.redirect_uri {
        return grant_refused("invalid_grant");
    }
    Json(pair(&mut memory, code.company)).into_response()
}

/// A new pair for a company.
pub(super) fn pair(memory: &mut State, company: i64) -> Value {
    let (access, refresh) = (Uuid::new_v4().simple().to_string(), Uuid::new_v4().simple().to_string());
    let lifetime = Duration::from_secs(u64::try_from(memory.expires_in).unwrap_or_default());
    memory.access.insert(access.clone(), Access { company, expires_at: Instant::now() + lifetime });
    memory.refresh.insert(refresh.clone(), company);
    json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": memory.expires_in })
}

/// Revokes all tokens of the person.
fn deauthorize(fake: &Fake, asked: &Asked) -> Response {
    let mut memory = fake.memory();
    let Some(company) = company(&memory, asked) else {
        return refused(StatusCode::UNAUTHORIZED, "Who are you?");
    };
    memory.access.retain(|_, access| access.company != company);
    memory.refresh.retain(|_, of| *of != company);
    StatusCode::NO_CONTENT.into_response()
}

/// The company that a token is of. A key that begins with `key-` is the API key of the company of that number.
pub(super) fn company(memory: &State, asked: &Asked) -> Option<i64> {
    let bearer = asked.bearer.as_deref()?;
    if let Some(number) = bearer.strip_prefix("key-") {
        return number.parse().ok().filter(|company| memory.companies.contains_key(company));
    }
    let access = memory.access.get(bearer)?;
    (access.expires_at > Instant::now()).then_some(access.company)
}

fn grant_refused(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}
