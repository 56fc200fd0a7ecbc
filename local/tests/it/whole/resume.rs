//! A client that was away, and comes back: for seconds, an hour, six days, or longer than the log reaches.

use axum::http::Method;
use local::{
    client::{Client, Socket},
    simulate::Scenario,
};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};
use uuid::Uuid;

use super::{
    company::operate,
    server::{PATIENCE, Stage, server},
};

/// API Gateway's frame, and so the most that a page may hold.
const FRAME: usize = 32 * 1024;
/// Dialpad's ids of the agents that are mapped, and of one that is not.
const ADA: i64 = 5_600_000_000_000_001;
const BEN: i64 = 5_600_000_000_000_002;
const NOBODY: i64 = 5_600_000_000_000_009;

/// Who is connected: the app's own connection, or a user's.
const WHO: [Option<&str>; 3] = [None, Some("ada"), Some("ben")];

/// An entry of the log: its audience, and the frame.
type Entry = (Option<String>, Value);

/// An app whose log has more than one page for everybody, and the log.
async fn filled() -> (Stage, Vec<Entry>) {
    let mut stage = Stage::new("away").await;
    for (dialpad_user_id, crm_user_id) in [(ADA, "ada"), (BEN, "ben")] {
        let mapping = json!({ "dialpad_user_id": dialpad_user_id, "crm_user_id": crm_user_id });
        assert_eq!(operate(&stage, Method::POST, "users/map", Some(mapping)).await.status.as_u16(), 201);
    }
    let now = SystemClock.now();
    for call in 0..48 {
        for mut payload in Scenario::InboundAnswered.payloads(now - chrono::TimeDelta::seconds(call)) {
            payload["target"]["id"] = json!([ADA, BEN, NOBODY][usize::try_from(call % 3).unwrap()]);
            stage.deliver(&payload).await;
        }
    }
    stage.frames().await;
    let sql = "SELECT audience, frame FROM client_events WHERE app_id = $1 ORDER BY seq";
    let rows = server().database().await.query(sql, &[&id(&stage)]).await.unwrap();
    let log: Vec<Entry> =
        rows.iter().map(|row| (row.get(0), serde_json::from_str(row.get(1)).unwrap())).collect();
    assert_eq!(log.len(), 240);
    (stage, log)
}

fn id(stage: &Stage) -> Uuid {
    stage.app.app_id.0
}

/// The events after this place for one who is connected.
fn for_whom(log: &[Entry], who: Option<&str>, after: i64) -> Vec<Value> {
    let sees = |audience: &Option<String>| who.is_none() || audience.is_none() || audience.as_deref() == who;
    let own = log.iter().filter(|(audience, frame)| sees(audience) && frame["seq"].as_i64() > Some(after));
    own.map(|(_, frame)| frame.clone()).collect()
}

/// Makes the entries up to this one older, as if they had been written so long ago, and lets the schedule's work be done.
async fn pass(stage: &Stage, up_to: i64, time: &str) {
    let sql =
        "UPDATE client_events SET created_at = now() - $3::text::interval WHERE app_id = $1 AND seq <= $2";
    server().database().await.execute(sql, &[&id(stage), &up_to, &time]).await.unwrap();
    let aws = Client::new(server().aws(), None).unwrap();
    let path = "/2015-03-31/functions/processor/invocations";
    let answer = aws.send(Method::POST, path, &[], r#"{"action":"forget"}"#).await.unwrap();
    let has_failed = answer.headers.contains_key("x-amz-function-error");
    assert!(answer.status.is_success() && !has_failed, "{}", answer.body);
}

async fn connect(stage: &Stage, who: Option<&str>) -> Socket {
    let user = who.map(|user| format!("&user_id={user}")).unwrap_or_default();
    stage.client.connect(&format!("api_key={}{user}", stage.app.api_key)).await.unwrap()
}

async fn ask(socket: &mut Socket, action: &str, after: i64) -> Value {
    socket.say(&json!({ "action": action, "after": after })).await.unwrap();
    socket.next(PATIENCE).await.unwrap()
}

/// All events after this place, and how many pages they came in.
async fn resume(socket: &mut Socket, mut after: i64) -> (Vec<Value>, i64, usize) {
    let (mut events, mut pages) = (Vec::new(), 0);
    loop {
        let page = ask(socket, "resume", after).await;
        assert!(page.to_string().len() <= FRAME, "{} bytes", page.to_string().len());
        assert_eq!((&page["event"], &page["recovered"]), (&json!("replay"), &json!(true)));
        let seq = page["seq"].as_i64().unwrap();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        pages += 1;
        if page["has_more"] == false {
            return (events, seq, pages);
        }
        assert!(seq > after, "it goes on");
        after = seq;
    }
}

#[tokio::test]
async fn who_was_away_for_seconds_an_hour_or_six_days_gets_all_of_it_in_order_and_page_after_page() {
    let (stage, log) = filled().await;
    for away in ["5 seconds", "1 hour", "6 days 23 hours"] {
        pass(&stage, 240, away).await;
        for who in WHO {
            let mut socket = connect(&stage, who).await;
            for after in [0, 77, 239, 240] {
                let missed = for_whom(&log, who, after);
                let (events, seq, pages) = resume(&mut socket, after).await;
                assert_eq!(events, missed, "{away}, {who:?}, after {after}");
                assert_eq!(seq, 240, "{away}, {who:?}, after {after}");
                assert!(pages > 1 || after > 0, "one page proves little");
            }
        }
    }
}

#[tokio::test]
async fn the_count_of_a_pong_is_what_the_connection_should_hold_whoever_it_is_of() {
    let (stage, log) = filled().await;
    for who in WHO {
        let mut socket = connect(&stage, who).await;
        let mut counts = Vec::new();
        for after in (0..=240).step_by(8) {
            let pong = ask(&mut socket, "ping", after).await;
            let count = for_whom(&log, who, after).len();
            assert_eq!(pong, json!({"event": "pong", "seq": 240, "count": count}), "{who:?} after {after}");
            counts.push(count);
        }
        assert_eq!(counts[0], if who.is_none() { 240 } else { 160 }, "{who:?}");
    }
}

#[tokio::test]
async fn where_the_log_no_longer_reaches_back_nothing_is_replayed_in_part() {
    let (stage, log) = filled().await;
    let nothing = json!({"event": "replay", "events": [], "seq": 240, "has_more": false, "recovered": false});
    pass(&stage, 100, "7 days 1 minute").await;
    for who in WHO {
        let mut socket = connect(&stage, who).await;
        for after in [0, 1, 99] {
            assert_eq!(ask(&mut socket, "resume", after).await, nothing, "{who:?} after {after}");
        }
        // This one holds the last that is gone.
        assert_eq!(resume(&mut socket, 100).await.0, for_whom(&log, who, 100), "{who:?}");
    }
    let key = [("x-app-api-key", stage.app.api_key.as_str())];
    let backend = stage.client.send(Method::GET, "/api/events?after=99", &key, "");
    assert_eq!(backend.await.unwrap().status.as_u16(), 410);

    pass(&stage, 240, "7 days 1 minute").await;
    let mut socket = connect(&stage, None).await;
    assert_eq!(ask(&mut socket, "resume", 239).await, nothing);
    assert_eq!(resume(&mut socket, 240).await, (Vec::new(), 240, 1), "nothing was missed");
}
