//! What is asked of a connection before a request gets it.

use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Hook, HookError, PoolError};
use tokio_postgres::{SimpleQueryMessage, error::SqlState};

use super::Error;
use crate::migrate::{NEWEST, TABLE};

/// How long a connection has for the proof that it lives. One whose other end vanished while the function was frozen
/// would keep us waiting for minutes.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// Notices a connection that died while nobody used it, so that a new one takes its place before the request is sent.
pub(super) fn is_alive(idle: Duration) -> Hook {
    Hook::async_fn(move |client: &mut ClientWrapper, metrics| {
        let is_due = metrics.last_used() >= idle;
        Box::pin(async move {
            if !is_due {
                return Ok(());
            }
            match tokio::time::timeout(SIGN_OF_LIFE, client.simple_query("")).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(HookError::Backend(error)),
                Err(_) => Err(HookError::message("it does not answer")),
            }
        })
    })
}

/// Refuses a database without the newest migration of this build: once for each new connection.
pub(super) fn has_schema() -> Hook {
    Hook::async_fn(|client: &mut ClientWrapper, _| {
        Box::pin(async move {
            let sql = format!("SELECT max(version) FROM {TABLE}");
            match client.simple_query(&sql).await {
                Ok(answer) => match version(&answer) {
                    Some(found) if found < NEWEST => {
                        Err(HookError::message(format!("{NEWEST}, and not {found}: run the migrator")))
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
                Err(error) => Err(HookError::Backend(error)),
            }
        })
    })
}

/// Only [`has_schema`] refuses a new connection with a message.
pub(super) fn refusal(error: PoolError) -> Error {
    match error {
        PoolError::PostCreateHook(HookError::Message(versions)) => Error::SchemaTooOld(versions.into_owned()),
        other @ (PoolError::Timeout(_)
        | PoolError::Backend(_)
        | PoolError::Closed
        | PoolError::NoRuntimeSpecified
        | PoolError::PostCreateHook(HookError::Backend(_))) => Error::Connect(other),
    }
}

fn version(answer: &[SimpleQueryMessage]) -> Option<usize> {
    answer.iter().find_map(|message| {
        if let SimpleQueryMessage::Row(row) = message { row.get(0)?.parse().ok() } else { None }
    })
}
