//! A company is connected: link, Dialpad, callback; tokens are exchanged by one at a time.

#![expect(clippy::similar_names, reason = "a stage, and the state that OAuth and Dialpad speak of")]

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    company::{Company, below, consent, fake, location, operate},
    server::{Stage, server},
};

#[tokio::test]
async fn a_company_is_connected_by_a_link_and_its_tokens_are_kept_sealed() {
    let company = Company::connected("connect").await;
    let state =
        operate(&company.stage, Method::GET, "dialpad?inspect=false", None).await.body["data"].clone();
    assert_eq!(state["company_name"], format!("Company {}", company.id));
    assert_eq!((&state["kind"], &state["webhook"]), (&json!("oauth"), &Value::Null));
    assert_eq!(state["dialpad_user_id"], company.user.as_str());
    assert!(state["office_id"].is_string(), "{state}");

    let database = server().database().await;
    let app_id = company.stage.app.app_id.0;
    let sql = "SELECT sealed_tokens FROM dialpad_connections WHERE app_id = $1";
    let sealed: String = database.query_one(sql, &[&app_id]).await.unwrap().get(0);
    assert!(sealed.starts_with("v1.local."), "{sealed}");
    let mapped = "SELECT count(*) FROM dialpad_user_mappings WHERE app_id = $1";
    assert_eq!(database.query_one(mapped, &[&app_id]).await.unwrap().get::<_, i64>(0), 0);

    let audit = operate(&company.stage, Method::GET, "audit", None).await.body;
    let actions: Vec<_> =
        audit["data"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions[..2], [json!("dialpad.connected"), json!("dialpad.link_made")]);
}

#[tokio::test]
async fn a_link_that_was_tampered_with_leads_nowhere() {
    let (stage, other) = (Stage::new("link").await, Stage::new("other").await);
    let link = operate(&stage, Method::POST, "dialpad/connect-link", None).await;
    let link = below(link.body["url"].as_str().unwrap());
    for tampered in [
        link.replace(&stage.app.app_id.to_string(), &other.app.app_id.to_string()),
        format!("{}{}", &link[..link.len() - 1], if link.ends_with('0') { '1' } else { '0' }),
        format!("{link}a"),
    ] {
        let answer = stage.client.send(Method::GET, &tampered, &[], "").await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (403, &json!("link_invalid")),
            "{tampered}"
        );
    }
    let page =
        stage.client.send(Method::GET, &format!("{link}a"), &[("accept", "text/html")], "").await.unwrap();
    assert_eq!(page.status.as_u16(), 403);
    assert!(page.body.as_str().unwrap().contains("<h1>The company was not connected</h1>"), "{}", page.body);
    // Following it twice is no harm: each time it is another state.
    let first = location(&stage.client.send(Method::GET, &link, &[], "").await.unwrap());
    let second = location(&stage.client.send(Method::GET, &link, &[], "").await.unwrap());
    assert_ne!(first, second);
    assert!(first.contains("code_challenge_method=S256") && !first.contains("secret"), "{first}");
}

#[tokio::test]
async fn a_state_is_used_once_and_a_refusal_of_access_is_said() {
    let stage = Stage::new("state").await;
    let callback = consent(&stage).await;
    let answers = join_all((0..4).map(|_| stage.client.send(Method::GET, &callback, &[], ""))).await;
    let mut statuses: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403, 403]);

    let callback = consent(&stage).await;
    let state = callback.split("state=").nth(1).unwrap();
    let denied = format!("/auth/dialpad/callback?error=access_denied&error_description=no&state={state}");
    let answer = stage.client.send(Method::GET, &denied, &[], "").await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (403, &json!("access_denied")));
    let unknown = "/auth/dialpad/callback?code=x&state=0000";
    let answer = stage.client.send(Method::GET, unknown, &[], "").await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (403, &json!("state_invalid")));
}

#[tokio::test]
async fn whoever_guesses_links_and_states_keeps_nobody_from_connecting() {
    let stage = Stage::new("guesses").await;
    let callback = consent(&stage).await;
    for guess in 0..20 {
        for path in ["/auth/dialpad/connect?app_id=", "/auth/dialpad/callback?code=x&state="] {
            let answer = stage.client.send(Method::GET, &format!("{path}{guess}"), &[], "").await.unwrap();
            assert!(
                answer.status.is_client_error() && answer.status.as_u16() != 429,
                "{path}: {}",
                answer.status
            );
        }
    }
    let answer = stage.client.send(Method::GET, &callback, &[], "").await.unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
}

#[tokio::test]
async fn a_code_that_dialpad_does_not_know_connects_nothing() {
    let stage = Stage::new("code").await;
    let callback = consent(&stage).await;
    let state = callback.split("state=").nth(1).unwrap();
    let forged = format!("/auth/dialpad/callback?code=forged&state={state}");
    let answer = stage.client.send(Method::GET, &forged, &[], "").await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (409, &json!("dialpad_not_connected")));
    let state = operate(&stage, Method::GET, "dialpad", None).await;
    assert_eq!(state.body["data"]["status"], "none");
}

#[tokio::test]
async fn of_twenty_requests_with_an_expired_token_one_exchanges_it() {
    let company = Company::connected("refresh").await;
    let database = server().database().await;
    let app_id = company.stage.app.app_id.0;
    let expire = "UPDATE dialpad_connections SET expires_at = now() - interval '1 minute' WHERE app_id = $1";
    database.execute(expire, &[&app_id]).await.unwrap();
    fake("/expire", json!({ "company_id": company.id })).await;

    let ask = || operate(&company.stage, Method::GET, "dialpad", None);
    let states: Vec<_> =
        join_all((0..20).map(|_| ask())).await.into_iter().map(|answer| answer.body).collect();
    // Twenty inspections at once pass Dialpad's limit; what none of them may meet are tokens that are not good.
    for state in &states {
        assert_eq!(state["data"]["status"], "connected", "{state}");
        assert_ne!(state["data"]["not_found_because"], "dialpad_not_connected", "{state}");
    }
    assert!(states.iter().any(|state| state["data"]["found"].is_object()), "{states:?}");
    assert_eq!(company.refreshes().await, 1);
    // Dialpad's answer names no company.
    let state =
        operate(&company.stage, Method::GET, "dialpad?inspect=false", None).await.body["data"].clone();
    assert_eq!((&state["company_id"], &state["status"]), (&json!(company.id), &json!("connected")));
    assert!(state["company_name"].is_string() && state["office_id"].is_string(), "{state}");
}

#[tokio::test]
async fn a_token_that_dialpad_refuses_before_its_time_is_exchanged_too() {
    let company = Company::connected("revoked early").await;
    fake("/expire", json!({ "company_id": company.id })).await;
    assert_eq!(company.drift().await.len(), 4);
    assert_eq!(company.refreshes().await, 1);
}

#[tokio::test]
async fn a_grant_that_is_over_asks_for_a_person() {
    let company = Company::connected("revoked").await;
    // Somebody removes the app in Dialpad's own settings.
    company.meddle_with_tokens().await;
    let answer = operate(&company.stage, Method::POST, "dialpad/provision", None).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (409, &json!("dialpad_not_connected")));
    let state = operate(&company.stage, Method::GET, "dialpad", None).await;
    assert_eq!(
        (&state.body["data"]["status"], &state.body["data"]["found"]),
        (&json!("broken"), &Value::Null)
    );
}

#[tokio::test]
async fn a_disconnected_company_is_asked_nothing_any_more() {
    let company = Company::connected("disconnect").await;
    let path = format!("/auth/dialpad/disconnect/{}", company.stage.app.app_id);
    let answer = company.stage.client.send(Method::POST, &path, &[], "").await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body["revoked"]), (200, &json!(true)), "{}", answer.body);
    let again = operate(&company.stage, Method::POST, "dialpad/disconnect", None).await;
    assert_eq!(again.status.as_u16(), 200);
    let state = operate(&company.stage, Method::GET, "dialpad", None).await;
    assert_eq!(state.body["data"]["status"], "disconnected");
    let database = server().database().await;
    let app_id = company.stage.app.app_id.0;
    let sql = "SELECT sealed_tokens IS NULL FROM dialpad_connections WHERE app_id = $1";
    assert!(database.query_one(sql, &[&app_id]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn an_api_key_connects_without_a_person() {
    let stage = Stage::new("api key").await;
    let made = fake("/company", json!({})).await;
    let connect =
        |key: &str| operate(&stage, Method::POST, "dialpad/api-key", Some(json!({ "api_key": key })));
    let wrong = connect("key-1").await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["code"]), (409, &json!("dialpad_not_connected")));
    let answer = connect(made["api_key"].as_str().unwrap()).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    let state = operate(&stage, Method::GET, "dialpad", None).await.body["data"].clone();
    assert_eq!((&state["kind"], &state["company_id"]), (&json!("api_key"), &made["company_id"]));
    assert_eq!(state["found"]["drift"].as_array().unwrap().len(), 4, "{state}");
}

impl Company {
    /// Revokes all tokens of the company at Dialpad.
    async fn meddle_with_tokens(&self) {
        let token = fake("/token", json!({ "company_id": self.id })).await;
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let dialpad = local::client::Client::new(server().dialpad(), None).unwrap();
        let headers = [("authorization", bearer.as_str())];
        let answer = dialpad.send(Method::POST, "/oauth2/deauthorize", &headers, "").await.unwrap();
        assert_eq!(answer.status.as_u16(), 204);
    }
}
