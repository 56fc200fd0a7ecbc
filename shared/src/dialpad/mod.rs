//! What Dialpad sends, and what it says when it is asked: signatures, payloads, and what of a call was not delivered.

pub mod erasure;
pub mod jws;
pub mod payload;
pub mod reconciled;
