//! Numbers in one spelling, before anything is folded: the fold compares and keeps what it is given, and the payload keeps
//! what Dialpad sent.

use shared::{
    dialpad::payload::Event,
    phone::{Number, Region},
};

/// Spells the numbers of an event as rows and frames have them. A national number takes the app's default region.
pub(crate) fn spell(event: &mut Event, region: Option<Region>) {
    let numbers = match event {
        Event::Call(event) => [&mut event.external_number, &mut event.internal_number],
        Event::Message(event) => [&mut event.from_number, &mut event.to_number],
        Event::Agent(_) => return,
    };
    for number in numbers.into_iter().flatten() {
        *number = Number::read(number).spelled(region);
    }
}
