//! Delivering events to webhooks, as Dialpad does: one compact JWT, signed with the webhook's secret.

use std::time::Duration;

use axum::{body::Body, http::Request};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use shared::{
    clock::{Clock as _, SystemClock},
    config::Secret,
    dialpad::jws,
};

use super::{Asked, Fake, state::Webhook};

/// How long after it was dialled a call is answered, and how long it is talked.
const RINGS: Duration = Duration::from_millis(800);
const TALKS: Duration = Duration::from_secs(2);

/// Posts deliveries.
pub(super) struct Deliverer(Client<HttpConnector, Body>);

impl Default for Deliverer {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build(HttpConnector::new()))
    }
}

/// Delivers an event to every webhook of the company that is subscribed to it; gives the status of each answer.
pub(super) async fn deliver(fake: &Fake, company: i64, payload: &Value) -> Vec<u16> {
    let webhooks: Vec<Webhook> = {
        let memory = fake.memory();
        let Some(of) = memory.companies.get(&company) else { return Vec::new() };
        let wanted = of.subscriptions.values().filter(|one| {
            let states = one.members.get("call_states").and_then(Value::as_array);
            let wants = states.is_some_and(|states| {
                states.iter().any(|state| *state == payload["state"] || state == "all")
            });
            let kind = if payload["state"].is_string() { "call" } else { "sms" };
            one.kind == kind
                && one.members.get("enabled") != Some(&Value::Bool(false))
                && (wants || kind == "sms")
        });
        wanted.filter_map(|one| of.webhooks.get(&one.webhook).cloned()).collect()
    };
    let mut answers = Vec::new();
    for Webhook { hook_url, secret } in webhooks {
        let (body, kind) = match secret {
            Some(secret) => (jws::sign(&payload.to_string(), &Secret::new(secret)), "application/jwt"),
            None => (payload.to_string(), "application/json"),
        };
        let request = Request::post(&hook_url).header("content-type", kind).body(Body::from(body));
        let status = match request {
            Ok(request) => {
                fake.0.deliverer.0.request(request).await.map_or(0, |answer| answer.status().as_u16())
            }
            Err(_) => 0,
        };
        answers.push(status);
    }
    answers
}

/// Has a call happen: it is dialled, answered after a moment, and ends.
pub(super) fn dial(fake: &Fake, company: i64, asked: &Asked) {
    let fake = fake.clone();
    let user: i64 = asked.id();
    let (number, custom_data) = (asked.body["phone_number"].clone(), asked.body["custom_data"].clone());
    tokio::spawn(async move {
        let call_id = fake.memory().id();
        let now = || SystemClock.now().timestamp_millis();
        let mut call = json!({
            "call_id": call_id, "state": "calling", "direction": "outbound", "date_started": now(),
            "event_timestamp": now(), "external_number": number, "internal_number": "+14155550101",
            "target": { "id": user, "type": "user", "name": "Ada Sample" }, "contact": {}, "custom_data": custom_data,
            "date_connected": null, "date_ended": null, "is_transferred": false,
        });
        step(&fake, company, call_id, &call).await;
        tokio::time::sleep(RINGS).await;
        call["state"] = "connected".into();
        call["date_connected"] = now().into();
        call["event_timestamp"] = now().into();
        step(&fake, company, call_id, &call).await;
        tokio::time::sleep(TALKS).await;
        call["state"] = "hangup".into();
        call["date_ended"] = now().into();
        call["event_timestamp"] = now().into();
        call["talk_time"] = json!(TALKS.as_secs_f64() * 1000.0);
        step(&fake, company, call_id, &call).await;
    });
}

async fn step(fake: &Fake, company: i64, call_id: i64, call: &Value) {
    if let Some(of) = fake.memory().companies.get_mut(&company) {
        of.calls.insert(call_id, call.clone());
    }
    deliver(fake, company, call).await;
}
