//! Dialpad signs a delivery as a compact JWS (RFC 7515) with HS256 over the raw bytes; the payload is the event itself.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use crate::config::Secret;

/// Why a signed delivery is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not three parts of base64url, or its header is not a JSON object.
    #[error("read a signed delivery")]
    Malformed,
    /// Its header asks for something other than HS256, or for an extension we do not know (`crit`).
    #[error("accept the delivery's algorithm")]
    Algorithm,
    /// No secret of the app made this signature.
    #[error("verify the delivery's signature")]
    Signature,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<serde::de::IgnoredAny>,
}

/// A body that has the form of an HS256 delivery, its signature not yet looked at.
#[derive(Clone, Debug)]
pub struct Jws<'a> {
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes the body apart.
    pub fn parse(body: &'a str) -> Result<Self, Error> {
        let body = body.trim_ascii();
        let (signed, signature) = body.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Error::Malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Error::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| Error::Malformed)?;
        if header.alg != "HS256" || header.crit.is_some() {
            return Err(Error::Algorithm);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Error::Malformed)?;
        Ok(Self { signed, payload, signature })
    }

    /// The payload, if one of the secrets made the signature. The comparison takes constant time.
    pub fn verify(&self, secrets: &[Secret]) -> Result<Vec<u8>, Error> {
        if secrets.iter().any(|secret| self.was_signed_with(secret)) {
            URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| Error::Malformed)
        } else {
            Err(Error::Signature)
        }
    }

    fn was_signed_with(&self, secret: &Secret) -> bool {
        // HMAC takes a key of any length (RFC 2104), so this cannot fail.
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .is_ok_and(|mac| mac.chain_update(self.signed).verify_slice(&self.signature).is_ok())
    }
}

/// Signs a payload as Dialpad does: for tests and simulations.
#[must_use]
pub fn sign(payload: &str, secret: &Secret) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map(|mac| URL_SAFE_NO_PAD.encode(mac.chain_update(&signed).finalize().into_bytes()))
        .unwrap_or_default();
    format!("{signed}.{signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new("example-webhook-secret-not-a-real-one")
    }

    #[test]
    fn a_signed_delivery_is_read_and_a_changed_one_refused() {
        let body = sign(r#"{"call_id":1}"#, &secret());
        assert_eq!(Jws::parse(&body).unwrap().verify(&[secret()]).unwrap(), br#"{"call_id":1}"#);
        assert_eq!(
            Jws::parse(&format!("{body}\n")).unwrap().verify(&[secret()]).unwrap(),
            br#"{"call_id":1}"#
        );
        assert_eq!(Jws::parse(&body).unwrap().verify(&[Secret::new("other")]), Err(Error::Signature));
        assert_eq!(Jws::parse(&body).unwrap().verify(&[Secret::new("other"), secret()]).map(|_| ()), Ok(()));
        assert_eq!(Jws::parse(&body).unwrap().verify(&[]), Err(Error::Signature));
    }

    #[test]
    fn other_algorithms_and_extensions_are_refused() {
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"HS256","crit":["exp"]}"#,
        ] {
            let body = format!("{}.e30.", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(Jws::parse(&body).map(|_| ()), Err(Error::Algorithm), "{header}");
        }
    }

    #[test]
    fn what_is_no_jws_is_malformed() {
        for body in ["", ".", "..", "a.b.c", "{}", "e30.e30", "e30.e30.e30", "W10.e30.AA"] {
            assert_eq!(Jws::parse(body).map(|_| ()), Err(Error::Malformed), "{body}");
        }
    }

    /// What is refused Dialpad does not send again, so a late delivery would be lost; that it is a repeat is known by its key.
    #[test]
    fn a_token_that_has_expired_is_taken_all_the_same() {
        let secret = Secret::new("secret");
        let body = sign(r#"{"exp":1,"nbf":99999999999,"call_id":1}"#, &secret);
        assert!(Jws::parse(&body).unwrap().verify(&[secret]).is_ok());
    }
}
