//! The only way to rows: a transaction, as one of the roles of the second wall (`migrations/010`).
//!
//! Whoever asks for one says for whom it works, and Postgres keeps it to that, whatever its statements say. What begins a
//! transaction is sent together with its first statement, and what ends one that only read is not waited for, so neither
//! costs a round trip. Everything is set for the transaction and not for the session, which a pooler may hand to somebody
//! else.

use std::{
    fmt,
    ops::Deref,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
};

use deadpool::managed::Object;
use futures_util::{FutureExt as _, StreamExt as _, future::try_join};
use tokio_postgres::{Client, SimpleQueryStream};

use super::{Error, Result, Store, session::Manager};
use crate::{domain::ids::AppId, telemetry::Chain};

/// How long a transaction may wait for a lock, run a statement, and sit idle.
const LIMITS: &str = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '10s'; \
     SET LOCAL idle_in_transaction_session_timeout = '5s'";

impl Store {
    /// A transaction of an app's own, by its API key: it sees the rows of this app, and changes what a CRM may change.
    pub async fn tenant(&self, app_id: AppId) -> Result<Transaction> {
        self.begin("cti_rest", Some(app_id)).await
    }

    /// A transaction of ours for one app, for an operator or a delivery: it sees the rows of this app.
    pub async fn app(&self, app_id: AppId) -> Result<Transaction> {
        self.begin("cti_app", Some(app_id)).await
    }

    /// A transaction of ours before the app is known, or over all apps.
    pub async fn system(&self) -> Result<Transaction> {
        self.begin("cti_system", None).await
    }

    async fn begin(&self, role: &'static str, app_id: Option<AppId>) -> Result<Transaction> {
        let connection = self.connection().await?;
        connection.patience.begin(self.transaction_time);
        let app = app_id.map(|AppId(id)| format!("SET LOCAL cti.app_id = '{id}'; ")).unwrap_or_default();
        // Sent, not awaited: were it refused, so would be every statement after it.
        let begun =
            connection.simple_query_raw(&format!("BEGIN; SET LOCAL ROLE {role}; {app}{LIMITS}")).await?;
        tokio::spawn(log_refusal(begun));
        Ok(Transaction { connection: Some(connection), is_open: AtomicBool::new(true) })
    }
}

/// A transaction. It is rolled back unless it is committed; statements go to the client that it stands for.
pub struct Transaction {
    /// There until the transaction is dropped or discarded.
    connection: Option<Object<Manager>>,
    is_open: AtomicBool,
}

impl Transaction {
    /// Makes everything permanent.
    pub async fn commit(self) -> Result<()> {
        self.is_open.store(false, Ordering::Relaxed);
        Ok(self.batch_execute("COMMIT").await?)
    }

    /// Runs the last statement and commits, in one round trip; if the statement fails, nothing is permanent. `last` is one
    /// statement, or several that do not wait for one another: what is sent later is no longer in the transaction.
    pub async fn commit_with<T>(&self, last: impl Future<Output = Result<T>>) -> Result<T> {
        let commit = async {
            self.is_open.store(false, Ordering::Relaxed);
            Ok(self.batch_execute("COMMIT").await?)
        };
        // Polled in this order, so sent in this order.
        let (outcome, ()) = try_join(last, commit).await?;
        Ok(outcome)
    }

    /// Closes the connection: what was asked on it may never be answered.
    pub fn discard(mut self) {
        self.connection.take().map(Object::take);
    }

    /// Rolls back what has not ended. It is sent at once; the answer is nobody's concern.
    fn roll_back(&self) {
        if self.is_open.swap(false, Ordering::Relaxed) {
            let _ = self.simple_query_raw("ROLLBACK").now_or_never();
        }
    }
}

impl Deref for Transaction {
    type Target = Client;

    #[expect(clippy::expect_used, reason = "it is taken only by who consumes the transaction")]
    fn deref(&self) -> &Client {
        self.connection.as_ref().expect("a transaction has a connection")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            self.roll_back();
            connection.patience.end();
        }
    }
}

/// Whoever runs a statement is told only that the transaction failed before; the log is told why. The answer has to be taken
/// in any case: what nobody takes blocks those that come after it.
async fn log_refusal(begun: SimpleQueryStream) {
    let mut begun = pin!(begun);
    while let Some(answer) = begun.next().await {
        if let Err(error) = answer.map_err(Error::from) {
            tracing::error!(component = "Database", error = %Chain(&error), "transaction not begun; is the database migrated?");
            return;
        }
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("is_open", &self.is_open).finish_non_exhaustive()
    }
}
