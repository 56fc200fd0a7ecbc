//! What Dialpad sends: its signature, and its payloads.

pub mod jws;
pub mod payload;
