//! Calls: what Dialpad says of a leg ([`CallEvent`]), what a leg is by all that was said ([`Leg`]), and the fold that
//! leads from one to the other.
//!
//! The rules, each in one place:
//!
//! | question | answered in |
//! |---|---|
//! | which legs are one conversation | `joined` |
//! | what is known of a leg | `track` |
//! | who answered, and how a leg ended | `outcome` |
//! | what clients are told of an event | `moments` |
//! | what clients are told of a late or repeated event | `news` |

mod event;
mod fold;
mod joined;
mod leg;
mod moments;
mod news;
mod outcome;
mod state;
mod track;
mod walk;

pub use event::{CallEvent, Recording, Target};
pub use fold::{Conversation, Moment, conversations, fold};
pub use leg::{Direction, Leg, Outcome, Status, Voicemail};
pub use news::news;
pub use state::State;
