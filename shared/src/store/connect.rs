//! The pool.

use std::time::Duration;

use deadpool::managed::{Object, Pool, PoolError, Timeouts};
use deadpool_postgres::Runtime;
use tokio_postgres::Client;

use super::{Error, Result, session::Manager, tls};
use crate::config::Secret;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `postgres://…`; `sslmode` and `sslrootcert` as libpq reads them, only that TLS always verifies (docs/databases.md).
    pub url: Secret,
    /// A function serves one event at a time: one connection, or two where it works beside itself.
    pub connections: usize,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// After this long without use a connection must prove that it lives: the function may have been frozen.
    pub trusted_for: Duration,
    /// How long a transaction may take until its connection is given up: longer than Postgres lets a statement run.
    pub transaction_time: Duration,
}

impl Settings {
    /// One connection, two seconds to connect, fifteen for a transaction.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: Secret::new(url),
            connections: 1,
            connect_timeout: Duration::from_secs(2),
            trusted_for: Duration::from_secs(1),
            transaction_time: Duration::from_secs(15),
        }
    }

    /// The same for a function whose caller waits: what takes longer than seven seconds is given up while there is time
    /// to say so.
    #[must_use]
    pub fn for_requests(url: &str) -> Self {
        Self { transaction_time: Duration::from_secs(7), ..Self::new(url) }
    }

    /// With this many connections.
    #[must_use]
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }
}

/// The way to the database; made once, at start. It connects when first used.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool<Manager>,
    pub(super) transaction_time: Duration,
}

impl Store {
    /// Prepares a pool; nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self> {
        let (mut config, tls) = tls::read(settings.url.expose())?;
        config.connect_timeout(settings.connect_timeout);
        let pool = Pool::builder(Manager { config, tls, trusted_for: settings.trusted_for })
            .max_size(settings.connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(settings.connect_timeout),
                create: Some(settings.connect_timeout),
                recycle: Some(settings.connect_timeout),
            })
            .build()
            .map_err(|error| Error::Configuration(Box::new(error)))?;
        Ok(Self { pool, transaction_time: settings.transaction_time })
    }

    /// A connection, new or used before.
    pub(super) async fn connection(&self) -> Result<Object<Manager>> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(refusal) => refusal,
            other @ (PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_)) => Error::connect(other),
        })
    }
}

/// One connection outside any pool, for the migrator. Its other half runs until the client is dropped.
pub async fn connect(url: &Secret) -> Result<Client> {
    let (config, tls) = tls::read(url.expose())?;
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(component = "Database", error = %crate::telemetry::Chain(&error), "connection ended");
        }
    });
    Ok(client)
}
