//! One queue: messages that are visible, delayed, or in flight.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use md5::{Digest, Md5};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use crate::{
    faults::{Faults, Kind, Strike},
    template,
    timing::{self, Point},
};

/// A queue in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct Queue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    definition: template::Queue,
    faults: Faults,
    state: Mutex<State>,
    /// A message became visible.
    arrival: Notify,
}

#[derive(Debug, Default)]
struct State {
    visible: VecDeque<Message>,
    /// Hidden messages by the time they become visible, with a number that keeps equal times apart.
    hidden: BTreeMap<(Instant, u64), Hidden>,
    /// Where the message with a receipt handle is hidden.
    receipts: HashMap<String, (Instant, u64)>,
    next_number: u64,
}

#[derive(Debug)]
struct Hidden {
    message: Message,
    /// The receipt handle of a message in flight; a delayed message has none.
    receipt: Option<String>,
}

#[derive(Debug, Clone)]
struct Message {
    id: String,
    body: Arc<str>,
    sent_at: SystemTime,
    expires_at: Instant,
    first_received_at: Option<SystemTime>,
    receive_count: u32,
}

/// A message that a consumer holds until it deletes it or the visibility timeout passes.
#[derive(Debug, Clone)]
pub struct Received {
    /// The message's id, the same at every receive.
    pub id: String,
    /// What deletes the message, new at every receive.
    pub receipt: String,
    /// The body.
    pub body: Arc<str>,
    /// The MD5 of the body, in hexadecimal.
    pub md5_of_body: String,
    /// How often the message was received, this time included.
    pub receive_count: u32,
    /// When it was sent, in milliseconds since 1970.
    pub sent_milliseconds: u128,
    /// When it was first received, in milliseconds since 1970.
    pub first_received_milliseconds: u128,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Messages that a consumer could take now.
    pub visible: usize,
    /// Messages that a consumer holds.
    pub in_flight: usize,
    /// Messages that are not visible yet.
    pub delayed: usize,
}

/// Messages that were received as often as the queue allows.
pub(super) struct Dead(Vec<Message>);

impl Dead {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Queue {
    pub(super) fn new(definition: template::Queue, faults: Faults) -> Self {
        Self {
            shared: Arc::new(Shared { definition, faults, state: Mutex::default(), arrival: Notify::new() }),
        }
    }

    /// What the template says of the queue.
    #[must_use]
    pub fn definition(&self) -> &template::Queue {
        &self.shared.definition
    }

    /// Sends a message; the answer is its id.
    #[must_use]
    pub fn send(&self, body: &str, delay: Option<Duration>) -> String {
        let now = Instant::now();
        let message = Message {
            id: Uuid::new_v4().to_string(),
            body: Arc::from(body),
            sent_at: SystemTime::now(),
            expires_at: now + self.shared.definition.retention,
            first_received_at: None,
            receive_count: 0,
        };
        let id = message.id.clone();
        let delay = delay.unwrap_or(self.shared.definition.delay);
        let (faults, name) = (&self.shared.faults, &self.shared.definition.name);
        timing::note(Point::Sent, name);
        if faults.strike(Kind::QueueDuplicate, name).is_some() {
            self.put(message.clone(), delay);
        }
        let late = faults.strike(Kind::QueueDelay, name).map_or(Duration::ZERO, |strike| strike.lasting);
        let overtaken = faults.strike(Kind::QueueReorder, name).map_or(Duration::ZERO, Strike::moment);
        self.put(message, delay + late + overtaken);
        id
    }

    /// Whether this message is not taken, as when SQS itself fails.
    pub(super) fn refuses(&self) -> bool {
        self.shared.faults.strike(Kind::QueueRefuse, &self.shared.definition.name).is_some()
    }

    fn put(&self, message: Message, delay: Duration) {
        let mut state = self.lock();
        if delay.is_zero() {
            state.visible.push_back(message);
        } else {
            state.hide(Instant::now() + delay, message, None);
        }
        drop(state);
        self.shared.arrival.notify_one();
    }

    /// Deletes a message by the handle of a receive; an unknown or outdated one does nothing.
    pub fn delete(&self, receipt: &str) {
        let mut state = self.lock();
        if let Some(key) = state.receipts.remove(receipt) {
            state.hidden.remove(&key);
        }
    }

    /// Makes a received message visible again after `delay`; false when the handle is unknown or outdated.
    #[must_use]
    pub fn change_visibility(&self, receipt: &str, delay: Duration) -> bool {
        let mut state = self.lock();
        let Some(key) = state.receipts.remove(receipt) else { return false };
        let Some(hidden) = state.hidden.remove(&key) else { return false };
        state.hide(Instant::now() + delay, hidden.message, hidden.receipt);
        drop(state);
        self.shared.arrival.notify_one();
        true
    }

    /// Deletes all messages.
    pub fn purge(&self) {
        *self.lock() = State::default();
    }

    /// How many messages the queue holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut state = self.lock();
        state.wake(Instant::now());
        let in_flight = state.receipts.len();
        Counts { visible: state.visible.len(), in_flight, delayed: state.hidden.len() - in_flight }
    }

    /// Resolves when a message may have become visible.
    pub async fn changed(&self) {
        let next = self.lock().hidden.keys().next().map(|(due, _)| *due);
        match next {
            None => self.shared.arrival.notified().await,
            Some(due) => tokio::select! {
                () = self.shared.arrival.notified() => {}
                () = tokio::time::sleep_until(due) => {}
            },
        }
    }

    /// Takes visible messages, oldest first; the second part are those received too often already.
    pub(super) fn receive(&self, count: usize, byte_limit: usize) -> (Vec<Received>, Dead) {
        let now = Instant::now();
        let mut state = self.lock();
        state.wake(now);
        let (mut received, mut dead, mut bytes) = (Vec::new(), Vec::new(), 0);
        while received.len() < count {
            let Some(message) = state.visible.front() else { break };
            if !received.is_empty() && bytes + message.body.len() > byte_limit {
                break;
            }
            let Some(message) = state.visible.pop_front() else { break };
            if message.expires_at <= now {
                continue;
            }
            let redrive = self.shared.definition.redrive.as_ref();
            if redrive.is_some_and(|redrive| message.receive_count >= redrive.max_receive_count) {
                dead.push(message);
                continue;
            }
            bytes += message.body.len();
            received.push(state.take(message, now + self.shared.definition.visibility));
        }
        (received, Dead(dead))
    }

    /// Takes messages over from another queue; they keep their id and age, as in SQS.
    pub(super) fn take_over(&self, dead: Dead) {
        self.lock().visible.extend(dead.0.into_iter().map(|message| Message { receive_count: 0, ..message }));
        self.shared.arrival.notify_one();
    }

    /// No code panics while it holds the lock, so a poisoned one cannot happen.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hide(&mut self, until: Instant, message: Message, receipt: Option<String>) {
        let key = (until, self.next_number);
        self.next_number += 1;
        if let Some(receipt) = &receipt {
            self.receipts.insert(receipt.clone(), key);
        }
        self.hidden.insert(key, Hidden { message, receipt });
    }

    /// Makes the hidden messages visible whose time has come.
    fn wake(&mut self, now: Instant) {
        while let Some(entry) = self.hidden.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let Hidden { message, receipt } = entry.remove();
            if let Some(receipt) = receipt {
                self.receipts.remove(&receipt);
            }
            self.visible.push_back(message);
        }
    }

    fn take(&mut self, mut message: Message, until: Instant) -> Received {
        message.receive_count += 1;
        let first = *message.first_received_at.get_or_insert_with(SystemTime::now);
        let receipt = Uuid::new_v4().to_string();
        let received = Received {
            id: message.id.clone(),
            receipt: receipt.clone(),
            md5_of_body: md5_hex(&message.body),
            body: Arc::clone(&message.body),
            receive_count: message.receive_count,
            sent_milliseconds: milliseconds(message.sent_at),
            first_received_milliseconds: milliseconds(first),
        };
        self.hide(until, message, Some(receipt));
        received
    }
}

/// The MD5 of a text, in hexadecimal.
pub(super) fn md5_hex(text: &str) -> String {
    use std::fmt::Write;
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn milliseconds(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
