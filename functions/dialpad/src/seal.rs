//! Sealing: AES-256-GCM, so that tokens can lie in a database that cannot read them.
//!
//! A sealed text is `v1.<name of the key>.<base64url of nonce, ciphertext and tag>`. What it is for and whose it is are
//! authenticated with it: a token of one tenant opens for no other, a verifier is no token. The first key of the
//! configuration seals, all of them open, so a key is replaced by putting the new one before it.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use shared::{config::Secret, domain::ids::AppId, invoke::Hidden};

/// The format of what is sealed.
const VERSION: &str = "v1";

/// The keys, the one that seals first.
#[derive(Clone)]
pub struct Keys(Arc<[(String, LessSafeKey)]>);

/// What a sealed text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Tokens of a company.
    Tokens,
    /// The verifier of an authorization that was begun.
    Verifier,
}

/// The setting holds no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the keys: each is a name, a colon and 32 bytes in base64")]
pub struct NoKeys;

/// Something could not be sealed or opened. Nothing tells why: that would help only who forges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seal or open a text")]
pub struct Broken;

impl Keys {
    /// Reads `name:base64[,name:base64]`.
    pub fn parse(setting: &Secret) -> Result<Self, NoKeys> {
        let key = |part: &str| {
            let (name, key) = part.trim().split_once(':')?;
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let key = STANDARD.decode(key).ok().filter(|_| is_name)?;
            Some((name.to_owned(), LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?)))
        };
        let keys: Option<Vec<_>> = setting.expose().split(',').map(key).collect();
        keys.filter(|keys| !keys.is_empty()).map(|keys| Self(keys.into())).ok_or(NoKeys)
    }

    /// Seals a text for a tenant.
    pub fn seal(&self, app_id: AppId, purpose: Purpose, text: &str) -> Result<Hidden, Broken> {
        let (name, key) = self.0.first().ok_or(Broken)?;
        let mut nonce = [0u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| Broken)?;
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(context(app_id, purpose, name));
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| Broken)?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(Hidden::new(format!("{VERSION}.{name}.{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Opens what was sealed for this tenant and purpose, with whichever key it was.
    pub fn open(&self, app_id: AppId, purpose: Purpose, sealed: &Hidden) -> Result<String, Broken> {
        let rest = sealed.expose().strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('.'));
        let (name, bytes) = rest.and_then(|rest| rest.split_once('.')).ok_or(Broken)?;
        let (_, key) = self.0.iter().find(|(own, _)| own == name).ok_or(Broken)?;
        let mut bytes = URL_SAFE_NO_PAD.decode(bytes).map_err(|_| Broken)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken)?;
        let aad = Aad::from(context(app_id, purpose, name));
        let text = key.open_in_place(nonce, aad, sealed).map_err(|_| Broken)?;
        String::from_utf8(text.to_vec()).map_err(|_| Broken)
    }
}

fn context(app_id: AppId, purpose: Purpose, key: &str) -> Vec<u8> {
    let purpose = match purpose {
        Purpose::Tokens => "tokens",
        Purpose::Verifier => "verifier",
    };
    format!("cti/{VERSION}/{key}/{purpose}/{app_id}").into_bytes()
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const NEW: &str = "k2:YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=";

    fn keys(setting: &str) -> Keys {
        Keys::parse(&Secret::new(setting)).unwrap()
    }

    fn app() -> AppId {
        AppId(shared::domain::ids::new_id())
    }

    #[test]
    fn what_is_sealed_opens_for_its_tenant_and_purpose_only() {
        let (keys, app_id) = (keys(OLD), app());
        let sealed = keys.seal(app_id, Purpose::Tokens, "secret").unwrap();
        assert!(!sealed.expose().contains("secret") && sealed.expose().starts_with("v1.k1."));
        assert_eq!(keys.open(app_id, Purpose::Tokens, &sealed), Ok("secret".to_owned()));
        assert_eq!(keys.open(app(), Purpose::Tokens, &sealed), Err(Broken));
        assert_eq!(keys.open(app_id, Purpose::Verifier, &sealed), Err(Broken));
    }

    #[test]
    fn a_key_is_replaced_by_putting_the_new_one_before_it() {
        let app_id = app();
        let sealed = keys(OLD).seal(app_id, Purpose::Tokens, "secret").unwrap();
        let both = keys(&format!("{NEW},{OLD}"));
        assert_eq!(both.open(app_id, Purpose::Tokens, &sealed), Ok("secret".to_owned()));
        let sealed = both.seal(app_id, Purpose::Tokens, "secret").unwrap();
        assert!(sealed.expose().starts_with("v1.k2."));
        assert_eq!(keys(OLD).open(app_id, Purpose::Tokens, &sealed), Err(Broken));
    }

    #[test]
    fn one_letter_that_differs_breaks_it_and_no_two_are_alike() {
        let (keys, app_id) = (keys(OLD), app());
        let sealed = keys.seal(app_id, Purpose::Tokens, "secret").unwrap();
        assert_ne!(sealed, keys.seal(app_id, Purpose::Tokens, "secret").unwrap());
        let text = sealed.expose();
        for position in 0..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[position] = if other[position] == b'A' { b'B' } else { b'A' };
            let other = Hidden::new(String::from_utf8(other).unwrap());
            assert_eq!(keys.open(app_id, Purpose::Tokens, &other), Err(Broken), "{position}");
        }
        for text in ["", "v1", "v1.k1", "v1.k1.", "v1.k1.AAAA", "v2.k1.AAAA", "v1.k9.AAAA"] {
            assert_eq!(keys.open(app_id, Purpose::Tokens, &Hidden::new(text)), Err(Broken), "{text}");
        }
    }
}
