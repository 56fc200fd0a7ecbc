//! Webhook and subscriptions at Dialpad: made once, mended, watched, and signed with a secret that can be rotated.

use std::cell::Cell;

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock};

use local::simulate::Scenario;

use super::{
    company::{Company, fake, operate},
    server::eventually,
};

fn ringing(call_id: i64) -> Value {
    let mut payload = Scenario::InboundAnswered.payloads(SystemClock.now())[0].clone();
    payload["call_id"] = call_id.into();
    payload
}

#[tokio::test]
async fn from_the_link_to_the_frame() {
    let mut company = Company::provisioned("whole way").await;
    assert_eq!(company.deliver(&ringing(4711)).await, json!([200]));
    let frame = company.stage.frame().await;
    assert_eq!((&frame["event"], &frame["call_id"]), (&json!("call.ring"), &json!("4711")));
    // Nothing was asked of Dialpad that its document does not know.
    assert_eq!(fake("/asked", Value::Null).await["violations"], json!([]));
}

#[tokio::test]
async fn provisioning_again_changes_nothing_and_two_at_once_make_one_of_each() {
    let company = Company::connected("idempotent").await;
    let at_once =
        join_all((0..3).map(|_| operate(&company.stage, Method::POST, "dialpad/provision", None))).await;
    let mut statuses: Vec<_> = at_once.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert!(statuses[0] == 200 && statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    let again = company.provision().await;
    assert_eq!((&again["changes"], &again["drift"]), (&json!([]), &json!([])));
    let kinds: Vec<_> =
        again["subscriptions"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect();
    assert_eq!(kinds, ["call", "sms", "agent_status"]);
    let webhooks = company.meddle(Method::GET, "/webhooks", Value::Null).await;
    assert_eq!(webhooks["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_somebody_changed_at_dialpad_is_named_and_mended() {
    let company = Company::provisioned("drift").await;
    assert_eq!(company.drift().await, [""; 0]);
    let state = operate(&company.stage, Method::GET, "dialpad", None).await.body["data"].clone();
    let webhook = state["webhook"]["webhook_id"].as_str().unwrap().to_owned();
    let id = |index: usize| state["found"]["subscriptions"][index]["id"].as_str().unwrap().to_owned();
    let endpoint: i64 = webhook.parse().unwrap();

    let change = json!({"call_states": ["hangup"]});
    company.meddle(Method::PATCH, &format!("/subscriptions/call/{}", id(0)), change).await;
    company
        .meddle(
            Method::PATCH,
            &format!("/subscriptions/sms/{}", id(1)),
            json!({"direction": "all", "enabled": false}),
        )
        .await;
    company.meddle(Method::DELETE, &format!("/subscriptions/agent_status/{}", id(2)), Value::Null).await;
    company
        .meddle(Method::POST, "/subscriptions/call", json!({"endpoint_id": endpoint, "call_states": ["all"]}))
        .await;
    company
        .meddle(
            Method::PATCH,
            &format!("/webhooks/{webhook}"),
            json!({"hook_url": "https://elsewhere.example/"}),
        )
        .await;
    let drift = company.drift().await;
    assert_eq!(
        drift,
        ["webhook.hook_url_differs", "call.duplicate", "sms.disabled", "agent_status.missing"],
        "the subscription that needs the least is kept"
    );

    let mended = company.provision().await;
    assert_eq!(mended["drift"], json!([]), "{mended}");
    let changes: Vec<_> = mended["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["what"].clone(), one["change"].clone()))
        .collect();
    assert_eq!(
        changes,
        [("webhook", "updated"), ("call", "deleted"), ("sms", "updated"), ("agent_status", "created")]
            .map(|(what, change)| (json!(what), json!(change)))
    );
    assert_eq!(company.deliver(&ringing(1)).await, json!([200]));
}

#[tokio::test]
async fn a_rotated_secret_loses_no_delivery() {
    let company = Company::provisioned("rotation").await;
    let answered = Cell::new(0);
    let deliveries = async {
        let mut answers = Vec::new();
        for call_id in 1..=40 {
            answers.extend(company.deliver(&ringing(call_id)).await.as_array().unwrap().clone());
            answered.set(call_id);
        }
        answers
    };
    let rotations = async {
        for _ in 0..3 {
            let answer = operate(&company.stage, Method::POST, "webhook-secret", None).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["dialpad"]),
                (200, &json!("updated")),
                "{}",
                answer.body
            );
            // The secret before is accepted, the one before that is not: what was signed with it has to be through.
            let through = (answered.get() + 2).min(40);
            eventually("deliveries come between two rotations", async || answered.get() >= through).await;
        }
    };
    let (answers, ()) = tokio::join!(deliveries, rotations);
    assert_eq!(answers, vec![json!(200); 40]);
    assert_eq!(company.drift().await, [""; 0]);
}

#[tokio::test]
async fn a_secret_that_dialpad_could_not_be_told_is_told_again_and_not_replaced() {
    let company = Company::provisioned("rotation without Dialpad").await;
    company.trouble("webhook.update", 6, json!({"kind": "status", "status": 500})).await;
    let rotate = || operate(&company.stage, Method::POST, "webhook-secret", None);
    let first = rotate().await.body;
    assert_eq!(first["dialpad"], "pending", "{first}");
    let second = rotate().await.body;
    assert_eq!(
        (&second["dialpad"], &second["webhook_secret"]),
        (&json!("pending"), &first["webhook_secret"])
    );
    // Dialpad signs with the secret before all of this.
    assert_eq!(company.deliver(&ringing(1)).await, json!([200]));
    assert_eq!(company.drift().await, ["webhook.secret_differs"]);
    let third = rotate().await.body;
    assert_eq!((&third["dialpad"], &third["webhook_secret"]), (&json!("updated"), &first["webhook_secret"]));
    assert_eq!(company.deliver(&ringing(2)).await, json!([200]));
    assert_eq!(company.drift().await, [""; 0]);
}

#[tokio::test]
async fn dialpads_limits_and_its_silence_are_told_apart() {
    let company = Company::provisioned("limits").await;
    // A short wait is waited for.
    company.trouble("webhooks.list", 1, json!({"kind": "status", "status": 429, "retry_after": 1})).await;
    assert_eq!(company.drift().await, [""; 0]);
    // A long one is the client's.
    company.trouble("webhooks.list", 1, json!({"kind": "status", "status": 429, "retry_after": 30})).await;
    let answer = operate(&company.stage, Method::POST, "dialpad/provision", None).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (429, &json!("dialpad_rate_limited")));
    assert_eq!(answer.headers["retry-after"], "30");
    // One failure is repeated; Dialpad's silence is not.
    company.trouble("webhooks.list", 1, json!({"kind": "status", "status": 503})).await;
    assert_eq!(company.drift().await, [""; 0]);
    company.trouble("webhooks.list", 1, json!({"kind": "hang", "milliseconds": 6000})).await;
    let answer = operate(&company.stage, Method::POST, "dialpad/provision", None).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (503, &json!("dialpad_outcome_unknown")),
        "{}",
        answer.body
    );
    // The lease was given back.
    assert_eq!(company.provision().await["changes"], json!([]));
}

#[tokio::test]
async fn who_is_no_administrator_gets_calls_and_messages() {
    let company = Company::connected("no administrator").await;
    let operation = "webhook_agent_status_event_subscription.create";
    company.trouble(operation, 1, json!({"kind": "status", "status": 403})).await;
    let found = company.provision().await;
    let codes: Vec<_> =
        found["drift"].as_array().unwrap().iter().map(|drift| drift["code"].clone()).collect();
    assert_eq!(codes, ["missing", "forbidden"]);
    assert_eq!(found["subscriptions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_office_is_provisioned_alone_and_all_of_it_is_deleted() {
    let company = Company::connected("office").await;
    let answer =
        operate(&company.stage, Method::POST, "dialpad/provision", Some(json!({"scope": "office"}))).await;
    assert_eq!((answer.status.as_u16(), &answer.body["data"]["drift"]), (200, &json!([])), "{}", answer.body);
    let state = operate(&company.stage, Method::GET, "dialpad", None).await.body["data"].clone();
    assert_eq!(state["webhook"]["office_id"], state["office_id"]);
    assert_eq!(company.deliver(&ringing(1)).await, json!([200]));
    let answer = operate(&company.stage, Method::POST, "dialpad/deprovision", None).await;
    assert_eq!(answer.body["data"]["changes"].as_array().unwrap().len(), 4, "{}", answer.body);
    assert_eq!(company.meddle(Method::GET, "/webhooks", Value::Null).await, json!({}));
    assert_eq!(company.deliver(&ringing(2)).await, json!([]));
}
