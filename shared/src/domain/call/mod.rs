//! Calls: what Dialpad says of a leg ([`CallEvent`]), what a leg is by all that was said ([`Leg`]), and the fold that
//! leads from one to the other.

mod event;
mod fold;
mod leg;
mod news;
mod state;

pub use event::{CallEvent, Recording, Target};
pub use fold::{Conversation, Moment, fold};
pub use leg::{Direction, Leg, Outcome, Status, Voicemail};
pub use news::news;
pub use state::State;
