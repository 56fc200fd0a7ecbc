//! Random letters, for keys and tickets.

/// Base62.
pub(super) const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Appends so many random letters, from the system's source of randomness.
pub(super) fn push_random(text: &mut String, count: usize) -> Result<(), getrandom::Error> {
    let end = text.len() + count;
    let mut bytes = [0u8; 64];
    while text.len() < end {
        getrandom::fill(&mut bytes)?;
        // Bytes beyond the largest multiple of 62 would favour the first letters.
        for byte in bytes.iter().filter(|byte| **byte < 248).take(end - text.len()) {
            text.push(char::from(ALPHABET[usize::from(byte % 62)]));
        }
    }
    Ok(())
}
