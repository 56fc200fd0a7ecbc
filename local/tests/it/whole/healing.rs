//! Legs whose end was never delivered: Dialpad is asked, and clients are told once.

use axum::http::Method;
use chrono::TimeDelta;
use local::{client::Client, simulate::Scenario};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};

use super::{
    company::{Company, fake, operate},
    server::server,
};

impl Company {
    /// Delivers an answered call without its end, and lets an hour pass over it. Gives the hangup that was lost.
    async fn call_without_end(&mut self, call_id: i64) -> Value {
        let mut payloads = Scenario::InboundAnswered.payloads(SystemClock.now());
        for payload in &mut payloads {
            payload["call_id"] = call_id.into();
        }
        for payload in &payloads[..2] {
            assert_eq!(self.deliver(payload).await, json!([200]));
        }
        for event in ["call.ring", "call.started"] {
            assert_eq!(self.stage.frame().await["event"], event);
        }
        self.stage.settled().await;
        self.an_hour_passes().await;
        payloads.pop().unwrap()
    }

    /// Makes the app's rows older: as if everything had happened an hour before.
    async fn an_hour_passes(&self) {
        let sql = format!(
            "UPDATE calls SET updated_at = updated_at - interval '1 hour', asked_at = asked_at - interval '1 hour',
                 ask_again_at = ask_again_at - interval '1 hour' WHERE app_id = '{app}';
             UPDATE webhook_events SET processed_at = processed_at - interval '1 hour' WHERE app_id = '{app}'",
            app = self.stage.app.app_id
        );
        server().database().await.batch_execute(&sql).await.unwrap();
    }

    /// What Dialpad's API is to answer for a leg; null: it does not know it.
    async fn knows(&self, call_id: i64, call: Value) {
        fake("/calls", json!({"company_id": self.id, "call_id": call_id, "call": call})).await;
    }

    /// The names of all events that clients were told, in order.
    async fn told(&self) -> Vec<String> {
        self.stage.settled().await;
        let log = self.stage.get("/api/events?limit=100").await["data"].clone();
        log.as_array().unwrap().iter().map(|frame| frame["event"].as_str().unwrap().to_owned()).collect()
    }

    async fn timeline(&self, call_id: i64) -> Vec<(String, String)> {
        let steps = self.stage.get(&format!("/api/calls/{call_id}/timeline")).await["data"].clone();
        let text = |step: &Value, member: &str| step[member].as_str().unwrap().to_owned();
        steps.as_array().unwrap().iter().map(|step| (text(step, "state"), text(step, "source"))).collect()
    }
}

/// What the schedule does once a minute.
async fn heal() {
    let aws = Client::new(server().aws(), None).unwrap();
    let path = "/2015-03-31/functions/processor/invocations";
    let answer = aws.send(Method::POST, path, &[], r#"{"action":"heal"}"#).await.unwrap();
    assert!(
        answer.status.is_success() && !answer.headers.contains_key("x-amz-function-error"),
        "{}",
        answer.body
    );
}

fn delivered(state: &str) -> (String, String) {
    (state.to_owned(), "delivered".to_owned())
}

fn reconciled(state: &str) -> (String, String) {
    (state.to_owned(), "reconciled".to_owned())
}

#[tokio::test]
async fn a_lost_hangup_is_healed_and_told_once() {
    let mut company = Company::provisioned("lost hangup").await;
    let mut hangup = company.call_without_end(4711).await;
    // 64-bit numbers are strings in what Dialpad's API answers.
    let mut call = hangup.clone();
    for name in ["call_id", "date_started", "date_connected", "date_ended", "event_timestamp"] {
        call[name] = call[name].to_string().into();
    }
    company.knows(4711, call).await;
    tokio::join!(heal(), heal());
    let ended = company.stage.frame().await;
    assert_eq!((&ended["event"], &ended["outcome"]), (&json!("call.ended"), &json!("answered")), "{ended}");
    assert_eq!(
        company.timeline(4711).await,
        [delivered("ringing"), delivered("connected"), reconciled("hangup")]
    );
    let events =
        operate(&company.stage, Method::GET, "webhook-events?limit=1", None).await.body["data"].clone();
    assert_eq!((&events[0]["event_type"], &events[0]["source"]), (&json!("hangup"), &json!("reconciled")));

    // It comes after all, with Dialpad's own time of the event.
    hangup["event_timestamp"] = (hangup["event_timestamp"].as_i64().unwrap() + 5000).into();
    company.deliver(&hangup).await;
    assert_eq!(company.stage.frame().await["event"], "call.updated");
    assert_eq!(company.told().await, ["call.ring", "call.started", "call.ended", "call.updated"]);
    let row = company.stage.get("/api/calls/4711").await["data"].clone();
    assert_eq!((&row["outcome"], &row["status"]), (&json!("answered"), &json!("ended")));
    assert_eq!(fake("/asked", Value::Null).await["violations"], json!([]));
}

#[tokio::test]
async fn a_call_that_dialpad_does_not_know_any_more_is_ended_as_unknown() {
    let mut company = Company::provisioned("unknown call").await;
    let hangup = company.call_without_end(4712).await;
    heal().await;
    let ended = company.stage.frame().await;
    assert_eq!((&ended["event"], &ended["outcome"]), (&json!("call.ended"), &json!("unknown")), "{ended}");
    let row = company.stage.get("/api/calls/4712").await["data"].clone();
    assert_eq!(
        (&row["status"], &row["outcome"], &row["ended_at"], &row["duration_seconds"]),
        (&json!("ended"), &json!("unknown"), &json!(null), &json!(null))
    );
    assert_eq!(company.timeline(4712).await.last(), Some(&reconciled("gone")));
    // Whatever is heard later is worth more.
    company.deliver(&hangup).await;
    let updated = company.stage.frame().await;
    assert_eq!((&updated["event"], &updated["outcome"]), (&json!("call.updated"), &json!("answered")));
}

#[tokio::test]
async fn when_dialpad_says_too_many_the_next_minute_tries_again() {
    let mut company = Company::provisioned("limited").await;
    company.call_without_end(4713).await;
    let limited = json!({"kind": "status", "status": 429, "retry_after": 30});
    company.trouble("call.get_call_info", 1, limited).await;
    heal().await;
    assert_eq!(company.timeline(4713).await.len(), 2);
    company.an_hour_passes().await;
    heal().await;
    assert_eq!(company.stage.frame().await["event"], "call.ended");
}

#[tokio::test]
async fn calls_of_an_outage_are_found_by_their_times() {
    let company = Company::provisioned("outage").await;
    let start = SystemClock.now() - TimeDelta::hours(2);
    // Twelve calls, a minute apart: three pages. The first was delivered as a whole, and of the second only the ring.
    for call_id in 1..=12 {
        let mut payloads = Scenario::InboundAnswered.payloads(start + TimeDelta::minutes(call_id));
        for payload in &mut payloads {
            payload["call_id"] = call_id.into();
        }
        let hangup = payloads.last().unwrap().clone();
        let delivered = if call_id == 1 { payloads.len() } else { usize::from(call_id == 2) };
        for payload in &payloads[..delivered] {
            assert_eq!(company.deliver(payload).await, json!([200]));
        }
        company.knows(call_id, hangup).await;
    }
    company.stage.settled().await;
    let before = company.told().await.len();

    let limited = json!({"kind": "status", "status": 429, "retry_after": 30});
    company.trouble("call.list", 1, limited).await;
    let after = json!({"started_after": shared::domain::time::Timestamp(start - TimeDelta::hours(1))});
    let reconcile = async |body: &Value| {
        operate(&company.stage, Method::POST, "dialpad/reconcile", Some(body.clone())).await
    };
    let refused = reconcile(&after).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("dialpad_rate_limited")));
    let found = reconcile(&after).await;
    assert_eq!(
        (found.status.as_u16(), &found.body["data"]),
        (200, &json!({"seen": 12, "stored": 11, "known": 1, "complete": true, "started_before": null}))
    );
    let again = reconcile(&after).await;
    assert_eq!(again.body["data"]["stored"], 0, "{}", again.body);

    let audit = operate(&company.stage, Method::GET, "audit?action=dialpad.reconciled", None).await;
    assert_eq!(audit.body["data"][1]["detail"]["stored"], 11, "{}", audit.body);
    for (body, status) in [
        (json!({"started_after": "2999-01-01T00:00:00Z"}), 422),
        (json!({"started_after": "yesterday"}), 422),
        (json!({}), 422),
    ] {
        assert_eq!(reconcile(&body).await.status.as_u16(), status, "{body}");
    }
    assert_eq!(company.told().await[before..], ["call.ended"; 11]);
    let row = company.stage.get("/api/calls/12").await["data"].clone();
    assert_eq!((&row["outcome"], &row["status"]), (&json!("answered"), &json!("ended")));
    assert_eq!(company.timeline(2).await, [delivered("ringing"), reconciled("hangup")]);
    assert_eq!(fake("/asked", Value::Null).await["violations"], json!([]));
}

#[tokio::test]
async fn without_the_scope_calls_are_not_listed() {
    let company = Company::connected("no scope").await;
    company.trouble("call.list", 1, json!({"kind": "status", "status": 403})).await;
    let body = json!({"started_after": "2026-01-01T00:00:00Z"});
    let refused = operate(&company.stage, Method::POST, "dialpad/reconcile", Some(body)).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("dialpad_forbidden")));
}
