//! Faults on purpose: what goes wrong in the cloud now and then goes wrong here as often as it is told to.
//!
//! [`Faults`] holds one description of what is in force and one seeded source of chance. The parts of the stack ask it at
//! the places where a fault belongs: the edge when it posts, a queue when it is sent to, a process when it takes an
//! invocation. What is not in force costs one load of a number.

mod chance;
mod database;
mod kind;
mod value;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use self::chance::{Bucket, Chance};
pub use self::{
    database::{Access, Error as ProxyError, Proxy},
    kind::Kind,
    value::{Value, parse},
};

/// What is in force: how strong each fault is.
pub type InForce = BTreeMap<Kind, Value>;

/// The faults of one stack. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// A bit for each kind that is in force.
    kinds: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_force: InForce,
    chance: Chance,
    buckets: BTreeMap<Kind, Bucket>,
    /// Faults that strike once, at the next chance, and where.
    next: Vec<(Kind, String, Strike)>,
    injected: BTreeMap<&'static str, u64>,
}

/// A fault that strikes here and now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strike {
    /// How long it lasts, or may last.
    pub lasting: Duration,
    /// A share of that, drawn with it.
    fraction: f64,
}

impl Strike {
    /// A moment drawn from the time it may last.
    #[must_use]
    pub fn moment(self) -> Duration {
        self.lasting.mul_f64(self.fraction)
    }
}

impl Faults {
    /// These faults, drawn from this seed.
    #[must_use]
    pub fn new(in_force: InForce, seed: u64) -> Self {
        let faults = Self::default();
        faults.set(in_force, Some(seed));
        faults
    }

    /// Replaces what is in force. With a seed a new run begins: draws and counts start again.
    pub fn set(&self, in_force: InForce, seed: Option<u64>) {
        let mut state = self.lock();
        state.buckets.clear();
        state.in_force = in_force;
        if let Some(seed) = seed {
            state.chance = Chance::new(seed);
            state.injected.clear();
        }
        self.shared.kinds.store(state.kinds(), Ordering::Release);
    }

    /// Has a fault strike once at this place, the next time it could, in the middle of the time it may last.
    pub fn strike_next(&self, kind: Kind, place: &str, lasting: Duration) {
        let mut state = self.lock();
        state.next.push((kind, place.to_owned(), Strike { lasting, fraction: 0.5 }));
        self.shared.kinds.store(state.kinds(), Ordering::Release);
    }

    /// What is in force.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        self.lock().in_force.clone()
    }

    /// The seed of all draws.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.lock().chance.seed()
    }

    /// How often each fault struck since the run began.
    #[must_use]
    pub fn injected(&self) -> BTreeMap<&'static str, u64> {
        self.lock().injected.clone()
    }

    /// Draws whether a fault strikes, and counts it. Each `place` (a queue, a function) has draws of its own, so that what
    /// happens elsewhere does not change what happens here.
    #[must_use]
    pub fn strike(&self, kind: Kind, place: &str) -> Option<Strike> {
        let strike = self.draw(kind, place)?;
        self.note(kind.name());
        Some(strike)
    }

    /// Draws without counting, for a fault that may yet come too late; then [`note`](Self::note) counts it.
    #[must_use]
    pub fn draw(&self, kind: Kind, place: &str) -> Option<Strike> {
        if !self.is_in_force(kind) {
            return None;
        }
        let mut state = self.lock();
        let is_next = |(next, at, _): &(Kind, String, Strike)| (*next, at.as_str()) == (kind, place);
        if let Some(index) = state.next.iter().position(is_next) {
            return Some(state.next.remove(index).2);
        }
        let Value::Share { share, lasting } = *state.in_force.get(&kind)? else { return None };
        let (is_struck, fraction) = state.chance.draw(kind, place, share);
        is_struck.then_some(Strike { lasting, fraction })
    }

    /// Counts a fault.
    pub fn note(&self, name: &'static str) {
        *self.lock().injected.entry(name).or_default() += 1;
    }

    /// Whether a rate lets one more through now; what it does not let through is counted.
    #[must_use]
    pub fn admits(&self, kind: Kind, now: Instant) -> bool {
        if !self.is_in_force(kind) {
            return true;
        }
        let mut state = self.lock();
        let Some(Value::PerSecond(rate)) = state.in_force.get(&kind).copied() else { return true };
        let is_admitted = state.buckets.entry(kind).or_insert_with(|| Bucket::full(rate, now)).take(now);
        if !is_admitted {
            *state.injected.entry(kind.name()).or_default() += 1;
        }
        is_admitted
    }

    fn is_in_force(&self, kind: Kind) -> bool {
        self.shared.kinds.load(Ordering::Acquire) & kind.bit() != 0
    }

    /// No code panics while it holds the lock, so a poisoned one cannot happen.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A bit for each kind that may strike.
    fn kinds(&self) -> u32 {
        let next = self.next.iter().map(|(kind, ..)| kind);
        self.in_force.keys().chain(next).fold(0, |kinds, kind| kinds | kind.bit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(flags: &[&str], seed: u64) -> Faults {
        Faults::new(flags.iter().map(|flag| parse(flag).unwrap()).collect(), seed)
    }

    fn pattern(faults: &Faults, kind: Kind, place: &str) -> Vec<bool> {
        (0..200).map(|_| faults.strike(kind, place).is_some()).collect()
    }

    #[test]
    fn the_same_seed_strikes_the_same_and_another_does_not() {
        let run = |seed| pattern(&faults(&["post-gone=0.3"], seed), Kind::PostGone, "");
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn the_draws_of_one_fault_or_place_do_not_shift_those_of_another() {
        let alone = pattern(&faults(&["post-gone=0.3"], 7), Kind::PostGone, "");
        let both = faults(&["post-gone=0.3", "queue-delay=0.5"], 7);
        let (push, event) =
            (pattern(&both, Kind::QueueDelay, "push"), pattern(&both, Kind::QueueDelay, "event"));
        assert_eq!(pattern(&both, Kind::PostGone, ""), alone);
        assert_ne!(push, event);
    }

    #[test]
    fn what_struck_is_counted_and_what_is_off_never_strikes() {
        let faults = faults(&["post-gone=1", "post-hang=0"], 7);
        assert_eq!(pattern(&faults, Kind::PostGone, ""), [true; 200]);
        assert_eq!(pattern(&faults, Kind::PostHang, ""), [false; 200]);
        assert_eq!(pattern(&faults, Kind::KillAfter, ""), [false; 200]);
        assert_eq!(faults.injected(), BTreeMap::from([("post-gone", 200)]));
        faults.set(InForce::new(), None);
        assert_eq!(pattern(&faults, Kind::PostGone, ""), [false; 200]);
        assert_eq!(faults.injected(), BTreeMap::from([("post-gone", 200)]));
        faults.set(InForce::new(), Some(1));
        assert_eq!(faults.injected(), BTreeMap::new());
    }

    #[test]
    fn what_strikes_next_strikes_once_and_there() {
        let faults = Faults::default();
        faults.strike_next(Kind::KillAfter, "rest", Duration::from_secs(1));
        assert_eq!(faults.strike(Kind::KillAfter, "webhook"), None);
        assert_eq!(faults.strike(Kind::KillBefore, "rest"), None);
        let strike = faults.strike(Kind::KillAfter, "rest").unwrap();
        assert_eq!(strike.moment(), Duration::from_millis(500));
        assert_eq!(faults.strike(Kind::KillAfter, "rest"), None);
        assert_eq!(faults.injected(), BTreeMap::from([("kill-after", 1)]));
    }

    #[test]
    fn a_share_is_about_that_share() {
        let struck =
            |faults: &Faults| (0..10_000).filter(|_| faults.strike(Kind::PostGone, "").is_some()).count();
        let count = struck(&faults(&["post-gone=0.05"], 3));
        assert!((400..600).contains(&count), "{count}");
    }

    #[test]
    fn a_rate_admits_so_many_a_second() {
        let faults = faults(&["connect-rate=5"], 1);
        let start = Instant::now();
        let admitted = |at| (0..20).filter(|_| faults.admits(Kind::ConnectRate, at)).count();
        assert_eq!(admitted(start), 5);
        assert_eq!(admitted(start + Duration::from_millis(400)), 2);
        assert_eq!(admitted(start + Duration::from_mins(1)), 5, "what was not used is not saved up");
        assert!(faults.admits(Kind::PostRate, start), "the other rate is not in force");
        assert_eq!(faults.injected(), BTreeMap::from([("connect-rate", 48)]));
    }
}
