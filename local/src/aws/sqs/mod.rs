//! SQS: what the functions use of it, in its JSON protocol.
//!
//! Queues live in memory and are empty after a restart. Nothing is lost by that: Postgres is the system of record,
//! and the scheduled sweep sends again what no queue holds any more.

mod protocol;
mod queue;

use std::{collections::BTreeMap, sync::Arc};

use axum::response::{IntoResponse, Response};

pub use self::queue::{Counts, Queue, Received};
use crate::{
    faults::Faults,
    template::{self, Template},
};

/// The queues of the stack, by logical id. Clones share them.
#[derive(Debug, Clone)]
pub struct Sqs {
    queues: Arc<BTreeMap<String, Queue>>,
}

impl Sqs {
    /// Makes the template's queues, all empty.
    #[must_use]
    pub fn new(template: &Template) -> Self {
        Self::with_faults(template, &Faults::default())
    }

    /// Makes queues that these faults strike.
    #[must_use]
    pub fn with_faults(template: &Template, faults: &Faults) -> Self {
        let make = |(id, queue): (&String, &template::Queue)| {
            (id.clone(), Queue::new(queue.clone(), faults.clone()))
        };
        Self { queues: Arc::new(template.queues.iter().map(make).collect()) }
    }

    /// The queue with that logical id.
    #[must_use]
    pub fn queue(&self, id: &str) -> Option<&Queue> {
        self.queues.get(id)
    }

    /// The queue with that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Queue> {
        self.queues.values().find(|queue| queue.definition().name == name)
    }

    /// Takes up to `count` messages of at most `byte_limit` bytes together; those received too often before go to
    /// the dead-letter queue instead.
    #[must_use]
    pub fn receive(&self, queue: &Queue, count: usize, byte_limit: usize) -> Vec<Received> {
        let (received, dead) = queue.receive(count, byte_limit);
        if dead.is_empty() {
            return received;
        }
        let redrive = queue.definition().redrive.as_ref();
        if let Some(target) = redrive.and_then(|redrive| self.queue(&redrive.queue)) {
            let (from, to) = (&queue.definition().name, &target.definition().name);
            tracing::warn!(messages = dead.len(), from, to, "messages failed too often and were moved");
            target.take_over(dead);
        }
        received
    }

    /// Answers one request of the JSON protocol.
    #[must_use]
    pub fn call(&self, action: &str, body: &[u8]) -> Response {
        const TYPE: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
        match protocol::call(self, action, body) {
            Ok(answer) => ([TYPE], answer.to_string()).into_response(),
            Err(error) => {
                let query_error = ("x-amzn-query-error", &*error.query_header());
                (error.status(), [TYPE, query_error], error.body().to_string()).into_response()
            }
        }
    }
}
