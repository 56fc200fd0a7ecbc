//! An open socket: reading, writing, the limits of both, and closing.

use std::future::pending;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::Gateway;
use super::connection::{Connection, Outgoing};

/// Small, because most connections are idle and there may be ten thousand of them.
const BUFFER_BYTES: usize = 4 * 1024;

/// The bytes below the WebSocket.
pub(super) type Io = TokioIo<Upgraded>;

type Socket = WebSocketStream<Io>;

/// How a connection ended, as `$disconnect` is told.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) code: u16,
    pub(super) reason: String,
    parting: Parting,
}

/// What is left to do with the socket.
#[derive(Debug, Clone)]
enum Parting {
    /// Nothing: there is no client any more.
    Gone,
    /// The client's close frame is to be answered.
    Answer,
    /// A close frame is to be sent, and the client's answer awaited.
    Close(CloseFrame),
    /// A close frame is to be sent to a client whose own bytes cannot be understood any further.
    Refuse(CloseFrame),
}

impl Closed {
    /// The TCP connection broke.
    pub(super) fn lost() -> Self {
        Self { code: CloseCode::Abnormal.into(), reason: String::new(), parting: Parting::Gone }
    }

    /// The client closed.
    fn by_client(frame: Option<CloseFrame>) -> Self {
        let (code, reason) = frame.map_or_else(
            || (CloseCode::Status.into(), "Client-side close frame status not set".to_owned()),
            |frame| (frame.code.into(), frame.reason.to_string()),
        );
        Self { code, reason, parting: Parting::Answer }
    }

    /// The gateway closes.
    fn by_gateway(code: CloseCode, reason: &'static str) -> Self {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        Self { code: code.into(), reason: reason.to_owned(), parting: Parting::Close(frame) }
    }

    /// A function closed it with `DELETE @connections`.
    fn by_function() -> Self {
        Self::by_gateway(CloseCode::Normal, "Connection Closed Normally")
    }

    fn going_away() -> Self {
        Self::by_gateway(CloseCode::Away, "Going away")
    }

    /// The client broke the protocol or a limit.
    fn by_violation(code: CloseCode, reason: &'static str) -> Self {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        Self { code: code.into(), reason: reason.to_owned(), parting: Parting::Refuse(frame) }
    }

    fn by_error(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::by_violation(CloseCode::Size, "Message too long"),
            Error::Utf8(_) => Self::by_violation(CloseCode::Invalid, "Text is not UTF-8"),
            Error::Protocol(violation) if *violation != ProtocolError::ResetWithoutClosingHandshake => {
                Self::by_violation(CloseCode::Protocol, "Protocol error")
            }
            Error::Protocol(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Tls(_)
            | Error::WriteBufferFull(_)
            | Error::AttackAttempt
            | Error::Url(_)
            | Error::Http(_)
            | Error::HttpFormat(_) => Self::lost(),
        }
    }
}

/// Runs a socket to its end: messages out of `frames`, messages into `incoming`.
///
/// Reading, writing and the clocks are awaited side by side, so a client that does not read is still heard, and one
/// that does not send still gets its frames. The first of them to end ends the connection.
pub(super) async fn run(
    gateway: &Gateway,
    connection: &Connection,
    io: Io,
    mut frames: mpsc::UnboundedReceiver<Outgoing>,
    incoming: mpsc::Sender<Utf8Bytes>,
) -> Closed {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_frame_size(Some(gateway.limits.frame_bytes))
        .max_message_size(Some(gateway.limits.message_bytes));
    let (mut sink, mut stream) = Socket::from_raw_socket(io, Role::Server, Some(config)).await.split();

    let closed = tokio::select! {
        closed = read(gateway, connection, &mut stream, incoming) => closed,
        closed = write(gateway, connection, &mut sink, &mut frames) => closed,
        closed = expire(gateway, connection) => closed,
        closed = wait_for_delete(gateway, connection) => closed,
        closed = wait_for_stop(gateway) => closed,
    };

    gateway.connections.remove(&connection.id);
    drop(frames);
    connection.gone();
    // A client that does not play its part does not keep the connection longer than this.
    let _ = timeout(gateway.limits.close_timeout, part(sink, stream, closed.parting.clone())).await;
    closed
}

async fn read(
    gateway: &Gateway,
    connection: &Connection,
    stream: &mut SplitStream<Socket>,
    incoming: mpsc::Sender<Utf8Bytes>,
) -> Closed {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                connection.touch(gateway.clock.now());
                // The other end lives as long as this one; were it gone, so would be the reader.
                if incoming.send(text).await.is_err() {
                    return Closed::lost();
                }
            }
            Some(Ok(Message::Binary(_))) => {
                return Closed::by_gateway(CloseCode::Unsupported, "Binary is not supported");
            }
            // Reading on is what sends the pong.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => return Closed::by_client(frame),
            Some(Err(error)) => return Closed::by_error(&error),
            None => return Closed::lost(),
        }
    }
}

async fn write(
    gateway: &Gateway,
    connection: &Connection,
    sink: &mut SplitSink<Socket, Message>,
    frames: &mut mpsc::UnboundedReceiver<Outgoing>,
) -> Closed {
    let patience = gateway.limits.write_timeout;
    while let Some(first) = frames.recv().await {
        let mut next = Some(first);
        while let Some(frame) = next {
            let text = match frame {
                Outgoing::Text(text) => text,
                Outgoing::Close => return Closed::by_function(),
            };
            let text_bytes = text.len();
            if let Some(pace) = connection.pace {
                tokio::time::sleep(pace).await;
            }
            if !in_time(patience, sink.feed(Message::Text(text))).await {
                return Closed::lost();
            }
            connection.wrote(text_bytes);
            next = frames.try_recv().ok();
        }
        if !in_time(patience, sink.flush()).await {
            return Closed::lost();
        }
    }
    // The connection itself holds the other end, so the channel does not end before the socket.
    pending().await
}

async fn in_time(patience: Duration, writing: impl Future<Output = Result<(), Error>>) -> bool {
    matches!(timeout(patience, writing).await, Ok(Ok(())))
}

/// Ends when the connection has been idle too long or has grown too old. Control frames are not messages.
async fn expire(gateway: &Gateway, connection: &Connection) -> Closed {
    let too_old = connection.connected_at + gateway.limits.age;
    loop {
        let expires = too_old.min(connection.last_active_at() + gateway.limits.idle);
        if gateway.clock.now() >= expires {
            return Closed::going_away();
        }
        gateway.clock.sleep_until(expires).await;
    }
}

/// Ends when a function closed the connection and the client did not take what was to be sent before.
async fn wait_for_delete(gateway: &Gateway, connection: &Connection) -> Closed {
    connection.closing().await;
    tokio::time::sleep(gateway.limits.close_timeout).await;
    Closed::by_function()
}

async fn wait_for_stop(gateway: &Gateway) -> Closed {
    let mut stopping = gateway.stopping.subscribe();
    // The sender is the gateway's own, so waiting cannot fail before it is told.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
    Closed::going_away()
}

/// Ends the conversation as the protocol asks.
async fn part(mut sink: SplitSink<Socket, Message>, mut stream: SplitStream<Socket>, parting: Parting) {
    match parting {
        Parting::Gone => {}
        // Reading on is what sends the answer.
        Parting::Answer => while let Some(Ok(_ignored)) = stream.next().await {},
        Parting::Close(frame) => {
            if sink.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_ignored)) = stream.next().await {}
            }
        }
        Parting::Refuse(frame) => {
            if sink.send(Message::Close(Some(frame))).await.is_ok()
                && let Ok(socket) = sink.reunite(stream)
            {
                drain(socket.into_inner()).await;
            }
        }
    }
}

/// Ends the TCP connection. Unread bytes would make the kernel reset it, and the client lose the close frame.
async fn drain(mut io: Io) {
    if io.shutdown().await.is_err() {
        return;
    }
    let mut unread = [0; BUFFER_BYTES];
    while let Ok(1..) = io.read(&mut unread).await {}
}
