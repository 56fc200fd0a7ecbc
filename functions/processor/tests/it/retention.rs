//! What has had its time is deleted, and nothing else.

use chrono::TimeDelta;
use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn the_event_log_is_kept_seven_days_and_the_events_of_a_call_as_long_as_the_call() {
    let stage = Stage::new().await;
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1})).await;
    stage.insert("contact", &json!({"event": "Created", "contact": {"id": "1"}})).await;
    stage.wake().await;
    let log = "SELECT count(*) FROM client_events WHERE app_id = $1";
    let deliveries = "SELECT count(*) FROM webhook_events WHERE app_id = $1";

    stage.clock.advance(TimeDelta::days(6));
    stage.sweep().await;
    assert_eq!((stage.count(log).await, stage.count(deliveries).await), (1, 2));
    stage.clock.advance(TimeDelta::days(2));
    stage.sweep().await;
    assert_eq!((stage.count(log).await, stage.count(deliveries).await), (0, 2));
    stage.clock.advance(TimeDelta::days(30));
    stage.sweep().await;
    assert_eq!(stage.count(deliveries).await, 1);
    assert_eq!(stage.count("SELECT count(*) FROM calls WHERE app_id = $1").await, 1);

    // The numbers go on where they were.
    stage.insert("hangup", &json!({"state": "hangup", "call_id": 1})).await;
    stage.wake().await;
    assert_eq!(stage.frames().await[0]["seq"], 2);
}

#[tokio::test]
async fn more_than_one_batch_is_deleted_in_one_run() {
    let stage = Stage::new().await;
    let sql = "INSERT INTO client_events (app_id, seq, id, frame, created_at, handed_over_at)
               SELECT $1, n, gen_random_uuid(), '{}', $2, $2 FROM generate_series(1, 2500) AS n";
    let old = shared::clock::Clock::now(&stage.clock) - TimeDelta::days(8);
    stage.database.execute(sql, &[&stage.app_id.0, &old]).await.unwrap();
    stage.sweep().await;
    assert_eq!(stage.count("SELECT count(*) FROM client_events WHERE app_id = $1").await, 0);
}
