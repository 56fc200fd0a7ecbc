//! A client that keeps account of all that it was told, to be compared with the log.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

use super::{Follower, follow};
use crate::client::{App, Client};

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a handshake may take; API Gateway gives up after 29 seconds.
const HANDSHAKE: Duration = Duration::from_secs(35);

/// A client of one app that follows its events over as many connections as it takes. It ends when it is dropped.
#[derive(Debug)]
pub struct Witness {
    user: Option<String>,
    account: Arc<Mutex<Account>>,
    task: JoinHandle<()>,
}

/// What a client was told.
#[derive(Debug, Default)]
struct Account {
    /// The events it holds: the place of each, and a digest of its frame.
    held: BTreeMap<i64, u64>,
    /// The places of events that it was given a second time as new.
    repeated: Vec<i64>,
    /// How often the log no longer reached back.
    reloads: u64,
    /// How many connections it has had.
    connections: u64,
}

/// An entry of the log, as it is compared.
#[derive(Clone, Debug)]
pub struct Logged {
    seq: i64,
    audience: Option<String>,
    digest: u64,
}

impl Logged {
    /// The entry at this place, for this audience, with this frame.
    #[must_use]
    pub fn new(seq: i64, audience: Option<String>, frame: &str) -> Self {
        Self { seq, audience, digest: digest(&serde_json::from_str(frame).unwrap_or_default()) }
    }

    /// Its place.
    #[must_use]
    pub fn seq(&self) -> i64 {
        self.seq
    }
}

/// How what a client holds differs from what it should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Events of its audience that it does not hold.
    pub missing: Vec<i64>,
    /// Events that it holds and should not, or whose frame differs.
    pub wrong: Vec<i64>,
    /// Events that were new to it twice.
    pub repeated: Vec<i64>,
    /// Whether it was told that the log does not reach back, which it did.
    pub has_reloaded: bool,
}

impl Witness {
    /// Starts one: of the app, or of a CRM user. It asks every `ping` whether it missed anything, and drops its connection
    /// whenever `storm` changes.
    #[must_use]
    pub fn start(
        client: Client,
        app: &App,
        user: Option<&str>,
        ping: Duration,
        storm: watch::Receiver<u64>,
    ) -> Self {
        let of_user = user.map(|user| format!("&user_id={user}")).unwrap_or_default();
        let query = format!("api_key={}{of_user}", app.api_key);
        let account = Arc::<Mutex<Account>>::default();
        let task = tokio::spawn(run(client, query, ping, storm, Arc::clone(&account)));
        Self { user: user.map(str::to_owned), account, task }
    }

    /// How what it holds differs from the log, as far as that is for it; nothing when it does not.
    #[must_use]
    pub fn difference(&self, log: &[Logged]) -> Option<Difference> {
        lock(&self.account).difference(self.user.as_deref(), log)
    }

    /// How many events it holds, and over how many connections it got them.
    #[must_use]
    pub fn counts(&self) -> (usize, u64) {
        let account = lock(&self.account);
        (account.held.len(), account.connections)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Account {
    fn difference(&self, user: Option<&str>, log: &[Logged]) -> Option<Difference> {
        let is_for_it =
            |entry: &&Logged| user.is_none() || entry.audience.is_none() || entry.audience.as_deref() == user;
        let expected: BTreeMap<i64, u64> =
            log.iter().filter(is_for_it).map(|entry| (entry.seq, entry.digest)).collect();
        let is_wrong = |(seq, digest): &(&i64, &u64)| expected.get(seq) != Some(digest);
        let difference = Difference {
            missing: expected.keys().filter(|seq| !self.held.contains_key(seq)).copied().collect(),
            wrong: self.held.iter().filter(is_wrong).map(|(seq, _)| *seq).collect(),
            repeated: self.repeated.clone(),
            has_reloaded: self.reloads > 0,
        };
        (difference != Difference::default()).then_some(difference)
    }

    fn take(&mut self, new: Option<&Value>) {
        let Some(event) = new else {
            self.reloads += 1;
            return;
        };
        let seq = event["seq"].as_i64().unwrap_or_default();
        if self.held.insert(seq, digest(event)).is_some() {
            self.repeated.push(seq);
        }
    }
}

async fn run(
    client: Client,
    query: String,
    ping: Duration,
    mut storm: watch::Receiver<u64>,
    account: Arc<Mutex<Account>>,
) {
    let mut follower = Follower::after(0);
    loop {
        let Ok(Ok(mut socket)) = tokio::time::timeout(HANDSHAKE, client.connect(&query)).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        lock(&account).connections += 1;
        tokio::select! {
            error = follow(&mut socket, &mut follower, ping, |new| lock(&account).take(new)) => {
                tracing::debug!(%error, "a witness connects again");
            }
            // Whoever storms drops its socket without a word.
            Ok(()) = storm.changed() => {}
        }
    }
}

/// A number that stands for the frame.
fn digest(frame: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    // The members of an object are sorted, so equal frames are written alike.
    frame.to_string().hash(&mut hasher);
    hasher.finish()
}

/// No code panics while it holds the lock, so a poisoned one cannot happen.
fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(seq: i64) -> Value {
        json!({ "event": "call.ring", "seq": seq })
    }

    fn logged(seq: i64, audience: Option<&str>) -> Logged {
        Logged::new(seq, audience.map(str::to_owned), &event(seq).to_string())
    }

    fn account(events: &[Value]) -> Account {
        let mut account = Account::default();
        for event in events {
            account.take(Some(event));
        }
        account
    }

    #[test]
    fn a_client_that_holds_its_part_of_the_log_differs_in_nothing() {
        let log = [logged(1, None), logged(2, Some("ada")), logged(3, Some("ben"))];
        assert_eq!(account(&[event(3), event(1), event(2)]).difference(None, &log), None);
        assert_eq!(account(&[event(1), event(2)]).difference(Some("ada"), &log), None);
        assert_eq!(account(&[event(1)]).difference(Some("cleo"), &log), None);
    }

    #[test]
    fn whatever_is_missing_foreign_changed_or_new_twice_is_named() {
        let log = [logged(1, None), logged(2, Some("ada")), logged(3, None)];
        let changed = json!({ "event": "call.ended", "seq": 3 });
        let mut account = account(&[event(2), changed.clone(), changed, event(4)]);
        account.take(None);
        let difference =
            Difference { missing: vec![1], wrong: vec![2, 3, 4], repeated: vec![3], has_reloaded: true };
        assert_eq!(account.difference(Some("ben"), &log), Some(difference));
    }
}
