//! A company at the fake Dialpad, connected with an app of the running server.

#![expect(clippy::similar_names, reason = "a stage, and the state that OAuth and Dialpad speak of")]

use axum::http::Method;
use local::client::{Answer, Client};
use serde_json::{Value, json};

use super::server::{Stage, server};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// A stage whose app is connected with a company.
pub(crate) struct Company {
    pub(crate) stage: Stage,
    /// Dialpad's id of it.
    pub(crate) id: String,
    /// The person who granted access.
    pub(crate) user: String,
}

/// Asks the fake Dialpad what Dialpad cannot be asked.
pub(crate) async fn fake(path: &str, body: Value) -> Value {
    let dialpad = Client::new(server().dialpad(), None).unwrap();
    let (method, body) =
        if body.is_null() { (Method::GET, String::new()) } else { (Method::POST, body.to_string()) };
    let answer = dialpad.send(method, &format!("/fake{path}"), &JSON, body).await.unwrap();
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
    answer.body
}

/// Posts to an operator's route of the app; an empty body where there is none.
pub(crate) async fn operate(stage: &Stage, method: Method, path: &str, body: Option<Value>) -> Answer {
    let path = format!("/internal/apps/{}/{path}", stage.app.app_id);
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    stage.client.send(method, &path, &JSON, body).await.unwrap()
}

/// Path and query of an address.
pub(crate) fn below(address: &str) -> String {
    let uri: axum::http::Uri = address.parse().unwrap();
    uri.path_and_query().unwrap().to_string()
}

/// Where an answer sends the client.
pub(crate) fn location(answer: &Answer) -> String {
    assert_eq!(answer.status.as_u16(), 302, "{}", answer.body);
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// Follows a link to Dialpad and back; gives the path of the callback, which was not called yet.
pub(crate) async fn consent(stage: &Stage) -> String {
    let link = operate(stage, Method::POST, "dialpad/connect-link", None).await;
    assert_eq!(link.status.as_u16(), 201, "{}", link.body);
    let link = below(link.body["url"].as_str().unwrap());
    let to_dialpad = location(&stage.client.send(Method::GET, &link, &[], "").await.unwrap());
    assert!(to_dialpad.starts_with(server().dialpad()), "{to_dialpad}");
    let dialpad = Client::new(server().dialpad(), None).unwrap();
    let back = location(&dialpad.send(Method::GET, &below(&to_dialpad), &[], "").await.unwrap());
    assert!(back.starts_with(&format!("{}/auth/dialpad/callback?", server().edge())), "{back}");
    below(&back)
}

impl Company {
    /// A new company that grants access to a new app.
    pub(crate) async fn connected(name: &str) -> Self {
        let stage = Stage::new(name).await;
        let callback = consent(&stage).await;
        let answer = stage.client.send(Method::GET, &callback, &[], "").await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        let state = operate(&stage, Method::GET, "dialpad?inspect=false", None).await.body["data"].clone();
        assert_eq!(state["status"], "connected");
        let text = |member: &str| state[member].as_str().unwrap().to_owned();
        Self { id: text("company_id"), user: text("dialpad_user_id"), stage }
    }

    /// The same, with webhook and subscriptions.
    pub(crate) async fn provisioned(name: &str) -> Self {
        let company = Self::connected(name).await;
        let found = company.provision().await;
        assert_eq!(found["drift"], json!([]), "{found}");
        company
    }

    pub(crate) async fn provision(&self) -> Value {
        let answer = operate(&self.stage, Method::POST, "dialpad/provision", None).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        answer.body["data"].clone()
    }

    /// What differs, as `what.code`.
    pub(crate) async fn drift(&self) -> Vec<String> {
        let state = operate(&self.stage, Method::GET, "dialpad", None).await;
        assert_eq!(state.status.as_u16(), 200, "{}", state.body);
        let found = state.body["data"]["found"]["drift"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", state.body))
            .clone();
        let text = |drift: &Value, member: &str| drift[member].as_str().unwrap().to_owned();
        found.iter().map(|drift| format!("{}.{}", text(drift, "what"), text(drift, "code"))).collect()
    }

    /// Has Dialpad deliver an event; gives how it was answered.
    pub(crate) async fn deliver(&self, payload: &Value) -> Value {
        fake("/deliver", json!({ "company_id": self.id, "payload": payload })).await["statuses"].clone()
    }

    /// The next requests of an operation meet trouble.
    pub(crate) async fn trouble(&self, operation: &str, times: usize, trouble: Value) {
        let mut body = trouble;
        body["company_id"] = self.id.as_str().into();
        body["operation"] = operation.into();
        body["times"] = times.into();
        fake("/trouble", body).await;
    }

    /// Asks the fake Dialpad's API as somebody else of the company.
    pub(crate) async fn meddle(&self, method: Method, path: &str, body: Value) -> Value {
        let token = fake("/token", json!({ "company_id": self.id })).await;
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let dialpad = Client::new(server().dialpad(), None).unwrap();
        let headers = [JSON[0], ("authorization", bearer.as_str())];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = dialpad.send(method, &format!("/api/v2{path}"), &headers, body).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        answer.body
    }

    /// How often the company's tokens were exchanged.
    pub(crate) async fn refreshes(&self) -> u64 {
        fake("/asked", Value::Null).await["refreshes"][&self.id].as_u64().unwrap()
    }
}
