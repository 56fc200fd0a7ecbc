//! The way of a delivery: to the database within its time, else to the queue.

use std::future::Future;

use chrono::{DateTime, Utc};
use lambda_http::Request;
use shared::{
    clock::Clock,
    dialpad::{jws::Jws, payload},
    domain::ids::AppId,
    queue::{EventMessage, KeyProof, Queue, SpilledDelivery},
    store::{
        self, Store,
        apps::{self, WebhookSecrets},
        inbox::{self, Accepted, Form, NewEvent},
        keys,
    },
    telemetry::{Chain, Metric, Metrics, TraceId},
};
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    Config,
    delivery::{Recipient, body, open},
    error::Error,
    patience::Patience,
    secrets::{Remembered, Secrets},
};

/// Runs a statement within the time that is left. A connection that died while the function was frozen is replaced once;
/// one that does not answer is given up, so that the next delivery does not wait for it.
///
/// A macro, since the future of an async closure that borrows cannot be shown to be `Send`, which `lambda_http` asks for.
macro_rules! ask {
    ($self:ident, $deadline:expr, $begin:expr, |$db:ident| $statement:expr) => {
        if Instant::now() >= $deadline {
            Err(store::Error::TooSlow)
        } else {
            let mut replaced = false;
            let outcome = loop {
                let $db = match in_time($deadline, $begin).await {
                    Ok(db) => db,
                    Err(error) => break Err(error),
                };
                match in_time($deadline, $statement).await {
                    Err(error) if error.is_unavailable() => {
                        $db.discard();
                        if replaced || matches!(error, store::Error::TooSlow) {
                            break Err(error);
                        }
                        replaced = true;
                    }
                    outcome => break outcome,
                }
            };
            $self.patience.note(&outcome);
            outcome
        }
    };
}

/// Runs one statement with a delivery and commits, in one round trip.
macro_rules! store_as {
    ($self:ident, $deadline:expr, $statement:path, $event:expr, $form:expr) => {
        ask!($self, $deadline, $self.store.app($event.app_id), |db| db
            .commit_with($statement(&*db, $event, $form)))
    };
}

/// What the log lines about a request have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// Its id.
    pub(crate) request_id: &'a str,
    /// The trace it belongs to.
    pub(crate) trace_id: Option<&'a TraceId>,
}

/// What taking a delivery needs; lives as long as the function is warm.
pub struct Intake {
    store: Store,
    event_queue: Queue,
    spill_queue: Queue,
    clock: Box<dyn Clock>,
    config: Config,
    patience: Patience,
    secrets: Secrets,
    metrics: Metrics,
}

impl Intake {
    /// Puts it together.
    #[must_use]
    pub fn new(
        store: Store,
        event_queue: Queue,
        spill_queue: Queue,
        clock: Box<dyn Clock>,
        config: Config,
    ) -> Self {
        let (secrets, metrics) = Default::default();
        let patience = Patience::out_of_step();
        Self { store, event_queue, spill_queue, clock, config, patience, secrets, metrics }
    }

    /// Counts into these instead of into some that nobody reads.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// What happened since they were written.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn flush(&self) {
        self.metrics.flush(self.clock.now());
    }

    /// Takes one delivery: when this is `Ok`, it is kept.
    pub(crate) async fn take(&self, request: Request, told: Told<'_>) -> Result<(), Error> {
        let (request_id, trace_id) = (told.request_id, told.trace_id.map(TraceId::as_str));
        let received_at = self.clock.now();
        let recipient = Recipient::of(&request)?;
        let body = body(request)?;
        let deadline = self.patience.deadline();

        let (app_id, known) = match self.recipient(&recipient, received_at, deadline).await {
            Ok(found) => found,
            Err(error) => return self.spill_unverified(&recipient, body, received_at, error, told).await,
        };
        let payload = match self.open(&body, known, &recipient, received_at, deadline).await {
            Err(error @ Error::Unavailable(_)) => {
                return self.spill_unverified(&recipient, body, received_at, error, told).await;
            }
            opened => opened?,
        };
        let delivery = payload::inspect(&payload).map_err(|_| Error::NotAnObject)?;
        let event = NewEvent { app_id, delivery: &delivery, received_at };
        let mut form = Form::Json;
        let mut stored = store_as!(self, deadline, inbox::accept, event, form);
        if matches!(&stored, Err(error) if error.is_refused_value()) {
            form = Form::Text;
            stored = store_as!(self, deadline, inbox::accept, event, form);
        }
        if matches!(stored, Ok(Accepted::Duplicate)) {
            stored = store_as!(self, deadline, inbox::keep_aside, event, form);
        }
        match stored {
            Ok(accepted) => {
                let event_type = known_word(&delivery.event_type);
                self.metrics.add(Metric::Received, 1);
                match accepted {
                    Accepted::New(event_id) => {
                        info!(component = "Webhook", request_id, %app_id, %event_id, trace_id, event_type, "stored");
                        self.wake_processor(app_id, event_id, told).await;
                    }
                    Accepted::Conflicting(event_id) => {
                        warn!(component = "Webhook", request_id, %app_id, %event_id, trace_id, event_type, "conflicting");
                        self.wake_processor(app_id, event_id, told).await;
                    }
                    Accepted::Duplicate => {
                        info!(component = "Webhook", request_id, %app_id, trace_id, event_type, "repeated");
                    }
                }
                Ok(())
            }
            Err(error) => {
                warn!(component = "Webhook", request_id, %app_id, trace_id, error = %Chain(&error), "database away");
                let recipient = Recipient::App(app_id);
                self.spill(&recipient, payload, true, received_at, told).await
            }
        }
    }

    /// Which app it is for, and how that app's deliveries are authenticated.
    async fn recipient(
        &self,
        recipient: &Recipient,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<(AppId, Remembered), Error> {
        let app_id = match recipient {
            Recipient::App(app_id) => Some(*app_id),
            Recipient::KeyHolder(key) => {
                let hash = key.hash();
                ask!(self, deadline, self.store.system(), |db| keys::holder(
                    &*db,
                    key.id(),
                    hash.as_bytes(),
                    now
                ))
                .map_err(Error::Unavailable)?
            }
            Recipient::OnlyApp => ask!(self, deadline, self.store.system(), |db| apps::only_active(&*db))
                .map_err(Error::Unavailable)?,
        }
        .ok_or(Error::AppRequired)?;
        let remembered = self.secrets.recall(app_id, now);
        match remembered {
            Some(known) if known.is_fresh => Ok((app_id, known)),
            stale => match (self.read_secrets(app_id, now, deadline).await, stale) {
                (Err(Error::Unavailable(_)), Some(stale)) => Ok((app_id, stale)),
                (read, _) => read.map(|known| (app_id, known)),
            },
        }
    }

    async fn read_secrets(
        &self,
        app_id: AppId,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<Remembered, Error> {
        let secrets =
            ask!(self, deadline, self.store.app(app_id), |db| apps::webhook_secrets(&*db, app_id, now))
                .map_err(Error::Unavailable)?
                .ok_or(Error::UnknownApp)?;
        self.secrets.remember(secrets.clone(), now);
        Ok(Remembered { secrets, is_fresh: true, may_be_outdated: false })
    }

    /// The event in the body. When its signature does not fit what is remembered, the secrets are read again: they may
    /// have been rotated. When they cannot be read, nothing is known of the signature.
    async fn open(
        &self,
        body: &str,
        known: Remembered,
        recipient: &Recipient,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<String, Error> {
        let opened = self.open_with(body, &known.secrets, recipient);
        if !known.may_be_outdated || !matches!(opened, Err(Error::Unauthenticated(_) | Error::Unsigned)) {
            return opened;
        }
        match self.read_secrets(known.secrets.app_id, now, deadline).await {
            Ok(read) => self.open_with(body, &read.secrets, recipient),
            Err(error) => Err(error),
        }
    }

    fn open_with(&self, body: &str, app: &WebhookSecrets, recipient: &Recipient) -> Result<String, Error> {
        let mut secrets = app.secrets.clone();
        if !matches!(recipient, Recipient::App(_)) {
            secrets.extend(self.config.stack_secret.clone());
        }
        open(body, &secrets, app.allow_unsigned || self.config.allow_unsigned)
    }

    /// The database did not say whose it is or how to verify it. What looks like a signed delivery is put aside, and what was
    /// not known is looked up when it is stored; anything else Dialpad is to send again.
    async fn spill_unverified(
        &self,
        recipient: &Recipient,
        body: String,
        received_at: DateTime<Utc>,
        error: Error,
        told: Told<'_>,
    ) -> Result<(), Error> {
        let Error::Unavailable(cause) = &error else { return Err(error) };
        if Jws::parse(&body).is_err() {
            return Err(error);
        }
        warn!(component = "Webhook", request_id = told.request_id, error = %Chain(cause), "database away");
        match self.open_as_stack(recipient, &body) {
            Some(payload) => self.spill(recipient, payload, true, received_at, told).await,
            None => self.spill(recipient, body, false, received_at, told).await,
        }
    }

    /// The event in a body that is signed with the stack's own secret, which no other function knows.
    fn open_as_stack(&self, recipient: &Recipient, body: &str) -> Option<String> {
        let secret = self.config.stack_secret.clone().filter(|_| !matches!(recipient, Recipient::App(_)))?;
        open(body, &[secret], false).ok()
    }

    async fn spill(
        &self,
        recipient: &Recipient,
        body: String,
        verified: bool,
        received_at: DateTime<Utc>,
        told: Told<'_>,
    ) -> Result<(), Error> {
        let (app_id, key) = match recipient {
            Recipient::App(app_id) => (Some(*app_id), None),
            Recipient::KeyHolder(key) => {
                let proof = KeyProof { id: key.id().to_owned(), hash: key.hash().as_bytes().to_vec() };
                (None, Some(proof))
            }
            Recipient::OnlyApp => (None, None),
        };
        let trace_id = told.trace_id.cloned();
        let delivery = SpilledDelivery { app_id, key, body, verified, received_at, trace_id };
        self.spill_queue.send(&EventMessage::Spilled(delivery)).await.map_err(Error::NotKept)?;
        self.metrics.add(Metric::Received, 1);
        self.metrics.add(Metric::Spilled, 1);
        let (request_id, trace_id) = (told.request_id, told.trace_id.map(TraceId::as_str));
        let app_id = app_id.map(tracing::field::display);
        warn!(component = "Webhook", request_id, app_id, trace_id, verified, "spilled");
        Ok(())
    }

    /// Tells the processor. It finds the event without this too, only later.
    async fn wake_processor(&self, app_id: AppId, event_id: Uuid, told: Told<'_>) {
        let stored =
            EventMessage::Stored { app_id, event_id: Some(event_id), trace_id: told.trace_id.cloned() };
        if let Err(error) = self.event_queue.send(&stored).await {
            let (request_id, trace_id) = (told.request_id, told.trace_id.map(TraceId::as_str));
            warn!(component = "Webhook", request_id, %app_id, %event_id, trace_id, error = %Chain(&error), "processor not woken");
        }
    }
}

async fn in_time<T>(deadline: Instant, work: impl Future<Output = store::Result<T>>) -> store::Result<T> {
    tokio::time::timeout_at(deadline, work).await.unwrap_or(Err(store::Error::TooSlow))
}

/// The event type for a log line: a word of Dialpad's, never a text that a sender chose.
fn known_word(event_type: &str) -> &str {
    if event_type.len() <= 32
        && event_type.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'))
    {
        event_type
    } else {
        "other"
    }
}
