//! The edge on ports of its own, with closures for functions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use local::edge::{Clock, Edge, Limits, serve};
use local::faults::Faults;
use local::lambda::{Invoke, InvokeError};
use local::template::{HttpRoute, WebSocketApi, WebSocketRoute};
use local::urls::PublicUrls;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long anything may take before the test has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

type Answer = Result<Value, InvokeError>;
type Handler = Arc<dyn Fn(Value) -> BoxFuture<'static, Answer> + Send + Sync>;

/// Waits for what must happen soon.
pub(crate) async fn soon<T>(what: &str, happening: impl Future<Output = T>) -> T {
    let Ok(happened) = tokio::time::timeout(DEADLINE, happening).await else {
        panic!("{what} did not happen within {DEADLINE:?}");
    };
    happened
}

/// An answer to one side of the gateway: a status alone.
pub(crate) fn status(code: u16) -> Value {
    json!({ "statusCode": code })
}

/// The error of a function that failed.
pub(crate) fn failed() -> InvokeError {
    InvokeError::Failed { error_type: "Oops".to_owned(), message: "it broke".to_owned() }
}

/// The status a refused handshake was answered with; its body must be empty.
pub(crate) async fn refusal(stack: &Stack, path: &str) -> u16 {
    match stack.try_connect(path, &[]).await {
        Err(Error::Http(response)) => {
            assert!(response.body().as_deref().unwrap_or_default().is_empty(), "a refusal has no body");
            response.status().as_u16()
        }
        Ok(_) => panic!("the handshake was accepted"),
        Err(other) => panic!("{other}"),
    }
}

/// Functions named after their route keys, and the events they got.
struct Functions {
    handlers: BTreeMap<String, Handler>,
    calls: Calls,
}

/// The events functions got and no test has taken yet.
#[derive(Clone, Default)]
struct Calls {
    untaken: Arc<Mutex<Vec<(String, Value)>>>,
    came: Arc<Notify>,
}

impl Invoke for Functions {
    fn invoke(&self, function: &str, event: Value) -> BoxFuture<'_, Answer> {
        let handler = self.handlers.get(function).cloned();
        self.calls.untaken.lock().unwrap().push((function.to_owned(), event.clone()));
        self.calls.came.notify_waiters();
        async move {
            match handler {
                Some(handler) => handler(event).await,
                None => Err(InvokeError::UnknownFunction),
            }
        }
        .boxed()
    }
}

/// A stack that is not started yet: a WebSocket API whose three routes answer 200.
pub(crate) struct Plan {
    http: Vec<HttpRoute>,
    websocket: WebSocketApi,
    handlers: BTreeMap<String, Handler>,
    limits: Limits,
    faults: Faults,
}

impl Plan {
    pub(crate) fn new() -> Self {
        let websocket = WebSocketApi {
            id: "WebSocketApi".to_owned(),
            stage: "ws".to_owned(),
            selection_expression: "$request.body.action".to_owned(),
            routes: BTreeMap::new(),
        };
        let plan = Self {
            http: Vec::new(),
            websocket,
            handlers: BTreeMap::new(),
            limits: Limits::default(),
            faults: Faults::default(),
        };
        ["$connect", "$disconnect", "$default"]
            .into_iter()
            .fold(plan, |plan, key| plan.route(key, false, |_event| Ok(status(200))))
    }

    /// Adds an HTTP route, as `GET /path`, `ANY /path` or `$default`.
    pub(crate) fn http(
        mut self,
        key: &str,
        handler: impl Fn(Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        self.http.push(http_route(key));
        self.handle(key, move |event| std::future::ready(handler(event)).boxed())
    }

    /// Adds an HTTP route whose function takes its time.
    pub(crate) fn slow_http<F>(
        mut self,
        key: &str,
        handler: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        self.http.push(http_route(key));
        self.handle(key, move |event| handler(event).boxed())
    }

    /// Has the template say how long an HTTP route's function may take.
    pub(crate) fn timeout(mut self, key: &str, timeout: Duration) -> Self {
        let route = self.http.iter_mut().find(|route| route.function == key).unwrap();
        route.timeout = Some(timeout);
        self
    }

    /// Adds or replaces a WebSocket route.
    pub(crate) fn route(
        self,
        key: &str,
        has_route_response: bool,
        handler: impl Fn(Value) -> Answer + Send + Sync + 'static,
    ) -> Self {
        self.slow_route(key, has_route_response, move |event| std::future::ready(handler(event)))
    }

    /// Adds or replaces a WebSocket route whose function takes its time.
    pub(crate) fn slow_route<F>(
        mut self,
        key: &str,
        has_route_response: bool,
        handler: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let route = WebSocketRoute { function: key.to_owned(), has_route_response, timeout: None };
        self.websocket.routes.insert(key.to_owned(), route);
        self.handle(key, move |event| handler(event).boxed())
    }

    /// Adds or replaces a WebSocket route whose function answers 200 once it is let through the gate.
    pub(crate) fn gated_route(self, key: &str) -> (Self, Arc<Notify>) {
        let gate = Arc::new(Notify::new());
        let open = Arc::clone(&gate);
        let plan = self.slow_route(key, false, move |_event| {
            let open = Arc::clone(&open);
            async move {
                open.notified().await;
                Ok(status(200))
            }
        });
        (plan, gate)
    }

    /// Makes `$default` answer with the message it got.
    pub(crate) fn echo(self) -> Self {
        self.route("$default", true, |event| Ok(json!({ "statusCode": 200, "body": event["body"] })))
    }

    /// Takes a WebSocket route away.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.websocket.routes.remove(key);
        self
    }

    /// Changes the limits.
    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Has faults strike.
    pub(crate) fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    fn handle(
        mut self,
        key: &str,
        handler: impl Fn(Value) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    ) -> Self {
        self.handlers.insert(key.to_owned(), Arc::new(handler));
        self
    }

    pub(crate) async fn start(self) -> Stack {
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let private = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, management) = (public.local_addr().unwrap(), private.local_addr().unwrap());
        let urls = PublicUrls {
            http: format!("http://{address}"),
            ws: format!("ws://{address}/ws"),
            aws: format!("http://{management}"),
        };
        let calls = Calls::default();
        let functions = Arc::new(Functions { handlers: self.handlers, calls: calls.clone() });
        let clock = Clock::new();
        let edge =
            Edge::with(&self.http, self.websocket, functions, &urls, self.limits, clock.clone(), self.faults);
        tokio::spawn(serve(public, edge.router(), std::future::pending()));
        tokio::spawn(serve(private, edge.connections_router(), std::future::pending()));
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Stack { edge, address, management, clock, calls, http }
    }
}

fn http_route(key: &str) -> HttpRoute {
    let (method, path) = key.split_once(' ').map_or((None, key), |(method, path)| (Some(method), path));
    HttpRoute {
        method: method.filter(|method| *method != "ANY").map(str::to_owned),
        path: path.to_owned(),
        function: key.to_owned(),
        timeout: None,
    }
}

/// A running edge.
pub(crate) struct Stack {
    pub(crate) edge: Edge,
    pub(crate) address: SocketAddr,
    pub(crate) management: SocketAddr,
    pub(crate) clock: Clock,
    calls: Calls,
    http: HttpClient<HttpConnector, Body>,
}

impl Stack {
    /// The next event this function got.
    pub(crate) async fn event(&self, function: &str) -> Value {
        let taking = async {
            loop {
                let mut came = pin!(self.calls.came.notified());
                came.as_mut().enable();
                if let Some(event) = self.take(function) {
                    return event;
                }
                came.await;
            }
        };
        soon(&format!("an event for {function}"), taking).await
    }

    /// The names of the functions that got the events nobody has taken, in their order.
    pub(crate) fn untaken(&self) -> Vec<String> {
        self.calls.untaken.lock().unwrap().iter().map(|(function, _event)| function.clone()).collect()
    }

    fn take(&self, function: &str) -> Option<Value> {
        let mut untaken = self.calls.untaken.lock().unwrap();
        let index = untaken.iter().position(|(name, _event)| name == function)?;
        Some(untaken.remove(index).1)
    }

    /// Sends an HTTP request to the public port.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let builder = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        let response =
            soon("a response", self.http.request(builder.body(body.into()).unwrap())).await.unwrap();
        Reply::read(response.map(Body::new)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], Body::empty()).await
    }

    /// Opens a WebSocket that must be accepted.
    pub(crate) async fn connect(&self) -> Client {
        self.try_connect("/ws", &[]).await.unwrap().0
    }

    /// Opens a WebSocket, and the id it has.
    pub(crate) async fn connect_with_id(&self) -> (Client, String) {
        let client = self.connect().await;
        let event = self.event("$connect").await;
        (client, event["requestContext"]["connectionId"].as_str().unwrap().to_owned())
    }

    /// Tries to open a WebSocket.
    pub(crate) async fn try_connect(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Client, Response<()>), Error> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let (socket, response) = soon("the handshake", connect_async(request)).await?;
        Ok((Client { socket }, response.map(drop)))
    }
}

/// An HTTP response, read to its end.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: Response<()>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Self { status: parts.status.as_u16(), head: Response::from_parts(parts, ()), body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers().get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A WebSocket client.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next text frame.
    pub(crate) async fn hear(&mut self) -> String {
        loop {
            match soon("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected a text frame, got {other:?}"),
            }
        }
    }

    pub(crate) async fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear().await).unwrap()
    }

    /// The close frame, after whatever else is still to come.
    pub(crate) async fn hear_close(&mut self) -> Option<CloseFrame> {
        loop {
            match soon("the close frame", self.socket.next()).await {
                Some(Ok(Message::Close(frame))) => {
                    // Reading on is what answers the frame.
                    let _ = soon("the end", self.socket.next()).await;
                    return frame;
                }
                Some(Ok(_)) => {}
                other => panic!("expected a close frame, got {other:?}"),
            }
        }
    }

    /// The code of the close frame.
    pub(crate) async fn close_code(&mut self) -> u16 {
        self.hear_close().await.unwrap().code.into()
    }
}
