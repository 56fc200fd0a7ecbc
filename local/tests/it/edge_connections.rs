//! `@connections`, called with the SDK the functions use.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws_sdk_apigatewaymanagement::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_apigatewaymanagement::error::SdkError;
use aws_sdk_apigatewaymanagement::operation::delete_connection::DeleteConnectionError;
use aws_sdk_apigatewaymanagement::operation::get_connection::GetConnectionError;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_sdk_apigatewaymanagement::{Client as Management, Config};
use aws_smithy_http_client::Builder as SdkHttp;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use axum::body::Body;
use axum::http::Request;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::edge_stack::{Plan, Reply, Stack, soon, status};

/// The SDK's client for one stage, without retries: each answer counts.
pub(crate) fn management(stack: &Stack, stage: &str) -> Management {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(format!("http://{}/{stage}", stack.management))
        .retry_config(aws_sdk_apigatewaymanagement::config::retry::RetryConfig::disabled())
        .http_client(SdkHttp::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .build();
    Management::from_conf(config)
}

pub(crate) async fn post(
    client: &Management,
    id: &str,
    data: impl Into<Vec<u8>>,
) -> Result<(), PostToConnectionError> {
    let sent = client.post_to_connection().connection_id(id).data(Blob::new(data)).send();
    soon("a post", sent).await.map(drop).map_err(SdkError::into_service_error)
}

/// A request by hand, for paths and bodies the SDK does not write.
pub(crate) async fn request(stack: &Stack, method: &str, path: &str, body: impl Into<Body>) -> Reply {
    let request = Request::builder().method(method).uri(format!("http://{}{path}", stack.management));
    let client = HttpClient::builder(TokioExecutor::new()).build_http();
    let response = soon("a response", client.request(request.body(body.into()).unwrap())).await.unwrap();
    Reply::read(response.map(Body::new)).await
}

#[tokio::test]
async fn a_post_reaches_the_client_as_a_text_frame() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    post(&management(&stack, "ws"), &id, r#"{"event":"call.ring"}"#).await.unwrap();
    assert_eq!(client.hear().await, r#"{"event":"call.ring"}"#);
    assert_eq!(stack.untaken(), [""; 0], "no function sees it");
}

#[tokio::test]
async fn the_path_may_be_encoded_or_not() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let encoded = id.replace('=', "%3D");
    for path in [
        format!("/ws/@connections/{encoded}"),
        format!("/ws/%40connections/{encoded}"),
        format!("/ws/@connections/{id}"),
    ] {
        assert_eq!(request(&stack, "POST", &path, path.clone()).await.status, 200);
        assert_eq!(client.hear().await, path);
    }
}

#[tokio::test]
async fn a_post_during_connect_is_gone() {
    let (reached, told) = (Arc::new(OnceLock::<Management>::new()), Arc::new(OnceLock::new()));
    let (sdk, outcome) = (Arc::clone(&reached), Arc::clone(&told));
    let posting = move |event: Value| {
        let (sdk, outcome) = (Arc::clone(&sdk), Arc::clone(&outcome));
        async move {
            let id = event["requestContext"]["connectionId"].as_str().unwrap();
            outcome.set(post(sdk.get().unwrap(), id, "too early").await).unwrap();
            Ok(status(200))
        }
    };
    let stack = Plan::new().slow_route("$connect", false, posting).start().await;
    reached.set(management(&stack, "ws")).unwrap();
    let (mut client, id) = stack.connect_with_id().await;
    assert!(matches!(told.get(), Some(Err(PostToConnectionError::GoneException(_)))), "{told:?}");
    post(reached.get().unwrap(), &id, "in time").await.unwrap();
    assert_eq!(client.hear().await, "in time");
}

#[tokio::test]
async fn an_unknown_connection_is_gone() {
    let stack = Plan::new().start().await;
    let sdk = management(&stack, "ws");
    let id = "L0SM9cOFvHcCIhw=";
    let posted = post(&sdk, id, "x").await;
    assert!(matches!(posted, Err(PostToConnectionError::GoneException(_))), "{posted:?}");
    let found = sdk.get_connection().connection_id(id).send().await.map_err(SdkError::into_service_error);
    assert!(matches!(found, Err(GetConnectionError::GoneException(_))), "{found:?}");
    let closed = sdk.delete_connection().connection_id(id).send().await.map_err(SdkError::into_service_error);
    assert!(matches!(closed, Err(DeleteConnectionError::GoneException(_))), "{closed:?}");
    let reply = request(&stack, "GET", &format!("/ws/@connections/{id}"), Body::empty()).await;
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (410, Some("GoneException")));
}

#[tokio::test]
async fn a_closed_connection_is_gone() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    client.socket.close(None).await.unwrap();
    stack.event("$disconnect").await;
    let posted = post(&management(&stack, "ws"), &id, "x").await;
    assert!(matches!(posted, Err(PostToConnectionError::GoneException(_))), "{posted:?}");
}

#[tokio::test]
async fn a_wrong_stage_is_forbidden() {
    let stack = Plan::new().start().await;
    let (_client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "prod");
    let posted = post(&sdk, &id, "x").await;
    assert!(matches!(posted, Err(PostToConnectionError::ForbiddenException(_))), "{posted:?}");
    let found = sdk.get_connection().connection_id(&id).send().await.map_err(SdkError::into_service_error);
    assert!(matches!(found, Err(GetConnectionError::ForbiddenException(_))), "{found:?}");
    let closed =
        sdk.delete_connection().connection_id(&id).send().await.map_err(SdkError::into_service_error);
    assert!(matches!(closed, Err(DeleteConnectionError::ForbiddenException(_))), "{closed:?}");
}

#[tokio::test]
async fn a_message_above_128_kib_is_too_large() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    let limit = 128 * 1024;
    let posted = post(&sdk, &id, vec![b'a'; limit + 1]).await;
    assert!(matches!(posted, Err(PostToConnectionError::PayloadTooLargeException(_))), "{posted:?}");
    post(&sdk, &id, vec![b'a'; limit]).await.unwrap();
    assert_eq!(client.hear().await.len(), limit);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_a_bad_request() {
    let stack = Plan::new().start().await;
    let (_client, id) = stack.connect_with_id().await;
    let reply = request(&stack, "POST", &format!("/ws/@connections/{id}"), vec![0xff]).await;
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (400, Some("BadRequestException")));
}

#[tokio::test]
async fn a_connection_can_be_looked_up() {
    let stack = Plan::new().echo().start().await;
    let (mut client, _) = stack.try_connect("/ws", &[("user-agent", "test/1.0")]).await.unwrap();
    let context = stack.event("$connect").await["requestContext"].clone();
    let id = context["connectionId"].as_str().unwrap();
    let sdk = management(&stack, "ws");
    let found = sdk.get_connection().connection_id(id).send().await.unwrap();
    let connected_at = *found.connected_at().unwrap();
    assert_eq!(connected_at.to_millis().unwrap(), context["connectedAt"].as_i64().unwrap());
    assert_eq!(found.identity().unwrap().source_ip(), Some("127.0.0.1"));
    assert_eq!(found.identity().unwrap().user_agent(), Some("test/1.0"));

    stack.clock.turn(Duration::from_mins(5));
    client.say("hello").await;
    client.hear().await;
    let found = sdk.get_connection().connection_id(id).send().await.unwrap();
    assert_eq!(found.connected_at(), Some(&connected_at));
    let active_after_millis =
        found.last_active_at().unwrap().to_millis().unwrap() - connected_at.to_millis().unwrap();
    assert!((300_000..310_000).contains(&active_after_millis), "{active_after_millis}");

    let raw = request(&stack, "GET", &format!("/ws/%40connections/{id}"), Body::empty()).await.json();
    let iso = raw["connectedAt"].as_str().unwrap();
    assert!(iso.len() == 24 && iso.ends_with('Z'), "{iso}");
}

#[tokio::test]
async fn a_deleted_connection_is_closed_with_1000_after_what_was_posted() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    post(&sdk, &id, "bye").await.unwrap();
    sdk.delete_connection().connection_id(&id).send().await.unwrap();
    let posted = post(&sdk, &id, "too late").await;
    assert!(matches!(posted, Err(PostToConnectionError::GoneException(_))), "{posted:?}");
    assert_eq!(client.hear().await, "bye");
    assert_eq!(client.close_code().await, 1000);
    let context = stack.event("$disconnect").await["requestContext"].clone();
    assert_eq!(context["disconnectStatusCode"], 1000);
    assert_eq!(context["disconnectReason"], "Connection Closed Normally");
}

#[tokio::test]
async fn a_post_keeps_a_connection_alive() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    for _ in 0..3 {
        stack.clock.turn(Duration::from_mins(9));
        post(&sdk, &id, "x").await.unwrap();
        assert_eq!(client.hear().await, "x");
    }
}

/// Posts 100 kB at a time until the client's buffer is full.
async fn fill(sdk: &Management, id: &str) {
    for _ in 0..1_000 {
        match post(sdk, id, vec![b'a'; 100_000]).await {
            Ok(()) => {}
            Err(PostToConnectionError::LimitExceededException(_)) => return,
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("100 MB fitted into the buffer");
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_its_buffer_and_delays_nobody() {
    let stack = Plan::new().start().await;
    let (_deaf, deaf_id) = stack.connect_with_id().await;
    let (mut other, other_id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    fill(&sdk, &deaf_id).await;
    let started = Instant::now();
    for number in 0..100 {
        post(&sdk, &other_id, number.to_string()).await.unwrap();
        assert_eq!(other.hear().await, number.to_string());
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(stack.edge.open_connections(), 2, "its time to read is not over");
}

#[tokio::test]
async fn a_client_that_reads_late_gets_everything_and_can_be_posted_to_again() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    fill(&sdk, &id).await;
    let again = async {
        while post(&sdk, &id, "at last").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let reading = async { while client.hear().await != "at last" {} };
    soon("room for another frame", Box::pin(async { tokio::join!(again, reading) })).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_after_the_write_time_out() {
    let stack = Plan::new().limits(|limits| limits.write_timeout = Duration::from_millis(200)).start().await;
    let (_deaf, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    // Until its buffer is full or, on a busy machine, its time is over before that.
    while post(&sdk, &id, vec![b'a'; 100_000]).await.is_ok() {}
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1006);
    let posted = post(&sdk, &id, "x").await;
    assert!(matches!(posted, Err(PostToConnectionError::GoneException(_))), "{posted:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_can_be_deleted_at_once() {
    let stack = Plan::new().limits(|limits| limits.close_timeout = Duration::from_millis(100)).start().await;
    let (_deaf, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    fill(&sdk, &id).await;
    sdk.delete_connection().connection_id(&id).send().await.unwrap();
    let posted = post(&sdk, &id, "x").await;
    assert!(matches!(posted, Err(PostToConnectionError::GoneException(_))), "{posted:?}");
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1000);
}

#[tokio::test]
async fn posts_to_one_client_arrive_in_their_order() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    for number in 0..500 {
        post(&sdk, &id, number.to_string()).await.unwrap();
    }
    for number in 0..500 {
        assert_eq!(client.hear().await, number.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_reaches_a_thousand_clients() {
    let stack = Plan::new().start().await;
    let mut clients = Vec::new();
    let mut ids = HashSet::new();
    for _ in 0..1_000 {
        let (client, id) = stack.connect_with_id().await;
        clients.push(client);
        ids.insert(id);
    }
    assert_eq!((ids.len(), stack.edge.open_connections()), (1_000, 1_000));
    let sdk = management(&stack, "ws");
    let frame = json!({ "event": "call.ring", "padding": "x".repeat(500) }).to_string();
    let posts = stream::iter(&ids).map(|id| post(&sdk, id, frame.clone()).boxed()).buffer_unordered(32);
    let outcomes: Vec<_> = posts.collect().await;
    assert!(outcomes.iter().all(Result::is_ok));
    for client in &mut clients {
        let heard = soon("the frame", client.socket.next()).await.unwrap().unwrap();
        assert_eq!(heard, Message::text(frame.clone()));
    }
}
