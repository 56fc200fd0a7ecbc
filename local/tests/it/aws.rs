//! The AWS endpoint, as the real SDK clients see it.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry};
use axum::{
    body::{Body, to_bytes},
    http::Request,
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use local::{
    aws::{self, dynamodb::DynamoDb, sqs::Sqs},
    lambda::Lambda,
    template::Template,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    function::{function, lambda},
    template::{FIXTURE, surroundings},
};

struct Endpoint {
    url: String,
    template: Template,
    lambda: Lambda,
}

impl Endpoint {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut surroundings = surroundings();
        surroundings.urls.aws.clone_from(&url);
        let template = Template::parse(FIXTURE, &surroundings).unwrap();
        let lambda = lambda(function());
        let dynamodb = DynamoDb::start(&template.tables).unwrap();
        let router = aws::router(dynamodb, Sqs::new(&template), lambda.clone(), axum::Router::new());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, template, lambda }
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_sqs::config::Credentials::new("local", "local", None, None, "test"))
            .endpoint_url(&self.url)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
                "local", "local", None, None, "test",
            ))
            .endpoint_url(&self.url)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        aws_sdk_dynamodb::Client::from_conf(config)
    }

    /// Invokes a function; the answer is the status, the error header and the body.
    async fn invoke(&self, name: &str, kind: &str, event: &str) -> (u16, bool, Value) {
        let request = Request::post(format!("{}/2015-03-31/functions/{name}/invocations", self.url))
            .header("x-amz-invocation-type", kind)
            .body(Body::from(event.to_owned()))
            .unwrap();
        let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let (status, is_error) = (answer.status(), answer.headers().contains_key("x-amz-function-error"));
        let body = to_bytes(Body::new(answer.into_body()), usize::MAX).await.unwrap();
        (status.as_u16(), is_error, serde_json::from_slice(&body).unwrap_or_default())
    }
}

#[tokio::test]
async fn the_sqs_client_sends_receives_and_deletes() {
    let endpoint = Endpoint::start().await;
    let (sqs, url) = (endpoint.sqs(), &endpoint.template.queues["EventQueue"].url);
    let named = sqs.get_queue_url().queue_name("EventQueue").send().await.unwrap();
    assert_eq!(named.queue_url(), Some(url.as_str()));
    let sent = sqs.send_message().queue_url(url).message_body("hello").send().await.unwrap();
    assert_eq!(sent.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    let received = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.unwrap();
    let message = &received.messages()[0];
    assert_eq!((message.body(), message.message_id()), (Some("hello"), sent.message_id()));
    let receipt = message.receipt_handle().unwrap();
    sqs.delete_message().queue_url(url).receipt_handle(receipt).send().await.unwrap();
    let attributes = sqs.get_queue_attributes().queue_url(url).send().await.unwrap();
    let count = attributes.attributes().unwrap()
        [&aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessagesNotVisible]
        .clone();
    assert_eq!(count, "0");
}

#[tokio::test]
async fn a_batch_answers_for_each_entry() {
    let endpoint = Endpoint::start().await;
    let (sqs, url) = (endpoint.sqs(), &endpoint.template.queues["EventQueue"].url);
    let entry = |id: &str, body: &str| {
        SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
    };
    let batch = sqs.send_message_batch().queue_url(url).entries(entry("1", "one")).entries(entry("2", ""));
    let answer = batch.send().await.unwrap();
    assert_eq!((answer.successful()[0].id(), answer.failed()[0].id()), ("1", "2"));
    let repeated = sqs.send_message_batch().queue_url(url).entries(entry("1", "a")).entries(entry("1", "b"));
    assert!(repeated.send().await.unwrap_err().into_service_error().is_batch_entry_ids_not_distinct());
}

#[tokio::test]
async fn messages_in_flight_are_put_off_entry_by_entry() {
    let endpoint = Endpoint::start().await;
    let (sqs, url) = (endpoint.sqs(), &endpoint.template.queues["EventQueue"].url);
    sqs.send_message().queue_url(url).message_body("one").send().await.unwrap();
    let received = sqs.receive_message().queue_url(url).send().await.unwrap();
    let entry = |id: &str, receipt: &str, seconds| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .build()
            .unwrap()
    };
    let receipt = received.messages()[0].receipt_handle().unwrap();
    let batch = sqs
        .change_message_visibility_batch()
        .queue_url(url)
        .entries(entry("1", receipt, 0))
        .entries(entry("2", "nobody's", 0))
        .entries(entry("3", receipt, 43_201));
    let answer = batch.send().await.unwrap();
    assert_eq!(answer.successful()[0].id(), "1");
    let failed: Vec<_> = answer.failed().iter().map(|failed| (failed.id(), failed.code())).collect();
    assert_eq!(failed, [("2", "ReceiptHandleIsInvalid"), ("3", "InvalidParameterValue")]);
    let again = sqs.receive_message().queue_url(url).send().await.unwrap();
    assert_eq!(again.messages()[0].message_id(), received.messages()[0].message_id());
}

#[tokio::test]
async fn an_unknown_queue_and_an_oversize_message_are_the_errors_that_the_client_knows() {
    let endpoint = Endpoint::start().await;
    let (sqs, url) = (endpoint.sqs(), &endpoint.template.queues["EventQueue"].url);
    let unknown = sqs.send_message().queue_url(format!("{url}-not")).message_body("x").send().await;
    assert!(unknown.unwrap_err().into_service_error().is_queue_does_not_exist());
    let oversize = sqs.send_message().queue_url(url).message_body("x".repeat(1_048_577)).send().await;
    assert_eq!(oversize.unwrap_err().into_service_error().meta().code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn the_dynamodb_client_finds_an_item_by_the_templates_index() {
    let endpoint = Endpoint::start().await;
    let dynamodb = endpoint.dynamodb();
    let text = |value: &str| AttributeValue::S(value.to_owned());
    for (connection, app) in [("c1", "a1"), ("c2", "a1"), ("c3", "a2")] {
        let put = dynamodb.put_item().table_name("ConnectionsTable").item("connection_id", text(connection));
        put.item("app_id", text(app)).send().await.unwrap();
    }
    let found = dynamodb
        .query()
        .table_name("ConnectionsTable")
        .index_name("apps")
        .key_condition_expression("app_id = :app")
        .expression_attribute_values(":app", text("a1"))
        .send()
        .await
        .unwrap();
    assert_eq!(found.count(), 2);
    let ttl = dynamodb.describe_time_to_live().table_name("ConnectionsTable").send().await.unwrap();
    assert_eq!(ttl.time_to_live_description().unwrap().attribute_name(), Some("expires_at"));
}

#[tokio::test]
async fn the_invoke_api_answers_like_lambda() {
    let endpoint = Endpoint::start().await;
    let (status, is_error, body) = endpoint.invoke("double", "RequestResponse", r#"{"a":1}"#).await;
    assert_eq!((status, is_error, &body["event"]), (200, false, &json!({ "a": 1 })));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:DoubleFunction:live";
    assert_eq!(endpoint.invoke(arn, "RequestResponse", "").await.0, 200);
    let (status, is_error, body) = endpoint.invoke("double", "RequestResponse", r#"{"do":"fail"}"#).await;
    assert_eq!((status, is_error, &body["errorMessage"]), (200, true, &json!("it went wrong")));
    assert_eq!(endpoint.invoke("double", "Event", "{}").await.0, 202);
    assert_eq!(endpoint.invoke("nobody", "RequestResponse", "{}").await.0, 404);
    assert_eq!(endpoint.invoke("nobody", "Event", "{}").await.0, 404);
    assert_eq!(endpoint.invoke("double", "RequestResponse", "no json").await.0, 400);
    endpoint.lambda.shut_down().await;
}
