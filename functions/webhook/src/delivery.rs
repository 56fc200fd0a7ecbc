//! A request taken apart: whose delivery it is, and what form its body has.

use lambda_http::{Request, http::HeaderMap};
use shared::{auth::ApiKey, config::Secret, dialpad::jws::Jws, domain::ids::AppId};

use crate::error::Error;

/// The most that a delivery may hold. Dialpad's are 1.5 to 3 kB; recaps and transcripts are larger.
const MAX_BYTES: usize = 1024 * 1024;

/// Whose delivery it is.
#[derive(Clone, Debug)]
pub(crate) enum Recipient {
    /// `POST /webhooks/dialpad/{app_id}`.
    App(AppId),
    /// `POST /webhooks/dialpad` with an API key.
    KeyHolder(ApiKey),
    /// `POST /webhooks/dialpad`: the only active app.
    OnlyApp,
}

impl Recipient {
    pub(crate) fn of(request: &Request) -> Result<Self, Error> {
        let path = request.uri().path().trim_end_matches('/');
        match path.strip_prefix("/webhooks/dialpad") {
            Some("") => Self::of_headers(request.headers()),
            Some(rest) => {
                rest.strip_prefix('/').and_then(|id| id.parse().ok()).map(Self::App).ok_or(Error::UnknownApp)
            }
            None => Err(Error::UnknownApp),
        }
    }

    /// The app that a path names, if it names one.
    pub(crate) fn app_of(path: &str) -> Option<AppId> {
        path.trim_end_matches('/').strip_prefix("/webhooks/dialpad/")?.parse().ok()
    }

    fn of_headers(headers: &HeaderMap) -> Result<Self, Error> {
        match headers.get("x-app-api-key") {
            None => Ok(Self::OnlyApp),
            Some(key) => key
                .to_str()
                .ok()
                .and_then(|key| ApiKey::parse(key).ok())
                .map(Self::KeyHolder)
                .ok_or(Error::AppRequired),
        }
    }
}

/// The body as text, if it is within the limit. Its Content-Type says nothing.
pub(crate) fn body(request: Request) -> Result<String, Error> {
    let body = request.into_body();
    let bytes: &[u8] = body.as_ref();
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::NotAnObject)
}

/// The event in a body: from a signed one if one of the secrets made the signature, from a plain one if such are allowed.
pub(crate) fn open(body: &str, secrets: &[Secret], allow_unsigned: bool) -> Result<String, Error> {
    if body.trim_ascii_start().starts_with(['{', '[']) || body.trim_ascii().is_empty() {
        return if allow_unsigned { Ok(body.to_owned()) } else { Err(Error::Unsigned) };
    }
    let payload = Jws::parse(body).and_then(|jws| jws.verify(secrets)).map_err(Error::Unauthenticated)?;
    String::from_utf8(payload).map_err(|_| Error::NotAnObject)
}
