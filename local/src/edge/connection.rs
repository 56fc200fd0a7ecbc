//! One WebSocket connection, as everything but its socket sees it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{Gateway, event, ids};
use crate::faults::Kind;

/// What a waiting frame counts beyond its text, so that many empty frames fill the buffer too.
const FRAME_OVERHEAD_BYTES: usize = 64;

/// A connection from the handshake on.
pub(super) struct Connection {
    pub(super) id: String,
    pub(super) connected_at: DateTime<Utc>,
    pub(super) domain: String,
    pub(super) source_ip: IpAddr,
    pub(super) user_agent: String,
    /// The wait before each frame to a client that takes its time.
    pub(super) pace: Option<Duration>,
    last_active_millis: AtomicI64,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    /// What of `outgoing` is not written yet; it bounds the channel.
    waiting_bytes: AtomicUsize,
    waiting_limit: usize,
    /// Told whenever something was written, and when the socket is gone.
    written: Notify,
    /// Told when the connection is to be closed from this side.
    closing: Notify,
}

/// What the socket is to send.
pub(super) enum Outgoing {
    /// A text frame.
    Text(Utf8Bytes),
    /// The close frame; nothing follows it.
    Close,
}

/// Why a frame was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The client has too much unread.
    Full,
    /// The connection is closed.
    Gone,
}

impl Connection {
    /// Makes a connection out of its upgrade request, and the end its socket reads.
    pub(super) fn new(gateway: &Gateway, request: &Parts) -> (Self, mpsc::UnboundedReceiver<Outgoing>) {
        let (outgoing, frames) = mpsc::unbounded_channel();
        let now = gateway.clock.now();
        let connection = Self {
            id: ids::opaque(),
            connected_at: now,
            domain: event::domain(&request.headers, &gateway.domain),
            source_ip: event::source_ip(request),
            user_agent: event::user_agent(&request.headers),
            pace: gateway.faults.strike(Kind::SocketSlow, "").map(|strike| strike.lasting),
            last_active_millis: AtomicI64::new(now.timestamp_millis()),
            outgoing,
            waiting_bytes: AtomicUsize::new(0),
            waiting_limit: gateway.limits.buffered_bytes,
            written: Notify::new(),
            closing: Notify::new(),
        };
        (connection, frames)
    }

    /// Hands a frame to the socket without waiting for anything.
    pub(super) fn post(&self, text: Utf8Bytes, now: DateTime<Utc>) -> Result<(), Refused> {
        let size = text.len() + FRAME_OVERHEAD_BYTES;
        if self.waiting_bytes.fetch_add(size, Ordering::AcqRel) + size > self.waiting_limit {
            self.waiting_bytes.fetch_sub(size, Ordering::AcqRel);
            return Err(Refused::Full);
        }
        self.outgoing.send(Outgoing::Text(text)).map_err(|_closed| Refused::Gone)?;
        self.touch(now);
        Ok(())
    }

    /// Hands a frame to the socket, as soon as there is room for it.
    pub(super) async fn reply(&self, text: Utf8Bytes, now: DateTime<Utc>) -> Result<(), Refused> {
        loop {
            let mut written = std::pin::pin!(self.written.notified());
            // Listening before asking: what is written in between is not missed.
            written.as_mut().enable();
            match self.post(text.clone(), now) {
                Err(Refused::Full) if !self.outgoing.is_closed() => written.await,
                Err(Refused::Full) => return Err(Refused::Gone),
                settled @ (Ok(()) | Err(Refused::Gone)) => return settled,
            }
        }
    }

    /// Asks the socket to close after what it still has to send.
    pub(super) fn close(&self) {
        // A send that fails finds the socket closed already.
        let _ = self.outgoing.send(Outgoing::Close);
        self.closing.notify_one();
    }

    /// Waits until [`close`](Self::close) is called.
    pub(super) async fn closing(&self) {
        self.closing.notified().await;
    }

    /// Makes room for what the socket has written.
    pub(super) fn wrote(&self, text_bytes: usize) {
        self.waiting_bytes.fetch_sub(text_bytes + FRAME_OVERHEAD_BYTES, Ordering::AcqRel);
        self.written.notify_waiters();
    }

    /// Tells who waits for room that there will be none; called when the socket's end of the channel is gone.
    pub(super) fn gone(&self) {
        self.written.notify_waiters();
    }

    /// Notes a message, either way.
    pub(super) fn touch(&self, now: DateTime<Utc>) {
        self.last_active_millis.fetch_max(now.timestamp_millis(), Ordering::AcqRel);
    }

    /// When the last message was, either way.
    pub(super) fn last_active_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.last_active_millis.load(Ordering::Acquire))
            .unwrap_or(self.connected_at)
    }
}
