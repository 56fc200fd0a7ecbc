//! A client of a running server: what a CRM and Dialpad do, for simulations and tests.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header, uri};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::client::legacy::{Client as Http, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use shared::config::Secret;
use shared::dialpad::jws;
use shared::domain::ids::AppId;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message},
};

/// The edge of a running server.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http<HttpConnector, axum::body::Body>,
    base: Uri,
    internal_secret: Option<Secret>,
}

/// An answer of the server.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as JSON where it is JSON, else as a string.
    pub body: Value,
}

/// An app made for a purpose, with all that is shown only once.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub app_id: AppId,
    /// Its API key.
    pub api_key: String,
    /// The secret of its webhook.
    pub webhook_secret: Secret,
}

/// The server did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used.
    #[error("use {0} as the URL of a server")]
    Url(String),
    /// It could not be reached, or broke the connection off.
    #[error("reach the server (is it running? `cargo run -p local`)")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refused.
    #[error("{attempt}: the server answered {status} {detail}")]
    Refused {
        /// What was attempted.
        attempt: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
    /// The socket failed.
    #[error("use the WebSocket")]
    Socket(#[from] Box<tungstenite::Error>),
    /// Nothing came in time.
    #[error("wait for a frame")]
    TooLate,
    /// The server has forgotten the connection.
    #[error("stay connected: the server has forgotten the connection")]
    Forgotten,
}

impl Error {
    /// The status that refused a socket's handshake.
    #[must_use]
    pub fn handshake_status(&self) -> Option<StatusCode> {
        let Self::Socket(error) = self else { return None };
        let tungstenite::Error::Http(response) = error.as_ref() else { return None };
        Some(response.status())
    }
}

impl Client {
    /// The server at this URL (`http://localhost:4000`).
    pub fn new(base: &str, internal_secret: Option<Secret>) -> Result<Self, Error> {
        let base: Uri = base.parse().map_err(|_| Error::Url(base.to_owned()))?;
        if base.authority().is_none() {
            return Err(Error::Url(base.to_string()));
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self { http: Http::builder(TokioExecutor::new()).build(connector), base, internal_secret })
    }

    /// Sends a request. Paths below `/internal` get the operator's credential, if there is one.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Error> {
        let mut parts = self.base.clone().into_parts();
        parts.scheme.get_or_insert(uri::Scheme::HTTP);
        parts.path_and_query = Some(path.parse().map_err(|_| Error::Url(path.to_owned()))?);
        let uri = Uri::from_parts(parts).map_err(|_| Error::Url(path.to_owned()))?;
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(secret) = self.internal_secret.as_ref().filter(|_| path.starts_with("/internal")) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", secret.expose()));
        }
        let request = request
            .body(axum::body::Body::from(body.into()))
            .map_err(|error| Error::Unreachable(Box::new(error)))?;
        let response =
            self.http.request(request).await.map_err(|error| Error::Unreachable(Box::new(error)))?;
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX)
            .await
            .map_err(|error| Error::Unreachable(Box::new(error)))?;
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// The URL it was made with.
    #[must_use]
    pub fn base(&self) -> String {
        self.base.to_string().trim_end_matches('/').to_owned()
    }

    /// Makes an app.
    pub async fn make_app(&self, name: &str) -> Result<App, Error> {
        let body = serde_json::json!({ "name": name }).to_string();
        let headers = [("content-type", "application/json")];
        let answer = self.send(Method::POST, "/internal/apps", &headers, body).await?;
        let text = |member: &str| answer.body[member].as_str().map(str::to_owned);
        let app_id = text("app_id").and_then(|id| id.parse().ok());
        match (answer.status, app_id, text("api_key"), text("webhook_secret")) {
            (StatusCode::CREATED, Some(app_id), Some(api_key), Some(secret)) => {
                Ok(App { app_id, api_key, webhook_secret: Secret::new(secret) })
            }
            (status, ..) => Err(Error::Refused { attempt: "make an app", status, detail: answer.detail() }),
        }
    }

    /// Delivers an event as Dialpad does: signed, to the app's own URL.
    pub async fn deliver(&self, app: &App, payload: &Value) -> Result<Answer, Error> {
        let body = jws::sign(&payload.to_string(), &app.webhook_secret);
        let path = format!("/webhooks/dialpad/{}", app.app_id);
        self.send(Method::POST, &path, &[("content-type", "application/jwt")], body).await
    }

    /// Opens a socket; `query` is what follows `?`.
    pub async fn connect(&self, query: &str) -> Result<Socket, Error> {
        let authority = self.base.authority().map(ToString::to_string).unwrap_or_default();
        let (socket, _) = connect_async(format!("ws://{authority}/ws?{query}")).await.map_err(Box::new)?;
        Ok(Socket(socket))
    }
}

impl Answer {
    /// What a refusal says.
    #[must_use]
    pub fn detail(&self) -> String {
        self.body["detail"].as_str().map_or_else(|| self.body.to_string(), str::to_owned)
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The next frame, if one comes in time.
    pub async fn next(&mut self, patience: Duration) -> Result<Value, Error> {
        let wait = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Ok(
                            serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.to_string()))
                        );
                    }
                    Some(Ok(Message::Close(_))) | None => {
                        return Err(Box::new(tungstenite::Error::ConnectionClosed).into());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(Box::new(error).into()),
                }
            }
        };
        tokio::time::timeout(patience, wait).await.unwrap_or(Err(Error::TooLate))
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &Value) -> Result<(), Error> {
        Ok(self.0.send(Message::text(message.to_string())).await.map_err(Box::new)?)
    }

    /// Closes it.
    pub async fn close(mut self) -> Result<(), Error> {
        Ok(self.0.close(None).await.map_err(Box::new)?)
    }
}
