//! Why the handshake of a socket is refused, where the key names the app that wants to know.

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The key came with the quotation marks that stood around it somewhere.
    QuotedKey,
    /// It is mistyped, or cut off.
    MalformedKey,
    /// It has the form of a key, and is none of ours.
    WrongKey,
    /// It was revoked or rotated, and its time is over.
    DeadKey,
    /// It stood in the address, where this deployment does not take it.
    KeyInUrl,
    /// The key is good, its app was not active.
    AppInactive,
    /// The key may be good, the `user_id` cannot be one.
    UserId,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::QuotedKey,
        Self::MalformedKey,
        Self::WrongKey,
        Self::DeadKey,
        Self::KeyInUrl,
        Self::AppInactive,
        Self::UserId,
    ];

    /// The word that stands for it in logs, metrics and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QuotedKey => "quoted_key",
            Self::MalformedKey => "malformed_key",
            Self::WrongKey => "wrong_key",
            Self::DeadKey => "dead_key",
            Self::KeyInUrl => "key_in_url",
            Self::AppInactive => "app_inactive",
            Self::UserId => "user_id",
        }
    }

    /// The reason that a word stands for.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_word(reason.as_str()), Some(reason));
        }
        assert_eq!(Reason::of_word("bad luck"), None);
    }
}
