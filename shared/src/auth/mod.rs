//! Who is asking: API keys, tickets, and secrets compared in constant time.

mod key;
mod random;
mod secret;
mod ticket;

pub use key::{ApiKey, KeyHash, Malformed};
pub use secret::{generate_secret, secret_hash};
pub use ticket::Ticket;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether two secrets are the same, in a time that does not tell how much of them is. Both are hashed first, so that not
/// even the length shows.
#[must_use]
pub fn same_secret(given: &str, expected: &str) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}
