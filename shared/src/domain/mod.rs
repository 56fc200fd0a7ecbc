//! What the product is about, without I/O: calls and their legs, voicemails, text messages, agents, and the frames that tell of them.

pub mod agent;
pub mod call;
pub mod client_event;
pub mod company;
pub mod delivery;
pub mod frame;
pub mod handshake;
pub mod ids;
pub mod message;
pub mod socket;
pub mod time;
