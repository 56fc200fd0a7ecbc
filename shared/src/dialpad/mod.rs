//! What Dialpad sends: its signature, and its payloads.

pub mod erasure;
pub mod jws;
pub mod payload;
