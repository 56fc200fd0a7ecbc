//! Tickets: `wst_<43 letters>`, base62, good for one socket and one minute.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{Malformed, random::push_random};

const PREFIX: &str = "wst_";
/// 256 bits.
const LETTERS: usize = 43;

/// A ticket in clear: given once, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(String);

impl Ticket {
    /// A new ticket from the system's source of randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut ticket = PREFIX.to_owned();
        push_random(&mut ticket, LETTERS)?;
        Ok(Self(ticket))
    }

    /// Reads a ticket; what cannot be one is refused without asking the database.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let letters = text.strip_prefix(PREFIX).ok_or(Malformed)?;
        if letters.len() == LETTERS && letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed)
        }
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// The ticket itself, to be given once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_ticket_is_read_back_and_does_not_show() {
        let ticket = Ticket::generate().unwrap();
        assert_eq!(Ticket::parse(ticket.expose()), Ok(ticket.clone()));
        assert_ne!(ticket, Ticket::generate().unwrap());
        assert_eq!(format!("{ticket:?}"), "Ticket(..)");
        for text in ["", "wst_", "wst_short", &ticket.expose()[1..], &format!("{}x", ticket.expose())] {
            assert_eq!(Ticket::parse(text), Err(Malformed), "{text}");
        }
    }
}
