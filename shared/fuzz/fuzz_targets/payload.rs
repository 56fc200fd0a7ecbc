//! Any text that a signed body may hold: it is recognised and read, or refused, and never panics. What can be stored
//! can be inspected again and means the same.
#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use shared::dialpad::payload::{event, inspect};

fuzz_target!(|text: &str| {
    let Ok(delivery) = inspect(text) else { return };
    let received_at = DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default();
    let read = event(&delivery.event_type, &delivery.json, received_at);
    let again = inspect(&delivery.json).expect("what was an object stays one");
    assert_eq!(again.event_type, delivery.event_type);
    assert_eq!(event(&again.event_type, &again.json, received_at), read);
});
