//! The pool, and TLS.

use std::{net::IpAddr, sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_postgres::{
    Client,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Error, Result};
use crate::config::Secret;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `postgres://…`; `sslmode` as libpq reads it (TLS is used when the server offers it).
    pub url: Secret,
    /// A function serves one event at a time: one connection, or two where it works beside itself.
    pub connections: usize,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
}

impl Settings {
    /// One connection, two seconds.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self { url: Secret::new(url), connections: 1, connect_timeout: Duration::from_secs(2) }
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
        let mut config = configuration(&settings.url)?;
        config.connect_timeout(settings.connect_timeout);
        let manager =
            Manager::from_config(config, tls()?, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(settings.connections)
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
        self.pool.get().await.map_err(Error::Connect)
    }
}

/// One connection outside any pool, for the migrator. Its other half runs until the client is dropped.
pub async fn connect(url: &Secret) -> Result<Client> {
    let (client, connection) = configuration(url)?.connect(tls()?).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(component = "Database", error = %crate::telemetry::Chain(&error), "connection ended");
        }
    });
    Ok(client)
}

fn configuration(url: &Secret) -> Result<tokio_postgres::Config> {
    let mut config: tokio_postgres::Config =
        url.expose().parse().map_err(|error: tokio_postgres::Error| Error::Configuration(Box::new(error)))?;
    // TLS here always verifies the certificate. A server on this machine often has one that nobody signed (Debian's
    // does), and nobody stands in between, so there `sslmode=prefer`, the default, means no TLS.
    if config.get_ssl_mode() == SslMode::Prefer && config.get_hosts().iter().all(is_this_machine) {
        config.ssl_mode(SslMode::Disable);
    }
    Ok(config)
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn tls() -> Result<MakeRustlsConnect> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Configuration(Box::new(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
