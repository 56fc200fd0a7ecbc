//! Secrets that are shared with others: what signs a webhook.

use sha2::{Digest as _, Sha256};

use crate::config::Secret;

/// A new secret: 32 random bytes, in hexadecimal.
pub fn generate_secret() -> Result<Secret, getrandom::Error> {
    use std::fmt::Write as _;

    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(Secret::new(text))
}

/// What is stored of a secret that only has to be recognised.
#[must_use]
pub fn secret_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_secrets_differ() {
        let (one, other) = (generate_secret().unwrap(), generate_secret().unwrap());
        assert_eq!(one.expose().len(), 64);
        assert_ne!(one, other);
    }
}
