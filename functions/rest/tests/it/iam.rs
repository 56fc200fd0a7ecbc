//! `/internal` behind IAM: API Gateway checks the signature, and the function that it did.

use axum::{body::Body, http::Response};
use serde_json::{Value, json};

use crate::server::{SECRET, Server};

/// A request as the HTTP API hands it over.
async fn ask(server: &Server, authorizer: Value) -> Response<Body> {
    let event = json!({
        "version": "2.0", "routeKey": "ANY /internal/{proxy+}", "rawPath": "/internal/apps", "rawQueryString": "",
        "headers": {"host": "cti.example", "authorization": format!("Bearer {SECRET}")},
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "cti.example", "domainPrefix": "cti",
            "http": {"method": "GET", "path": "/internal/apps", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": ""},
            "requestId": "id", "routeKey": "ANY /internal/{proxy+}", "stage": "$default", "time": "", "timeEpoch": 0,
            "authorizer": authorizer,
        },
        "isBase64Encoded": false,
    });
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let Ok(response) = rest::handle(server.router.clone(), request).await;
    response
}

fn signed() -> Value {
    json!({"iam": {"accessKey": "AKIA", "accountId": "123456789012", "callerId": "caller", "principalOrgId": null,
        "userArn": "arn:aws:iam::123456789012:role/operator", "userId": "caller"}})
}

#[tokio::test]
async fn where_iam_decides_only_a_signature_opens_the_internal_api() {
    let server = Server::with(&[("INTERNAL_AUTHORIZATION", "iam")]).await;
    assert_eq!(ask(&server, signed()).await.status(), 200);
    assert_eq!(ask(&server, Value::Null).await.status(), 401, "the secret does not count");
}

#[tokio::test]
async fn without_iam_only_the_secret_counts() {
    let server = Server::new().await;
    assert_eq!(ask(&server, Value::Null).await.status(), 200);
    let closed = Server::with(&[("INTERNAL_API_SECRET", "another")]).await;
    assert_eq!(ask(&closed, signed()).await.status(), 401);
}
