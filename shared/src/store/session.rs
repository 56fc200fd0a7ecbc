//! A connection: how it is made, and what is asked of it before a request gets it.

use std::{fmt, ops::Deref, time::Duration};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Client, Config, SimpleQueryMessage, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Error, Result, patience};
use crate::{
    migrations::{NEWEST, TABLE},
    store::patience::Patience,
};

/// How long a connection has for the proof that it lives. One whose other end vanished while the function was frozen
/// would keep us waiting for minutes.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// Makes connections and looks after them.
pub(super) struct Manager {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// After this long without use a connection must prove that it lives.
    pub(super) trusted_for: Duration,
}

/// A connection that can be given up.
#[derive(Debug)]
pub(super) struct Connection {
    client: ClientWrapper,
    pub(super) patience: Patience,
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection> {
        // Boxed, since it is seldom needed and would make every future larger that asks for a connection.
        let connected = Box::pin(self.config.connect(self.tls.clone())).await;
        let (client, connection) = connected.map_err(Error::connect)?;
        let (patience, until) = Patience::new();
        let task = tokio::spawn(patience::drive(connection, until));
        let connection = Connection { client: ClientWrapper::new(client, task), patience };
        has_schema(&connection).await?;
        Ok(connection)
    }

    /// Notices a connection that died while nobody used it, so that a new one takes its place before the request is sent.
    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<Error> {
        if connection.is_closed() {
            return Err(RecycleError::message("it is closed"));
        }
        if metrics.last_used() < self.trusted_for {
            return Ok(());
        }
        match tokio::time::timeout(SIGN_OF_LIFE, connection.simple_query("")).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(RecycleError::Backend(error.into())),
            Err(_) => Err(RecycleError::message("it does not answer")),
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("trusted_for", &self.trusted_for).finish_non_exhaustive()
    }
}

/// Refuses a database without the newest migration of this build: once for each new connection.
async fn has_schema(client: &Client) -> Result<()> {
    let sql = format!("SELECT max(version) FROM {TABLE}");
    match client.simple_query(&sql).await {
        Ok(answer) => match version(&answer) {
            Some(found) if found < NEWEST => {
                Err(Error::SchemaTooOld(format!("{NEWEST}, and not {found}: run the migrator")))
            }
            Some(_) | None => Ok(()),
        },
        // Made with psql, or not ours to read: then the statements show what is missing.
        Err(error)
            if [Some(&SqlState::UNDEFINED_TABLE), Some(&SqlState::INSUFFICIENT_PRIVILEGE)]
                .contains(&error.code()) =>
        {
            Ok(())
        }
        Err(error) => Err(Error::connect(error)),
    }
}

fn version(answer: &[SimpleQueryMessage]) -> Option<usize> {
    answer.iter().find_map(|message| {
        if let SimpleQueryMessage::Row(row) = message { row.get(0)?.parse().ok() } else { None }
    })
}
