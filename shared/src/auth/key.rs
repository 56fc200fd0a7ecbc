//! API keys: `app_<key id: 12>_<secret: 32><checksum: 6>`, all base62.
//!
//! The key id finds the row, the SHA-256 of the whole key proves it, and the checksum (CRC-32 of what stands before it)
//! lets a typo fail without a query.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::random::{ALPHABET, push_random};

const PREFIX: &str = "app_";
const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;
const LENGTH: usize = PREFIX.len() + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

/// An API key in clear: shown once, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Text that cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read an API key")]
pub struct Malformed;

/// SHA-256 of a whole key: what is stored of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl ApiKey {
    /// A new key from the system's source of randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = String::with_capacity(LENGTH);
        key.push_str(PREFIX);
        push_random(&mut key, ID_LENGTH)?;
        key.push('_');
        push_random(&mut key, SECRET_LENGTH)?;
        let checksum = checksum(&key);
        key.push_str(&checksum);
        Ok(Self(key))
    }

    /// Reads a key; one with a typo is refused here, without asking the database.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let well_formed = text.len() == LENGTH
            && text.is_ascii()
            && text.starts_with(PREFIX)
            && text.as_bytes()[PREFIX.len() + ID_LENGTH] == b'_'
            && checksum(&text[..LENGTH - CHECKSUM_LENGTH]) == text[LENGTH - CHECKSUM_LENGTH..];
        if well_formed { Ok(Self(text.to_owned())) } else { Err(Malformed) }
    }

    /// The public part, which finds the row.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + ID_LENGTH]
    }

    /// The public part of what was meant to be a key, good or not.
    #[must_use]
    pub fn id_in(text: &str) -> Option<&str> {
        let is_around = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '`');
        let (id, rest) =
            text.trim_start_matches(is_around).strip_prefix(PREFIX)?.split_at_checked(ID_LENGTH)?;
        let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric()) && rest.starts_with('_');
        is_id.then_some(id)
    }

    /// The first 8 and the last 4 characters: enough to recognise it.
    #[must_use]
    pub fn hint(&self) -> String {
        format!("{}...{}", &self.0[..8], &self.0[LENGTH - 4..])
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(&self.0).into())
    }

    /// The key itself, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.hint())
    }
}

impl KeyHash {
    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the stored hash is this one, in constant time.
    #[must_use]
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut letters = [b'0'; CHECKSUM_LENGTH];
    for letter in letters.iter_mut().rev() {
        *letter = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    letters.iter().map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn a_generated_key_is_read_back() {
        let key = ApiKey::generate().unwrap();
        assert_eq!(key.expose().len(), LENGTH);
        assert_eq!(ApiKey::parse(key.expose()), Ok(key.clone()));
        assert!(key.hash().matches(key.hash().as_bytes()));
        assert!(!key.hash().matches(&[0; 32]));
        assert_eq!(key.hint().len(), 15);
    }

    #[test]
    fn a_typo_anywhere_is_noticed_without_a_query() {
        let key = ApiKey::generate().unwrap();
        for position in 0..LENGTH {
            let mut typo = key.expose().as_bytes().to_vec();
            typo[position] = if typo[position] == b'x' { b'y' } else { b'x' };
            let typo = String::from_utf8(typo).unwrap();
            assert_eq!(ApiKey::parse(&typo), Err(Malformed), "position {position}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let quoted = format!("\"{}\"", ApiKey::generate().unwrap().expose());
        for text in ["", "app_", "é".repeat(28).as_str(), "x".repeat(10_000).as_str(), &quoted] {
            assert_eq!(ApiKey::parse(text), Err(Malformed));
        }
    }

    #[test]
    fn what_was_meant_to_be_a_key_names_its_app_however_it_is_spoilt() {
        let key = ApiKey::generate().unwrap();
        let (whole, id) = (key.expose(), Some(key.id()));
        for text in
            [whole, &format!("\"{whole}\""), &format!(" '{whole}"), &whole[..20], &format!("{whole}x")]
        {
            assert_eq!(ApiKey::id_in(text), id, "{text}");
        }
        for text in ["", "app_", "app_short_", &whole[4..], &whole[..16], "app_äöüäöü_", "app_abcdef-hijkl_x"]
        {
            assert_eq!(ApiKey::id_in(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_stored_of_a_key_makes_no_key() {
        let key = ApiKey::generate().unwrap();
        let stored = key.hash();
        let mut hexadecimal = String::new();
        stored.as_bytes().iter().for_each(|byte| write!(hexadecimal, "{byte:02x}").unwrap());
        assert_eq!(ApiKey::parse(&hexadecimal), Err(Malformed));
        // In the form of a key, with the right id and checksum.
        let forged = format!("{PREFIX}{}_{}", key.id(), &hexadecimal[..SECRET_LENGTH]);
        let forged = ApiKey::parse(&format!("{forged}{}", checksum(&forged))).unwrap();
        assert_eq!(forged.id(), key.id());
        assert!(!forged.hash().matches(stored.as_bytes()));
    }

    #[test]
    fn a_key_does_not_show_in_a_log() {
        let key = ApiKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(&key.expose()[8..LENGTH - 4]));
    }
}
