//! Where the local stack answers, as its clients and its functions see it.

/// The three base addresses of one running stack, none with a trailing slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicUrls {
    /// The HTTP API, for example `http://localhost:4000`.
    pub http: String,
    /// The WebSocket API with its stage, for example `ws://localhost:4000/ws`.
    pub ws: String,
    /// The AWS endpoint the functions call, for example `http://127.0.0.1:4566`.
    pub aws: String,
}
