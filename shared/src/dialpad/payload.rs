//! Dialpad's payloads: what family a delivery is of, and what a call event says.
//!
//! Nothing here fails on a strange payload. A delivery is any JSON object at all ([`inspect`]); of a call event
//! ([`call_event`]) only the leg's id has to be readable. Whatever else is missing, null, `{}`, of another type or out
//! of range is taken as not said.
//!
//! Besides Dialpad's own members, those are read that people write who insert a row by hand after the implementation
//! guide: `event_type` with one of the guide's names in place of `state`; `from_number` or `from`, `to_number` or `to`;
//! `user_id` or `dialpad_user_id` in place of `target`; `contact_name`, `transcript`, `recording_url`; `started_at`,
//! `connected_at`, `ended_at`; and all of it below `call`, `data.call` or `voicemail`.

mod call;
mod escapes;
mod family;
mod member;
mod object;

pub use call::{Unreadable, call_event};
pub use family::{Delivery, Family, NotAnObject, inspect};
