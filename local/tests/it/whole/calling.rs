//! Click to call: an app has a user's Dialpad dial, once for each key, and finds the call that came of it.

use axum::http::Method;
use futures_util::future::join_all;
use local::client::Answer;
use serde_json::{Value, json};

use super::{
    company::{Company, fake, operate},
    server::eventually,
};

impl Company {
    async fn call(&self, key: Option<&str>, body: Value) -> Answer {
        let mut headers =
            vec![("content-type", "application/json"), ("x-app-api-key", &self.stage.app.api_key)];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.stage.client.send(Method::POST, "/api/call-requests", &headers, body.to_string()).await.unwrap()
    }

    fn wanted(&self) -> Value {
        json!({ "dialpad_user_id": self.user, "to": "+1 (415) 555-0170" })
    }
}

#[tokio::test]
async fn a_requested_call_is_dialled_and_found_again() {
    let company = Company::provisioned("click to call").await;
    let mapping = json!({ "dialpad_user_id": company.user, "crm_user_id": "ada" });
    assert_eq!(operate(&company.stage, Method::POST, "users/map", Some(mapping)).await.status.as_u16(), 201);
    let answer = company
        .call(None, json!({"crm_user_id": "ada", "to": "+14155550170", "custom_data": "lead 7"}))
        .await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.body);
    let request = &answer.body["data"];
    assert_eq!(
        (&request["status"], &request["dialpad_user_id"]),
        (&json!("requested"), &json!(company.user))
    );
    let path = format!("/api/call-requests/{}", request["id"].as_str().unwrap());
    assert_eq!(answer.headers["location"], path.as_str());
    eventually("the call came of it", async || company.stage.get(&path).await["data"]["call"].is_object())
        .await;
    let call = company.stage.get(&path).await["data"]["call"].clone();
    let calls = company.stage.get("/api/calls").await;
    assert_eq!(calls["data"][0]["id"], call["id"]);
    assert_eq!(calls["data"][0]["direction"], "outbound");
    assert_eq!(fake("/asked", Value::Null).await["violations"], json!([]));
}

#[tokio::test]
async fn a_key_dials_once() {
    let company = Company::connected("idempotency").await;
    let at_once = join_all((0..4).map(|_| company.call(Some("one"), company.wanted()))).await;
    let statuses: Vec<_> = at_once.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(
        statuses.contains(&202) && statuses.iter().all(|status| [202, 409].contains(status)),
        "{statuses:?}"
    );
    let again = company.call(Some("one"), company.wanted()).await;
    assert_eq!(again.status.as_u16(), 202);
    let first = at_once.iter().find(|answer| answer.status.as_u16() == 202).unwrap();
    assert_eq!(again.body["data"]["id"], first.body["data"]["id"]);
    let other =
        company.call(Some("one"), json!({"dialpad_user_id": company.user, "to": "+14155550171"})).await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &json!("idempotency_key_reused")));
}

#[tokio::test]
async fn a_user_dials_five_times_a_minute_and_what_failed_does_not_count() {
    let company = Company::connected("five a minute").await;
    company.trouble("users.initiate_call", 1, json!({"kind": "status", "status": 503})).await;
    let failed = company.call(Some("k"), company.wanted()).await;
    assert_eq!((failed.status.as_u16(), &failed.body["code"]), (503, &json!("dialpad_unavailable")));
    for key in ["k", "l", "m", "n", "o"] {
        assert_eq!(company.call(Some(key), company.wanted()).await.status.as_u16(), 202, "{key}");
    }
    let sixth = company.call(Some("p"), company.wanted()).await;
    assert_eq!((sixth.status.as_u16(), &sixth.body["code"]), (429, &json!("dialled_too_often")));
    let wait: u64 = sixth.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_call_whose_outcome_nobody_knows_is_not_dialled_again() {
    let company = Company::connected("silence").await;
    company.trouble("users.initiate_call", 1, json!({"kind": "hang", "milliseconds": 6000})).await;
    for _ in 0..2 {
        let answer = company.call(Some("k"), company.wanted()).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (503, &json!("dialpad_outcome_unknown")));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let company = Company::connected("wrong requests").await;
    for (body, pointer) in [
        (json!({"to": "+14155550170"}), "/dialpad_user_id"),
        (json!({"dialpad_user_id": "7", "crm_user_id": "x", "to": "+14155550170"}), "/crm_user_id"),
        (json!({"crm_user_id": "nobody", "to": "+14155550170"}), "/crm_user_id"),
        (json!({"dialpad_user_id": "7", "to": "blocked"}), "/to"),
    ] {
        let answer = company.call(None, body).await;
        assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
}
