//! The event queue, the spill queue and the push queue: what travels on them, and, with the feature `queue`, how it is sent.

mod message;
#[cfg(feature = "queue")]
mod sqs;

pub use message::{Close, Entry, EventMessage, KeyProof, PushMessage, SpilledDelivery};
#[cfg(feature = "queue")]
pub use sqs::{Error, MAX_MESSAGE_BYTES, Queue};
