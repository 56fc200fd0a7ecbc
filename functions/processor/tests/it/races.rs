//! What happens while a transaction of the processor's is open. A trigger holds it at a known place, so that nothing here
//! depends on luck.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use shared::store::{
    calls::{self, Filter},
    event_log::{self, Audience},
    page::Request,
};
use tokio_postgres::Client;

use crate::stage::Stage;

/// The advisory lock that a held transaction waits for.
const GATE: i64 = 42;

/// Holds transactions at a place, as long as it is shut.
struct Gate {
    keeper: Client,
}

impl Gate {
    /// A gate before each commit that adds to the event log: a deferred trigger is the last thing a transaction does.
    async fn before_commits(stage: &Stage) -> Self {
        Self::new(
            stage,
            "CONSTRAINT TRIGGER gate AFTER INSERT ON client_events DEFERRABLE INITIALLY DEFERRED",
        )
        .await
    }

    /// A gate between the statements of a transaction: after its calls are written.
    async fn between_statements(stage: &Stage) -> Self {
        Self::new(stage, "TRIGGER gate AFTER INSERT OR UPDATE ON calls").await
    }

    async fn new(stage: &Stage, trigger: &str) -> Self {
        // The store gives up on locks after a second; a slow machine may take longer here.
        let sql = format!(
            "CREATE OR REPLACE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 PERFORM set_config('lock_timeout', '0', true);
                 PERFORM pg_advisory_xact_lock_shared({GATE});
                 RETURN NULL;
             END $$;
             DROP TRIGGER IF EXISTS gate ON client_events;
             DROP TRIGGER IF EXISTS gate ON calls;
             CREATE {trigger} FOR EACH ROW EXECUTE FUNCTION wait_at_gate();"
        );
        stage.database.batch_execute(&sql).await.unwrap();
        Self { keeper: stage.connect().await }
    }

    async fn shut(&self) {
        self.keeper.execute("SELECT pg_advisory_lock($1)", &[&GATE]).await.unwrap();
    }

    async fn open(&self) {
        self.keeper.execute("SELECT pg_advisory_unlock($1)", &[&GATE]).await.unwrap();
    }

    /// Waits until a transaction stands before it.
    async fn holds_one(&self) {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let wait = async {
            while self.keeper.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
    }
}

fn ringing(call_id: i64) -> Value {
    json!({"state": "ringing", "call_id": call_id, "event_timestamp": 1_772_470_800_000_i64,
           "target": {"id": 7, "type": "user"}})
}

#[tokio::test]
async fn an_event_whose_wake_up_found_the_app_busy_is_applied_by_the_worker_that_had_it() {
    let stage = Stage::new().await;
    let gate = Gate::before_commits(&stage).await;
    stage.insert("ringing", &ringing(1)).await;
    gate.shut().await;
    let second = async {
        // The first worker has done all of its statements, and is about to commit.
        gate.holds_one().await;
        stage.insert("ringing", &ringing(2)).await;
        stage.wake().await;
        let pending = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL";
        assert_eq!(stage.count(pending).await, 2, "the second worker must find the app locked");
        gate.open().await;
    };
    tokio::join!(stage.wake(), second);
    let applied = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NOT NULL";
    assert_eq!(stage.count(applied).await, 2, "no wake-up and no sweep follows");
    assert_eq!(stage.frames().await.len(), 2);
}

/// The commit is sent and never answered, as when the database's machine is gone. Postgres's own limits are not there to end
/// it: the gate has none, and what is said of the transaction cannot arrive.
#[tokio::test]
async fn a_commit_that_is_never_answered_ends_the_work_and_is_no_failure_of_the_events() {
    let stage = Stage::reaching(|settings| settings.transaction_time = Duration::from_millis(500)).await;
    let gate = Gate::before_commits(&stage).await;
    stage.insert("ringing", &ringing(1)).await;
    gate.shut().await;
    tokio::time::timeout(Duration::from_secs(5), stage.wake()).await.expect("the connection is given up");
    let untouched = "SELECT count(*) FROM webhook_events
                     WHERE app_id = $1 AND processed_at IS NULL AND attempts = 0 AND due_at = received_at";
    assert_eq!(stage.count(untouched).await, 1);
    gate.open().await;
    // The session of the first try may yet commit; whoever comes second finds the event applied or the app locked.
    let applied = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NOT NULL";
    let wait = async {
        while stage.count(applied).await == 0 {
            stage.wake().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
    assert_eq!(stage.frames().await.len(), 1);
}

/// The states of a call, and what is left of it.
const STATES: [&str; 5] = ["ringing", "connected", "hold", "connected", "hangup"];

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What a client sees that loads the list now: where each call stands, and where to follow from.
struct Seen {
    calls: BTreeMap<String, Value>,
    cursor: i64,
}

async fn look(stage: &Stage, db: &Client) -> Seen {
    let list =
        calls::list(db, stage.app_id, &Filter::default(), &Request::newest(100)).await.unwrap().unwrap();
    let stands = |call: &calls::Call| {
        json!([call.status.as_str(), call.outcome.map(shared::domain::call::Outcome::as_str)])
    };
    let calls =
        list.page.rows.iter().map(|(_, call)| (call.dialpad_call_id.to_string(), stands(call))).collect();
    Seen { calls, cursor: list.event_cursor }
}

/// Follows the log from where a list was loaded up to where a later one was.
fn follow(from: &Seen, to: &Seen, log: &[Value]) -> BTreeMap<String, Value> {
    let mut calls = from.calls.clone();
    for frame in log {
        let seq = frame["seq"].as_i64().unwrap();
        if seq > from.cursor && seq <= to.cursor {
            let stands = json!([frame["status"], frame["outcome"]]);
            calls.insert(frame["call_id"].as_str().unwrap().to_owned(), stands);
        }
    }
    calls
}

/// A client may load the list and begin to follow at any moment of any transaction, and look again at any later moment.
#[tokio::test]
async fn a_list_and_the_events_after_its_cursor_have_no_gap_between_them() {
    let stage = Stage::new().await;
    let reader = stage.connect().await;
    let mut numbers = Numbers(6);
    let mut next_state = [0_usize; 12];
    let mut seen = vec![look(&stage, &reader).await];
    for step in 0..50 {
        let gate = if step % 2 == 0 {
            Gate::before_commits(&stage).await
        } else {
            Gate::between_statements(&stage).await
        };
        // Some events of some calls, in their order.
        for _ in 0..=numbers.below(3) {
            let call = usize::try_from(numbers.below(12)).unwrap();
            let Some(word) = STATES.get(next_state[call]) else { continue };
            next_state[call] += 1;
            let mut event = ringing(i64::try_from(call).unwrap() + 1);
            event["state"] = json!(word);
            event["event_timestamp"] =
                json!(1_772_470_800_000 + 1000 * i64::try_from(next_state[call]).unwrap());
            stage.insert(word, &event).await;
        }
        let pending = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL";
        if stage.count(pending).await == 0 {
            continue;
        }
        seen.push(look(&stage, &reader).await);
        gate.shut().await;
        let during = async {
            gate.holds_one().await;
            let first = look(&stage, &reader).await;
            let second = look(&stage, &reader).await;
            gate.open().await;
            [first, second]
        };
        let ((), looks) = tokio::join!(stage.wake(), during);
        seen.extend(looks);
        seen.push(look(&stage, &reader).await);
    }
    let stretch = event_log::read(&reader, stage.app_id, Audience::App, 0, 10_000).await.unwrap();
    let log: Vec<Value> =
        stretch.events.iter().map(|event| serde_json::from_str(&event.frame).unwrap()).collect();

    let mut interleavings = 0;
    for (index, from) in seen.iter().enumerate() {
        for to in &seen[index..] {
            assert_eq!(follow(from, to, &log), to.calls, "from {} to {}", from.cursor, to.cursor);
            interleavings += 1;
        }
    }
    assert!(interleavings >= 10_000, "{interleavings}");
}
