//! What the product is about, without I/O: calls and their legs, voicemails, and the frames that tell of them.

pub mod call;
pub mod frame;
pub mod ids;
pub mod time;
