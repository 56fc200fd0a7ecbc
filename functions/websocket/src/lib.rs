//! The WebSocket API's routes: `$connect` authenticates and registers, `$disconnect` forgets, `$default` answers what a
//! client says, by route response. Events themselves come from the broadcaster.

mod allowance;
mod config;
mod connect;
mod error;
mod message;
mod refusal;
mod sockets;

pub use config::Config;
pub use sockets::Sockets;

use aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use http::HeaderValue;
use shared::telemetry::Chain;
use tracing::{info, warn};

/// Answers one event of the WebSocket API. A status other than 200 refuses a handshake; a body goes back to the client.
pub async fn handle(sockets: &Sockets, event: ApiGatewayWebsocketProxyRequest) -> ApiGatewayProxyResponse {
    let connection_id = event.request_context.connection_id.clone().unwrap_or_default();
    let response = match event.request_context.route_key.as_deref() {
        Some("$connect") => {
            let mut response = answer(connect::connect(sockets, &connection_id, &event).await, None);
            if let Some(protocol) = connect::subprotocol(&event) {
                response.headers.insert(connect::SUBPROTOCOLS, HeaderValue::from_static(protocol));
            }
            response
        }
        Some("$disconnect") => {
            disconnect(sockets, &connection_id, event.request_context.request_id.as_deref()).await;
            answer(200, None)
        }
        _ => {
            let reply =
                message::reply(sockets, &connection_id, event.body.as_deref().unwrap_or_default()).await;
            answer(200, Some(reply))
        }
    };
    sockets.metrics.flush(sockets.clock.now());
    response
}

/// Forgets a connection. API Gateway may never say that it closed, so nothing depends on this.
async fn disconnect(sockets: &Sockets, connection_id: &str, request_id: Option<&str>) {
    match sockets.registry.remove(connection_id).await {
        Ok(()) => {
            info!(component = "WebSocket", request_id, connection_id, "disconnected");
        }
        Err(error) => {
            warn!(component = "WebSocket", request_id, connection_id, error = %Chain(&error), "could not forget a connection");
        }
    }
}

fn answer(status: i64, body: Option<String>) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = status;
    response.body = body.map(Into::into);
    response
}
