//! Legs that fell silent: whether, when and how often Dialpad is asked, and what comes of the answer.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shared::clock::Clock as _;

use crate::stage::Stage;

const SILENCE: TimeDelta = TimeDelta::minutes(15);
const RECONCILED: &str = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND source = 'reconciled'";

impl Stage {
    /// Connects the app with a company.
    async fn connect_company(&self) {
        let sql = "INSERT INTO dialpad_connections (app_id, kind, status, sealed_tokens, company_id)
                   VALUES ($1, 'api_key', 'connected', 'sealed', 7)";
        self.database.execute(sql, &[&self.app_id.0]).await.unwrap();
    }

    /// A state of a user's leg, as Dialpad sends it now.
    async fn state(&self, call_id: i64, state: &str, more: Value) {
        let mut payload = json!({
            "call_id": call_id, "state": state, "event_timestamp": self.clock.now().timestamp_millis(),
            "direction": "inbound", "target": {"id": 5, "type": "user"},
        });
        for (name, value) in more.as_object().unwrap() {
            payload[name] = value.clone();
        }
        self.insert(state, &payload).await;
        self.wake().await;
    }

    /// A leg that rang, was answered, and of which nothing was heard for a quarter of an hour.
    async fn silent_call(&self, call_id: i64) -> DateTime<Utc> {
        self.state(call_id, "ringing", json!({})).await;
        self.clock.advance(TimeDelta::seconds(5));
        let connected_at = self.clock.now();
        self.state(call_id, "connected", json!({"date_connected": connected_at.timestamp_millis()})).await;
        self.clock.advance(SILENCE);
        connected_at
    }

    async fn events(&self) -> Vec<String> {
        self.frames().await.iter().map(|frame| frame["event"].as_str().unwrap().to_owned()).collect()
    }

    async fn outcome(&self, call_id: i64) -> Option<String> {
        let sql = "SELECT outcome FROM calls WHERE app_id = $1 AND dialpad_call_id = $2";
        self.database.query_one(sql, &[&self.app_id.0, &call_id]).await.unwrap().get(0)
    }
}

/// A call as Dialpad's API shows it, 64-bit numbers as strings; `ended` when it is over.
fn found(call_id: i64, state: &str, connected: DateTime<Utc>, ended: Option<DateTime<Utc>>) -> Value {
    let text = |time: DateTime<Utc>| time.timestamp_millis().to_string();
    json!({"done": {"call": {
        "call_id": call_id.to_string(), "state": state, "direction": "inbound",
        "date_connected": text(connected), "date_ended": ended.map(text), "event_timestamp": text(connected),
        "target": {"id": "5", "type": "user"},
    }}})
}

fn unknown() -> Value {
    json!({"done": {"call": null}})
}

fn refused(kind: &str) -> Value {
    json!({"refused": {"kind": kind, "detail": "no", "retry_after": 30}})
}

#[tokio::test]
async fn a_hangup_that_was_lost_is_found_and_told_once() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    let connected_at = stage.silent_call(1).await;
    let ended_at = connected_at + TimeDelta::seconds(60);
    stage.dialpad.answers([found(1, "hangup", connected_at, Some(ended_at))]);
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["1"]);
    assert_eq!(stage.events().await, ["call.ring", "call.started", "call.ended"]);
    let frames = stage.frames().await;
    let ended = frames.last().unwrap();
    assert_eq!((&ended["outcome"], &ended["duration_seconds"]), (&json!("answered"), &json!(60)));
    assert_eq!(ended["occurred_at"], shared::domain::time::Timestamp(ended_at).to_string());
    assert_eq!(stage.count(RECONCILED).await, 1);

    // It is over: nobody asks again. The real hangup says nothing that is not known.
    stage.clock.advance(TimeDelta::days(2));
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), [""; 0]);
    let dates = json!({
        "event_timestamp": ended_at.timestamp_millis() + 1600, "date_connected": connected_at.timestamp_millis(),
        "date_ended": ended_at.timestamp_millis(),
    });
    let before = stage.rows().await;
    stage.state(1, "hangup", dates).await;
    assert_eq!(stage.events().await.iter().filter(|event| *event == "call.ended").count(), 1);
    assert_eq!(before[0]["ended_at"], stage.rows().await[0]["ended_at"]);
}

#[tokio::test]
async fn an_agents_leg_that_outlives_its_groups_is_asked_for_after_a_minute() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    let group = json!({"target": {"id": 9, "type": "call_center"}});
    stage.state(10, "queued", group.clone()).await;
    stage.state(11, "ringing", json!({"entry_point_call_id": 10})).await;
    stage.state(12, "ringing", json!({})).await;
    let connected_at = stage.clock.now();
    stage.state(11, "connected", json!({"date_connected": connected_at.timestamp_millis()})).await;
    stage.clock.advance(TimeDelta::minutes(2));
    let ended_at = stage.clock.now();
    let hangup = json!({"date_ended": ended_at.timestamp_millis(), "target": group["target"]});
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), [""; 0], "both go on");
    stage.state(10, "hangup", hangup).await;
    stage.clock.advance(TimeDelta::seconds(59));
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), [""; 0], "its own end may be on its way");
    stage.clock.advance(TimeDelta::seconds(1));
    stage.dialpad.answers([found(11, "hangup", connected_at, Some(ended_at))]);
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["11"]);
    assert_eq!(stage.outcome(11).await.as_deref(), Some("answered"));
    assert_eq!(stage.events().await.iter().filter(|event| *event == "call.ended").count(), 1);
}

#[tokio::test]
async fn a_call_that_dialpad_does_not_know_ends_as_unknown_until_more_is_heard() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    let connected_at = stage.silent_call(1).await;
    stage.dialpad.answers([unknown()]);
    stage.sweep().await;
    assert_eq!(stage.events().await, ["call.ring", "call.started", "call.ended"]);
    assert_eq!(stage.outcome(1).await.as_deref(), Some("unknown"));
    let row = &stage.rows().await[0];
    assert_eq!(
        (&row["status"], &row["ended_at"], &row["duration_ms"]),
        (&json!("ended"), &json!(null), &json!(null))
    );

    let ended = (connected_at + TimeDelta::seconds(90)).timestamp_millis();
    stage
        .state(1, "hangup", json!({"date_ended": ended, "date_connected": connected_at.timestamp_millis()}))
        .await;
    assert_eq!(stage.events().await, ["call.ring", "call.started", "call.ended", "call.updated"]);
    assert_eq!(stage.outcome(1).await.as_deref(), Some("answered"));
}

#[tokio::test]
async fn a_call_that_goes_on_is_asked_for_less_often_and_its_lost_answer_is_told() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    stage.state(1, "ringing", json!({})).await;
    let connected_at = stage.clock.now() + TimeDelta::seconds(9);
    stage.clock.advance(SILENCE);
    let goes_on = || found(1, "connected", connected_at, None);
    stage.dialpad.answers([goes_on()]);
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["1"]);
    assert_eq!(stage.events().await, ["call.ring", "call.started"]);

    let mut asked_after = Vec::new();
    for minute in 1..=120 {
        stage.clock.advance(TimeDelta::minutes(1));
        stage.dialpad.answers([goes_on()]);
        stage.sweep().await;
        if !stage.dialpad.asked().is_empty() {
            asked_after.push(minute);
        }
    }
    assert_eq!(asked_after, [15, 45, 105]);
    assert_eq!(stage.events().await, ["call.ring", "call.started"]);
    assert_eq!(stage.count(RECONCILED).await, 1);
}

#[tokio::test]
async fn dialpads_limit_ends_the_round_and_the_next_minute_goes_on() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    for call_id in 1..=9 {
        stage.state(call_id, "ringing", json!({})).await;
        stage.clock.advance(TimeDelta::seconds(1));
    }
    stage.clock.advance(SILENCE);
    stage.dialpad.answers([unknown(), refused("rate_limited")]);
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["1", "2"], "nobody is asked after a refusal");

    // Within the same minute the rest of the budget, without the leg that somebody may still be asking for.
    stage.dialpad.answers((0..9).map(|_| unknown()));
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["3", "4", "5", "6"]);
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), [""; 0], "six a minute");
    stage.clock.advance(TimeDelta::minutes(1) + TimeDelta::milliseconds(1));
    stage.sweep().await;
    let mut asked = stage.dialpad.asked();
    asked.sort();
    assert_eq!(asked, ["2", "7", "8", "9"]);
    assert_eq!(stage.count("SELECT count(*) FROM calls WHERE app_id = $1 AND outcome = 'unknown'").await, 9);
}

#[tokio::test]
async fn a_leg_that_may_not_be_asked_for_holds_up_no_other() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    stage.state(1, "ringing", json!({})).await;
    stage.clock.advance(TimeDelta::seconds(1));
    stage.state(2, "ringing", json!({})).await;
    stage.clock.advance(SILENCE);
    stage.dialpad.answers([refused("forbidden"), unknown()]);
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["1", "2"]);
    stage.clock.advance(TimeDelta::minutes(2));
    stage.sweep().await;
    assert_eq!((stage.dialpad.asked(), stage.outcome(1).await), (vec![], None));
}

#[tokio::test]
async fn two_runs_at_once_ask_once_and_make_one_event() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    let connected_at = stage.silent_call(1).await;
    let over = || found(1, "hangup", connected_at, Some(connected_at + TimeDelta::seconds(60)));
    stage.dialpad.answers([over(), over()]);
    tokio::join!(stage.sweep(), stage.sweep());
    assert_eq!(stage.count(RECONCILED).await, 1);
    // Even two who did ask make the same event.
    let sql = "UPDATE calls SET status = 'active', asked_at = NULL, ask_again_at = NULL";
    stage.database.execute(sql, &[]).await.unwrap();
    stage.dialpad.answers([over()]);
    stage.clock.advance(SILENCE);
    stage.dialpad.asked();
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["1"]);
    assert_eq!(stage.count(RECONCILED).await, 1);
    assert_eq!(stage.events().await, ["call.ring", "call.started", "call.ended"]);
}

#[tokio::test]
async fn a_delivery_that_comes_while_dialpad_is_asked_makes_the_answer_old() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    let connected_at = stage.silent_call(1).await;
    // It is stored and not yet applied: a session that has the app's stream keeps every worker away.
    let worker = stage.connect().await;
    worker.batch_execute("BEGIN; SELECT FROM app_streams FOR UPDATE").await.unwrap();
    let ended = stage.clock.now().timestamp_millis();
    stage
        .insert(
            "hangup",
            &json!({
                "call_id": 1, "state": "hangup", "event_timestamp": ended, "date_ended": ended,
                "date_connected": connected_at.timestamp_millis(),
            }),
        )
        .await;
    stage.dialpad.answers([unknown()]);
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["1"]);
    worker.batch_execute("COMMIT").await.unwrap();
    stage.wake().await;
    assert_eq!(stage.count(RECONCILED).await, 0);
    assert_eq!((stage.events().await.len(), stage.outcome(1).await.as_deref()), (3, Some("answered")));
}

#[tokio::test]
async fn nobody_asks_for_an_app_that_is_not_connected_or_not_active_nor_before_the_time() {
    let stage = Stage::new().await;
    stage.silent_call(1).await;
    stage.sweep().await;
    stage.connect_company().await;
    for sql in [
        "UPDATE dialpad_connections SET status = 'broken'",
        "UPDATE dialpad_connections SET status = 'connected'; UPDATE apps SET is_active = false",
        "UPDATE apps SET is_active = true; UPDATE calls SET updated_at = updated_at + interval '1 second'",
    ] {
        stage.database.batch_execute(sql).await.unwrap();
        stage.sweep().await;
        assert_eq!(stage.dialpad.asked(), [""; 0], "{sql}");
    }
    stage.clock.advance(TimeDelta::seconds(1));
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked(), ["1"]);
}

#[tokio::test]
async fn two_apps_of_one_company_share_its_limit() {
    let stage = Stage::new().await;
    stage.connect_company().await;
    let other = uuid::Uuid::now_v7();
    stage
        .database
        .batch_execute(&format!(
            "INSERT INTO apps (id, name) VALUES ('{other}', 'other');
             INSERT INTO dialpad_connections (app_id, kind, status, sealed_tokens, company_id)
             VALUES ('{other}', 'api_key', 'connected', 'sealed', 7);
             INSERT INTO calls (app_id, dialpad_call_id, parent_call_id, status, version, updated_at)
             SELECT app_id, n, gen_random_uuid(), 'ringing', 1, '2020-01-01'
             FROM dialpad_connections, generate_series(1, 5) AS n"
        ))
        .await
        .unwrap();
    let goes_on = json!({"done": {"call": {"call_id": "0", "state": "ringing"}}});
    stage.dialpad.answers((0..10).map(|_| goes_on.clone()));
    stage.sweep().await;
    assert_eq!(stage.dialpad.asked().len(), 6);
    assert_eq!(
        stage.count("SELECT count(*) FROM calls WHERE asked_at IS NOT NULL AND $1::uuid IS NOT NULL").await,
        6
    );
}
