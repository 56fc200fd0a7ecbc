//! `DynamoDB`: the embedded implementation, with the template's tables.
//!
//! It is kept in memory: the rows describe open sockets, and none of those survives a restart.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use dynoxide::Database;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::{net::TcpSocket, task::JoinSet};

use crate::template::Table;

/// How often expired items are deleted. AWS promises a few days; readers filter expired items anyway.
const TTL_SWEEP: Duration = Duration::from_secs(30);

/// The connections a burst of functions may open at once.
const BACKLOG: u32 = 1_024;

/// A `DynamoDB` with its tables made. Dropping it ends it.
pub struct DynamoDb {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    _tasks: JoinSet<()>,
}

/// Why the tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The internal listener could not be opened.
    #[error("opening DynamoDB's internal port")]
    Listen(#[from] std::io::Error),
    /// The embedded database refused a request.
    #[error("DynamoDB: {0}")]
    Database(String),
}

impl DynamoDb {
    /// Starts an empty database and makes the tables.
    pub fn start(tables: &[Table]) -> Result<Self, Error> {
        let database = Database::memory().map_err(refused)?;
        for table in tables {
            create(&database, table)?;
        }
        // The library's router is private, so requests go to it over a listener that only this process knows.
        // Accepted sockets take the option over from the listening one: without it Nagle's algorithm and delayed
        // acknowledgements hold back answers that are longer than one segment.
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;

        let mut tasks = JoinSet::new();
        let served = database.clone();
        tasks.spawn(async move {
            if let Err(error) =
                dynoxide::server::serve_with_shutdown(listener, served, std::future::pending()).await
            {
                tracing::error!(error, "DynamoDB stopped");
            }
        });
        tasks.spawn(sweep(database));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self { address, client: Client::builder(TokioExecutor::new()).build(connector), _tasks: tasks })
    }

    /// Passes a request on and brings the answer back.
    pub async fn forward(&self, mut request: Request) -> Response {
        let uri = format!("http://{}/", self.address).parse::<Uri>();
        *request.uri_mut() = uri.unwrap_or_default();
        match self.client.request(request).await {
            Ok(answer) => answer.map(Body::new).into_response(),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "DynamoDB did not answer");
                let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#;
                (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
            }
        }
    }
}

fn create(database: &Database, table: &Table) -> Result<(), Error> {
    let request = serde_json::from_value(table.definition.clone()).map_err(refused)?;
    database.create_table(request).map_err(refused)?;
    if let Some(attribute) = &table.ttl_attribute {
        let request = json!({
            "TableName": table.name,
            "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": true },
        });
        let request = serde_json::from_value(request).map_err(refused)?;
        database.update_time_to_live(request).map_err(refused)?;
    }
    Ok(())
}

async fn sweep(database: Database) {
    let mut interval = tokio::time::interval(TTL_SWEEP);
    loop {
        interval.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(deleted)) => tracing::debug!(deleted, "expired items deleted"),
            Ok(Err(error)) => tracing::warn!(%error, "could not delete expired items"),
            Err(error) => tracing::warn!(%error, "could not delete expired items"),
        }
    }
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::Database(error.to_string())
}
