//! The pool.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::Client;

use super::{Error, Result, session, tls};
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
}

impl Settings {
    /// One connection, two seconds.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: Secret::new(url),
            connections: 1,
            connect_timeout: Duration::from_secs(2),
            trusted_for: Duration::from_secs(1),
        }
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
    pool: Pool,
}

impl Store {
    /// Prepares a pool; nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self> {
        let (mut config, tls) = tls::read(settings.url.expose())?;
        config.connect_timeout(settings.connect_timeout);
        let manager =
            Manager::from_config(config, tls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(settings.connections)
            .post_create(session::has_schema())
            .pre_recycle(session::is_alive(settings.trusted_for))
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(settings.connect_timeout),
                create: Some(settings.connect_timeout),
                recycle: Some(settings.connect_timeout),
            })
            .build()
            .map_err(|error| Error::Configuration(Box::new(error)))?;
        Ok(Self { pool })
    }

    /// A connection, new or used before.
    pub(super) async fn connection(&self) -> Result<Object> {
        self.pool.get().await.map_err(session::refusal)
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
