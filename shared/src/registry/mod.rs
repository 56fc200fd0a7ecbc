//! DynamoDB: who is connected.
//!
//! One row a connection, keyed by its id, and one index by app and user. Rows go when a socket closes, when a post finds
//! it gone, or by TTL; nothing depends on `$disconnect`, which API Gateway sends at best effort. The index is eventually
//! consistent, which a client's first `resume` covers.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, error::SdkError, types::AttributeValue};
use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::ids::AppId;

/// The index: partition `app_id`, sort `crm_user_id`.
const INDEX: &str = "app_id-crm_user_id-index";
/// The user of a connection that is the app's own.
const NO_USER: &str = "-";
/// API Gateway closes a socket after two hours; a row that is older is left over.
const LIFETIME: TimeDelta = TimeDelta::minutes(125);

/// The table of connections.
#[derive(Clone, Debug)]
pub struct Registry {
    client: Client,
    table: String,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// API Gateway's id of it: opaque.
    pub id: String,
    /// The tenant.
    pub app_id: AppId,
    /// The CRM user; none on an app connection, which sees everything of the app.
    pub crm_user_id: Option<String>,
    /// The key it was opened with.
    pub key_id: String,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
}

/// The table did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// DynamoDB refused the request, or is away.
    #[error("{attempt}")]
    Request {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An item lacks what we always write.
    #[error("read attribute {0} of a connection")]
    Inconsistent(&'static str),
}

fn failed<E>(attempt: &'static str) -> impl FnOnce(SdkError<E>) -> Error
where
    SdkError<E>: std::error::Error + Send + Sync + 'static,
{
    move |source| Error::Request { attempt, source: Box::new(source) }
}

impl Registry {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), table: table.to_owned() }
    }

    /// Adds a connection.
    pub async fn insert(&self, connection: &Connection) -> Result<(), Error> {
        let expires_at = (connection.opened_at + LIFETIME).timestamp();
        self.client
            .put_item()
            .table_name(&self.table)
            .item("connection_id", text(&connection.id))
            .item("app_id", text(&connection.app_id))
            .item("crm_user_id", text(connection.crm_user_id.as_deref().unwrap_or(NO_USER)))
            .item("key_id", text(&connection.key_id))
            .item("opened_at", number(connection.opened_at.timestamp_millis()))
            .item("expires_at", number(expires_at))
            .send()
            .await
            .map(drop)
            .map_err(failed("register a connection"))
    }

    /// Removes a connection. Removing it twice is the same as once; an id is never used again, so this cannot hurt a newer
    /// connection.
    pub async fn remove(&self, connection_id: &str) -> Result<(), Error> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .key("connection_id", text(connection_id))
            .send()
            .await
            .map(drop)
            .map_err(failed("remove a connection"))
    }

    /// One connection: whose it is.
    pub async fn find(&self, connection_id: &str) -> Result<Option<Connection>, Error> {
        let reply = self
            .client
            .get_item()
            .consistent_read(true)
            .table_name(&self.table)
            .key("connection_id", text(connection_id))
            .send()
            .await
            .map_err(failed("look a connection up"))?;
        reply.item.as_ref().map(connection).transpose()
    }

    /// All connections of an app.
    pub async fn of_app(&self, app_id: AppId, now: DateTime<Utc>) -> Result<Vec<Connection>, Error> {
        self.query(app_id, None, now).await
    }

    /// The connections of a CRM user, or, without one, the app's own.
    pub async fn of_user(
        &self,
        app_id: AppId,
        crm_user_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Connection>, Error> {
        self.query(app_id, Some(crm_user_id.unwrap_or(NO_USER)), now).await
    }

    async fn query(
        &self,
        app_id: AppId,
        user: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Connection>, Error> {
        let condition =
            if user.is_some() { "app_id = :app_id AND crm_user_id = :user" } else { "app_id = :app_id" };
        let mut values = HashMap::from([
            (":app_id".to_owned(), text(&app_id)),
            (":now".to_owned(), number(now.timestamp())),
        ]);
        values.extend(user.map(|user| (":user".to_owned(), text(user))));
        let mut connections = Vec::new();
        let mut from = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .key_condition_expression(condition)
                .filter_expression("expires_at > :now")
                .set_expression_attribute_values(Some(values.clone()))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(failed("list the connections of an app"))?;
            for item in page.items.as_deref().unwrap_or_default() {
                connections.push(connection(item)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(connections);
            }
        }
    }

    /// All connections of all apps. It reads the whole table, so it is for operators, not for the way of an event.
    pub async fn all(&self, now: DateTime<Utc>) -> Result<Vec<Connection>, Error> {
        let mut connections = Vec::new();
        let mut from = None;
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.table)
                .filter_expression("expires_at > :now")
                .expression_attribute_values(":now", number(now.timestamp()))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(failed("list all connections"))?;
            for item in page.items.as_deref().unwrap_or_default() {
                connections.push(connection(item)?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(connections);
            }
        }
    }
}

fn text(value: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn connection(item: &HashMap<String, AttributeValue>) -> Result<Connection, Error> {
    let string = |name: &'static str| {
        item.get(name).and_then(|value| value.as_s().ok()).ok_or(Error::Inconsistent(name))
    };
    let user = string("crm_user_id")?;
    Ok(Connection {
        id: string("connection_id")?.clone(),
        app_id: string("app_id")?.parse().map_err(|_| Error::Inconsistent("app_id"))?,
        crm_user_id: (user != NO_USER).then(|| user.clone()),
        key_id: string("key_id")?.clone(),
        opened_at: item
            .get("opened_at")
            .and_then(|value| value.as_n().ok()?.parse().ok())
            .and_then(DateTime::from_timestamp_millis)
            .ok_or(Error::Inconsistent("opened_at"))?,
    })
}
