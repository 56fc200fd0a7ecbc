//! The WebSocket API: limits, and how connections end.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

use crate::edge_stack::{Client, Plan, Stack, refusal, soon};

/// A handshake by hand, for bytes no client library sends.
async fn raw_client(stack: &Stack) -> TcpStream {
    let mut tcp = TcpStream::connect(stack.address).await.unwrap();
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        stack.address
    );
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("the response's head", tcp.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.to_lowercase().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    tcp
}

/// The bytes of a masked frame with a payload of at most 125 bytes.
fn masked(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

/// Makes the next drop of this stream reset the connection instead of ending it.
fn reset(tcp: TcpStream) {
    tcp.set_zero_linger().unwrap();
    drop(tcp);
}

fn plain(client: Client) -> TcpStream {
    match client.socket.into_inner() {
        MaybeTlsStream::Plain(tcp) => tcp,
        _ => panic!("the test speaks no TLS"),
    }
}

async fn say_in_frames(client: &mut Client, frame_bytes: usize, frames: usize) {
    for index in 0..frames {
        let opcode = if index == 0 { Data::Text } else { Data::Continue };
        let header = FrameHeader {
            is_final: index + 1 == frames,
            opcode: OpCode::Data(opcode),
            ..FrameHeader::default()
        };
        let frame = Frame::from_payload(header, vec![b'a'; frame_bytes].into());
        // What is refused half-way closes the socket under the rest.
        if client.socket.send(Message::Frame(frame)).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_disconnect_event_carries_the_clients_code_and_reason() {
    let stack = Plan::new().start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let frame = CloseFrame { code: CloseCode::Library(4001), reason: "signed out".into() };
    client.socket.close(Some(frame.clone())).await.unwrap();
    assert_eq!(client.hear_close().await, Some(frame), "the close frame is answered with itself");
    let event = stack.event("$disconnect").await;
    let context = &event["requestContext"];
    assert_eq!(context["eventType"], "DISCONNECT");
    assert_eq!(context["routeKey"], "$disconnect");
    assert_eq!(context["connectionId"], id);
    assert_eq!(context["disconnectStatusCode"], 4001);
    assert_eq!(context["disconnectReason"], "signed out");
    assert!(context["connectedAt"].is_i64() && context["requestTimeEpoch"].is_i64());
    serde_json::from_value::<ApiGatewayWebsocketProxyRequest>(event).unwrap();
    assert_eq!(stack.edge.open_connections(), 0);
}

#[tokio::test]
async fn a_close_frame_without_a_code_is_1005() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    client.socket.close(None).await.unwrap();
    let context = stack.event("$disconnect").await["requestContext"].clone();
    assert_eq!(context["disconnectStatusCode"], 1005);
    assert_eq!(context["disconnectReason"], "Client-side close frame status not set");
}

#[tokio::test]
async fn a_reset_is_1006_and_ends_only_its_own_socket() {
    let stack = Plan::new().echo().start().await;
    let (mut other, _id) = stack.connect_with_id().await;
    let (client, id) = stack.connect_with_id().await;
    reset(plain(client));
    let context = stack.event("$disconnect").await["requestContext"].clone();
    assert_eq!((&context["connectionId"], &context["disconnectStatusCode"]), (&json!(id), &json!(1006)));
    other.say("still here").await;
    assert_eq!(other.hear().await, "still here");
    assert_eq!(stack.edge.open_connections(), 1);
}

#[tokio::test]
async fn a_tcp_end_without_a_close_frame_is_1006() {
    let stack = Plan::new().start().await;
    drop(stack.connect().await);
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1006);
}

#[tokio::test]
async fn a_client_that_leaves_during_connect_is_disconnected_afterwards() {
    let (plan, gate) = Plan::new().gated_route("$connect");
    let stack = plan.start().await;
    tokio::select! {
        _ = stack.connect() => panic!("$connect has not answered"),
        _ = stack.event("$connect") => {}
    }
    gate.notify_one();
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1006);
    assert_eq!(stack.edge.open_connections(), 0);
}

#[tokio::test]
async fn a_message_may_have_128_kib_in_frames_of_32_kib() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    say_in_frames(&mut client, 32 * 1024, 4).await;
    assert_eq!(stack.event("$default").await["body"].as_str().unwrap().len(), 128 * 1024);
}

#[tokio::test]
async fn a_larger_message_is_closed_with_1009() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    say_in_frames(&mut client, 32 * 1024, 5).await;
    assert_eq!(client.close_code().await, 1009);
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1009);
    assert_eq!(stack.untaken(), ["$connect"]);
}

#[tokio::test]
async fn a_larger_frame_is_closed_with_1009() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    say_in_frames(&mut client, 32 * 1024 + 1, 1).await;
    assert_eq!(client.close_code().await, 1009);
}

#[tokio::test]
async fn a_binary_frame_is_closed_with_1003() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.close_code().await, 1003);
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1003);
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_closed_with_1002_and_1007() {
    let stack = Plan::new().start().await;
    let cases = [
        ("not masked", vec![0x81, 0x01, b'x'], 1002),
        ("a reserved opcode", masked(0x83, b""), 1002),
        ("a continuation of nothing", masked(0x80, b"x"), 1002),
        ("a reserved bit", masked(0xc1, b"x"), 1002),
        ("a text that is not UTF-8", masked(0x81, b"\xff"), 1007),
    ];
    for (what, bytes, code) in cases {
        let mut tcp = raw_client(&stack).await;
        tcp.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        soon("the end", tcp.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer.first(), Some(&0x88), "{what}: a close frame");
        assert_eq!(u16::from_be_bytes([answer[2], answer[3]]), code, "{what}");
        drop(tcp);
        let event = stack.event("$disconnect").await;
        assert_eq!(event["requestContext"]["disconnectStatusCode"], code, "{what}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_by_the_gateway_and_unseen_by_the_function() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    client.socket.send(Message::Ping("are you there".into())).await.unwrap();
    let pong = soon("the pong", client.socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));
    assert_eq!(stack.untaken(), ["$connect"]);
}

#[tokio::test]
async fn a_ping_is_answered_while_a_function_is_busy() {
    let stack = Plan::new().slow_route("$default", true, |_event| std::future::pending()).start().await;
    let mut client = stack.connect().await;
    client.say("slow").await;
    stack.event("$default").await;
    client.socket.send(Message::Ping("x".into())).await.unwrap();
    assert_eq!(soon("the pong", client.socket.next()).await.unwrap().unwrap(), Message::Pong("x".into()));
}

#[tokio::test]
async fn ten_idle_minutes_close_with_1001() {
    let stack = Plan::new().start().await;
    let mut client = stack.connect().await;
    stack.clock.turn(Duration::from_mins(10));
    let frame = client.hear_close().await.unwrap();
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1001, "Going away"));
    let context = stack.event("$disconnect").await["requestContext"].clone();
    assert_eq!(
        (&context["disconnectStatusCode"], &context["disconnectReason"]),
        (&json!(1001), &json!("Going away"))
    );
}

#[tokio::test]
async fn a_message_keeps_a_connection_alive_and_a_ping_does_not() {
    let stack = Plan::new().echo().start().await;
    let (mut talking, mut pinging) = (stack.connect().await, stack.connect().await);
    for _ in 0..3 {
        stack.clock.turn(Duration::from_mins(9));
        talking.say("hello").await;
        assert_eq!(talking.hear().await, "hello");
        // The one that only pings is past its ten minutes the second time.
        let _ = pinging.socket.send(Message::Ping("x".into())).await;
    }
    assert_eq!(pinging.close_code().await, 1001);
    assert_eq!(stack.edge.open_connections(), 1);
}

#[tokio::test]
async fn two_hours_close_even_a_busy_connection_with_1001() {
    let stack = Plan::new().echo().start().await;
    let mut client = stack.connect().await;
    for _ in 0..13 {
        stack.clock.turn(Duration::from_mins(9));
        client.say("hello").await;
        assert_eq!(client.hear().await, "hello");
    }
    stack.clock.turn(Duration::from_mins(3));
    assert_eq!(client.close_code().await, 1001);
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1001);
}

#[tokio::test]
async fn a_client_that_sends_without_reading_is_held_up_and_then_given_up() {
    let large = "x".repeat(100_000);
    let stack = Plan::new()
        .route("$default", true, move |_event| Ok(json!({ "statusCode": 200, "body": large })))
        .limits(|limits| limits.write_timeout = Duration::from_millis(200))
        .start()
        .await;
    let mut tcp = raw_client(&stack).await;
    let flood = tokio::spawn(async move { while tcp.write_all(&masked(0x81, b"x")).await.is_ok() {} });
    assert_eq!(stack.event("$disconnect").await["requestContext"]["disconnectStatusCode"], 1006);
    soon("the end of the flood", flood).await.unwrap();
}

#[tokio::test]
async fn shutting_down_closes_with_1001_and_waits_for_disconnect() {
    let stack = Plan::new().start().await;
    let mut clients = vec![stack.connect().await, stack.connect().await];
    let closing = async {
        for client in &mut clients {
            assert_eq!(client.close_code().await, 1001);
        }
    };
    soon("the shut-down", async { tokio::join!(stack.edge.shut_down(), closing) }).await;
    assert_eq!(stack.untaken().iter().filter(|function| *function == "$disconnect").count(), 2);
    assert_eq!(refusal(&stack, "/ws").await, 503);
}
