//! The seeded source of chance, and the bucket of a rate.

use std::{collections::BTreeMap, time::Instant};

use super::Kind;

/// Draws that depend on the seed and on nothing else: a stream of them for each fault and place.
#[derive(Debug, Default)]
pub(super) struct Chance {
    seed: u64,
    /// How often each stream was drawn from.
    drawn: BTreeMap<Kind, BTreeMap<String, u64>>,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: BTreeMap::new() }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether a chance of `share` comes true, and a number from 0 up to 1 beside it.
    pub(super) fn draw(&mut self, kind: Kind, place: &str, share: f64) -> (bool, f64) {
        let streams = self.drawn.entry(kind).or_default();
        let drawn = match streams.get_mut(place) {
            Some(drawn) => drawn,
            None => streams.entry(place.to_owned()).or_default(),
        };
        let number = *drawn;
        *drawn += 1;
        let stream = mix(self.seed ^ fold(kind.name()) ^ fold(place).rotate_left(32));
        let first = mix(stream.wrapping_add(number.wrapping_mul(STEP)));
        (unit(first) < share, unit(mix(first.wrapping_add(STEP))))
    }
}

/// The step of `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Its mixing function.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A name as a number (FNV-1a).
fn fold(name: &str) -> u64 {
    name.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// From 0 up to 1.
fn unit(bits: u64) -> f64 {
    // 32 of the bits are enough for a chance, and a float holds them exactly.
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
}

/// What a rate still admits: it fills up at the rate, and holds what comes together in one second.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: f64,
    level: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn full(rate: u32, now: Instant) -> Self {
        Self { rate: f64::from(rate), level: f64::from(rate), at: now }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.level = (self.level + since * self.rate).min(self.rate);
        let is_admitted = self.level >= 1.0;
        if is_admitted {
            self.level -= 1.0;
        }
        is_admitted
    }
}
