//! Walks every operation of the generated document, so that a new route is covered without anybody thinking of it.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use crate::server::{App, Reply, SECRET, Server};

/// An operation of the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// As it is documented, with its parameters in braces.
    pub(crate) path: String,
    pub(crate) name: String,
    /// Its query parameters.
    pub(crate) query: Vec<String>,
    needs_body: bool,
    /// `app_key`, `operator`, or none.
    pub(crate) credential: Option<String>,
}

impl Operation {
    /// The names of the parameters in its path.
    pub(crate) fn path_parameters(&self) -> Vec<&str> {
        self.path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect()
    }

    /// A body that it takes; a route that needs one and is not known here fails the test.
    pub(crate) fn body(&self) -> Option<Value> {
        let mapping = json!({"dialpad_user_id": 701, "crm_user_id": "ours"});
        Some(match self.name.as_str() {
            "create_app" => json!({"name": "New"}),
            "change_app" => json!({"name": "Ours"}),
            "map_user" => mapping,
            "batch_map_users" => json!({"mappings": [mapping]}),
            "connect_dialpad_by_key" => json!({"api_key": "dialpad-key"}),
            "reconcile_calls" => json!({"started_after": "2026-01-01T00:00:00Z"}),
            "erase_number" => json!({"number": "+1 (415) 555-0173"}),
            "request_call" => json!({"crm_user_id": "theirs-7f3a", "to": "+1 (415) 555-0173"}),
            "change_voicemail" => json!({"status": "read"}),
            other => {
                assert!(!self.needs_body, "{other}: say here what its body may be");
                return None;
            }
        })
    }
}

/// All operations of the document.
pub(crate) async fn operations(server: &Server) -> Vec<Operation> {
    let document = server.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.expect(200);
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                name: operation["operationId"].as_str().unwrap().to_owned(),
                query: in_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect(),
                needs_body: operation["requestBody"]["required"] == true,
                credential: operation["security"][0]
                    .as_object()
                    .and_then(|schemes| schemes.keys().next().cloned()),
            });
        }
    }
    assert!(operations.len() > 40, "the document is not whole");
    operations
}

/// Sends an operation to this path, with the credential that it needs.
pub(crate) async fn send(server: &Server, operation: &Operation, app: &App, uri: &str) -> Reply {
    let (method, body) = (operation.method.clone(), operation.body());
    match operation.credential.as_deref() {
        Some("app_key") => server.call(app, method, uri, body).await,
        Some("operator") => server.operator(method, uri, body).await,
        Some(other) => panic!("{}: unknown credential {other}", operation.name),
        None => server.send(Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()).await,
    }
}

/// A path of the operation with ids that may be of anything.
fn any_path(operation: &Operation) -> String {
    let mut path = operation.path.clone();
    for name in operation.path_parameters() {
        path = path.replace(&format!("{{{name}}}"), "00000000-0000-7000-8000-000000000001");
    }
    path
}

fn methods(text: &str) -> Vec<String> {
    let mut methods: Vec<_> = text.split(", ").map(str::to_owned).collect();
    methods.sort();
    methods
}

#[tokio::test]
async fn every_route_echoes_the_request_id_and_refuses_in_problem_documents() {
    let server = Server::with(&[("CORS_ALLOWED_ORIGINS", "*")]).await;
    let app = server.app("Acme").await;
    for operation in operations(&server).await {
        let path = any_path(&operation);
        let bare = |header: (&str, &str)| {
            Request::builder()
                .method(operation.method.clone())
                .uri(&path)
                .header("x-request-id", "walk")
                .header("origin", "https://crm.example")
                .header(header.0, header.1)
                .body(Body::empty())
                .unwrap()
        };
        let reply = server.send(bare(("x-nothing", "x"))).await;
        assert_eq!(reply.header("x-request-id"), "walk", "{path}");
        let allowed = reply.header("access-control-allow-origin");
        assert_eq!(
            allowed,
            if operation.credential.as_deref() == Some("operator") { "" } else { "*" },
            "{path}"
        );
        // No credential, and one of the other kind, are refused alike.
        let bearer = format!("Bearer {SECRET}");
        match operation.credential.as_deref() {
            Some("app_key") => {
                assert_eq!(reply.refusal(401).0, "unauthorized", "{path}");
                let other = server.send(bare(("authorization", &bearer))).await;
                assert_eq!(other.refusal(401).0, "unauthorized", "{path}");
            }
            Some("operator") => {
                assert_eq!(reply.refusal(401).0, "unauthorized", "{path}");
                let other = server.send(bare(("x-app-api-key", &app.key))).await;
                assert_eq!(other.refusal(401).0, "unauthorized", "{path}");
            }
            Some(_) | None => {}
        }
    }
}

#[tokio::test]
async fn every_route_refuses_a_parameter_that_it_does_not_know() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    // What a server of OAuth adds to its answer is to be ignored (RFC 6749, 4.1.2).
    let is_ours = |operation: &Operation| operation.path != "/auth/dialpad/callback";
    for operation in operations(&server).await.into_iter().filter(is_ours) {
        // Of all ids only Dialpad's have to be numbers; one that is none names nothing.
        let path =
            any_path(&operation).replace("/dialpad/00000000-0000-7000-8000-000000000001", "/dialpad/7");
        let reply = send(&server, &operation, &app, &format!("{path}?surely_unknown=1")).await;
        let (code, pointers) = reply.refusal(422);
        assert_eq!(code, "invalid", "{path}");
        assert!(pointers.contains(&"surely_unknown".to_owned()), "{path}: {pointers:?}");
    }
}

#[tokio::test]
async fn every_path_answers_options_and_a_wrong_method_with_the_methods_it_has() {
    let server = Server::new().await;
    let all = operations(&server).await;
    for operation in &all {
        let path = any_path(operation);
        let mut expected: Vec<String> = all
            .iter()
            .filter(|other| other.path == operation.path)
            .map(|other| other.method.to_string())
            .collect();
        expected.push("OPTIONS".to_owned());
        if expected.contains(&"GET".to_owned()) {
            expected.push("HEAD".to_owned());
        }
        expected.sort();
        let with = |method: &str| Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
        let wrong = server.send(with("PUT")).await;
        assert_eq!(wrong.refusal(405).0, "method_not_allowed", "{path}");
        let options = server.send(with("OPTIONS")).await;
        assert_eq!(options.status, 204, "{path}");
        for reply in [&wrong, &options] {
            assert_eq!(methods(reply.header("allow")), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn every_get_has_a_head_with_the_same_status_and_no_body() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for operation in operations(&server).await.iter().filter(|operation| operation.method == Method::GET) {
        let path = any_path(operation);
        let get = send(&server, operation, &app, &path).await;
        let head = send(&server, &Operation { method: Method::HEAD, ..operation.clone() }, &app, &path).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}
