//! What takes long or does not answer keeps no invocation.

use std::time::Duration;

use serde_json::json;
use shared::config::Secret;
use tokio::{net::TcpListener, time::timeout};

use crate::stage::Stage;

/// An app whose events come as fast as they are applied must not keep an invocation: its messages would wait with it, and
/// those of others.
#[tokio::test]
async fn an_app_whose_events_never_end_leaves_the_invocation_after_its_turn() {
    let stage = Stage::new().await;
    let endless = "CREATE FUNCTION another() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 INSERT INTO webhook_events (app_id, event_type, payload, received_at, due_at)
                 VALUES (NEW.app_id, NEW.event_type, jsonb_set(NEW.payload, '{call_id}',
                     to_jsonb((NEW.payload ->> 'call_id')::bigint + 1)), NEW.received_at, NEW.due_at);
                 RETURN NULL;
             END $$;
             CREATE TRIGGER endless AFTER UPDATE OF processed_at ON webhook_events FOR EACH ROW EXECUTE FUNCTION another()";
    stage.database.batch_execute(endless).await.unwrap();
    stage.insert("ringing", &json!({"state": "ringing", "call_id": 1})).await;
    timeout(Duration::from_secs(20), stage.wake()).await.expect("the invocation ends");
    timeout(Duration::from_secs(20), stage.sweep()).await.expect("the scheduled run ends");
    let frames = stage.frames().await.len();
    assert!(frames > 2, "a turn is more than one batch: {frames}");
    let pending = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL";
    assert_eq!(stage.count(pending).await, 1);
    stage.database.batch_execute("DROP TRIGGER endless ON webhook_events").await.unwrap();
    stage.sweep().await;
    assert_eq!(stage.count(pending).await, 0);
}

#[tokio::test]
async fn without_a_connection_every_spilled_delivery_of_a_batch_waits_on_after_one_try() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    // The system takes connections for a listener that never looks at them.
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let stage = Stage::reaching(|settings| {
        settings.url = Secret::new(&url);
        settings.connect_timeout = Duration::from_secs(1);
    })
    .await;
    let records: Vec<_> = (0..10)
        .map(|index| {
            let body = json!({"state": "ringing", "call_id": index}).to_string();
            let message = json!({"kind": "spilled", "app_id": stage.app_id, "body": body, "verified": true,
                                 "received_at": "2026-03-02T10:00:00.000Z"});
            json!({"messageId": index.to_string(), "body": message.to_string()})
        })
        .collect();
    let handled = processor::handle(&stage.processor, json!({ "Records": records }));
    let answer = timeout(Duration::from_secs(5), handled).await.expect("one try, not ten").unwrap();
    let failed: Vec<_> =
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    assert_eq!(failed, (0..10).map(|index| index.to_string()).collect::<Vec<_>>());
}
