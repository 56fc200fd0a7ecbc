//! What takes long or does not answer keeps no invocation.

use std::time::Duration;

use chrono::TimeDelta;
use local::aws::sqs::Received;
use serde_json::json;
use shared::{clock::Clock as _, config::Secret};
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
    let queue = stage.queues.queue("EventQueue").unwrap();
    drop(queue.send(&stage.wake_up(), None));
    for _ in 0..2 {
        assert_eq!(queue.counts().visible, 1, "the next turn comes at once");
        let (failed, all) = hand_over(&stage, "EventQueue").await;
        assert_eq!((failed.len(), failed), (1, all));
    }
    timeout(Duration::from_secs(20), stage.sweep()).await.expect("the scheduled run ends");
    let frames = stage.frames().await.len();
    assert!(frames > 2, "a turn is more than one batch: {frames}");
    let pending = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL";
    assert_eq!(stage.count(pending).await, 1);
    stage.database.batch_execute("DROP TRIGGER endless ON webhook_events").await.unwrap();
    let (failed, all) = hand_over(&stage, "EventQueue").await;
    assert_eq!((failed.len(), all.len()), (0, 1), "there is no more work");
    assert_eq!(stage.count(pending).await, 0);
}

/// A stage whose database never answers.
async fn without_database() -> (Stage, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    // The system takes connections for a listener that never looks at them.
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let stage = Stage::reaching(|settings| {
        settings.url = Secret::new(&url);
        settings.connect_timeout = Duration::from_secs(1);
    })
    .await;
    (stage, silent)
}

fn spilled(stage: &Stage, call_id: usize) -> String {
    let body = json!({"state": "ringing", "call_id": call_id}).to_string();
    json!({"kind": "spilled", "app_id": stage.app_id, "body": body, "verified": true,
           "received_at": "2026-03-02T10:00:00.000Z"})
    .to_string()
}

/// Hands over what is in a queue, as Lambda does; gives the ids of those that were not taken, and of all.
async fn hand_over(stage: &Stage, queue: &str) -> (Vec<String>, Vec<String>) {
    let messages = stage.queues.receive(stage.queues.queue(queue).unwrap(), 10, usize::MAX);
    let record = |message: &Received| {
        json!({"messageId": message.id, "receiptHandle": message.receipt, "body": &*message.body,
               "attributes": {"ApproximateReceiveCount": message.receive_count.to_string()}})
    };
    let records: Vec<_> = messages.iter().map(record).collect();
    let handled = processor::handle(&stage.processor, json!({ "Records": records }));
    // One try for each connection, not ten.
    let answer = timeout(Duration::from_secs(5), handled).await.unwrap().unwrap();
    let failed = answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    (failed, messages.into_iter().map(|message| message.id).collect())
}

#[tokio::test]
async fn without_a_connection_every_spilled_delivery_of_a_batch_waits_on_without_trying_each() {
    let (stage, _silent) = without_database().await;
    let queue = stage.queues.queue("SpillQueue").unwrap();
    (0..10).for_each(|call_id| drop(queue.send(&spilled(&stage, call_id), None)));
    let (failed, all) = hand_over(&stage, "SpillQueue").await;
    assert_eq!((failed.len(), failed), (10, all));
}

/// A batch of each app behind every ten deliveries would cost more than storing them does.
#[tokio::test]
async fn while_more_spilled_deliveries_wait_they_are_stored_and_not_yet_applied() {
    let stage = Stage::new().await;
    let queue = stage.queues.queue("SpillQueue").unwrap();
    (1..14).for_each(|call_id| drop(queue.send(&spilled(&stage, call_id), None)));
    let applied = "SELECT count(*) FROM webhook_events WHERE app_id = $1 AND processed_at IS NOT NULL";
    let stored = "SELECT count(*) FROM webhook_events WHERE app_id = $1";
    for (so_many, so_many_applied) in [(10, 0), (13, 13)] {
        assert_eq!(hand_over(&stage, "SpillQueue").await.0, Vec::<String>::new());
        assert_eq!((stage.count(stored).await, stage.count(applied).await), (so_many, so_many_applied));
    }
}

/// Each is looked at a second time, which takes another connection: none is kept from the other.
#[tokio::test]
async fn spilled_deliveries_that_are_stored_already_hold_up_nothing() {
    let stage = Stage::new().await;
    let queue = stage.queues.queue("SpillQueue").unwrap();
    for _ in 0..2 {
        (0..10).for_each(|call_id| drop(queue.send(&spilled(&stage, call_id), None)));
        assert_eq!(hand_over(&stage, "SpillQueue").await.0, Vec::<String>::new());
    }
    assert_eq!(stage.count("SELECT count(*) FROM webhook_events WHERE app_id = $1").await, 10);
}

#[tokio::test]
async fn what_waits_on_comes_again_sooner_than_the_queue_would_hand_it_out() {
    let (stage, _silent) = without_database().await;
    let queue = stage.queues.queue("SpillQueue").unwrap();
    let received_at = stage.clock.now() - TimeDelta::seconds(10);
    drop(
        queue.send(&spilled(&stage, 1).replace("2026-03-02T10:00:00.000Z", &received_at.to_rfc3339()), None),
    );
    let visibility = queue.definition().visibility;
    assert!(visibility >= Duration::from_secs(90), "else this shows nothing: {visibility:?}");
    for _ in 0..3 {
        let (failed, all) = hand_over(&stage, "SpillQueue").await;
        assert_eq!((failed.len(), failed), (1, all));
        let again = async {
            while queue.counts().visible == 0 {
                queue.changed().await;
            }
        };
        timeout(Duration::from_secs(30), again).await.expect("it comes again");
    }
}
