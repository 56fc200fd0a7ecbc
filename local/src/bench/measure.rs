//! The measurements.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use super::Error;
use crate::{
    child,
    client::{self, App, Client, Socket},
};

/// How long a frame may take before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// The same columns, types and keys as `webhook_events`, so that the floor is the same work for the disk.
const FLOOR_TABLE: &str = "CREATE TABLE bench_floor (LIKE webhook_events INCLUDING ALL)";
const FLOOR_INSERT: &str = "INSERT INTO bench_floor (app_id, event_type, payload, dedupe_key)
    VALUES ($1, 'ringing', $2::text::jsonb, sha256($3::text::bytea)) ON CONFLICT (app_id, dedupe_key) DO NOTHING";

/// A server, an app of it, and a socket of that app.
pub(super) struct Bench {
    client: Client,
    app: App,
    socket: Socket,
    database: tokio_postgres::Client,
    floor_insert: tokio_postgres::Statement,
    next_call: i64,
}

/// How a figure is spread.
pub(super) struct Spread {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) max: Duration,
}

/// How long a burst took.
pub(super) struct Burst {
    pub(super) answered: Duration,
    pub(super) pushed: Duration,
}

impl Bench {
    pub(super) async fn new(server: &child::Server) -> Result<Self, Error> {
        let client = Client::new(&server.addresses.edge, None)?;
        let app = client.make_app("bench").await?;
        let socket = client.connect(&format!("api_key={}", app.api_key)).await?;
        let (database, connection) = tokio_postgres::connect(&server.addresses.database_url, NoTls).await?;
        tokio::spawn(connection);
        database.batch_execute(FLOOR_TABLE).await?;
        let floor_insert = database.prepare(FLOOR_INSERT).await?;
        Ok(Self { client, app, socket, database, floor_insert, next_call: 1 })
    }

    pub(super) async fn warm_up(&mut self) -> Result<(), Error> {
        self.one_at_a_time(50).await.map(drop)
    }

    /// So many inserts, and so many deliveries of a new ringing call each, in turn.
    pub(super) async fn one_at_a_time(&mut self, count: usize) -> Result<(Spread, Spread, Spread), Error> {
        let (mut floor, mut answers, mut frames) = (Vec::new(), Vec::new(), Vec::new());
        let app_id: uuid::Uuid = self.app.app_id.parse().unwrap_or_default();
        for _ in 0..count {
            let payload = self.ringing();
            let text = payload.to_string();
            let start = Instant::now();
            self.database.execute(&self.floor_insert, &[&app_id, &text, &text]).await?;
            floor.push(start.elapsed());

            let start = Instant::now();
            let delivered = async {
                self.client.deliver(&self.app, &payload).await?;
                Ok::<_, client::Error>(start.elapsed())
            };
            let seen = async {
                self.socket.next(PATIENCE).await?;
                Ok(start.elapsed())
            };
            let (answer, frame) = futures_util::future::try_join(delivered, seen).await?;
            answers.push(answer);
            frames.push(frame);
        }
        Ok((Spread::of(floor), Spread::of(answers), Spread::of(frames)))
    }

    /// So many deliveries over so many connections at once.
    pub(super) async fn burst(&mut self, count: usize, connections: usize) -> Result<Burst, Error> {
        let payloads: Vec<_> = (0..count).map(|_| self.ringing()).collect();
        let (client, app, socket) = (&self.client, &self.app, &mut self.socket);
        let start = Instant::now();
        let deliver = async {
            let mut answers = stream::iter(&payloads)
                .map(|payload| client.deliver(app, payload))
                .buffer_unordered(connections);
            while let Some(answer) = answers.next().await {
                answer?;
            }
            Ok::<_, client::Error>(start.elapsed())
        };
        let follow = async {
            for _ in 0..count {
                socket.next(PATIENCE).await?;
            }
            Ok(start.elapsed())
        };
        let (answered, pushed) = futures_util::future::try_join(deliver, follow).await?;
        Ok(Burst { answered, pushed })
    }

    fn ringing(&mut self) -> Value {
        self.next_call += 1;
        json!({
            "call_id": self.next_call, "state": "ringing", "direction": "inbound", "date_started": 1_772_470_800_000_i64,
            "event_timestamp": 1_772_470_801_068_i64, "external_number": "+14155550150",
            "internal_number": "+14155550101", "contact": {"id": 1, "type": "local", "name": "Jo Client"},
            "target": {"id": 5_600_000_000_000_001_i64, "type": "user", "name": "Ada Sample", "phone": "+14155550101"},
            "routing_breadcrumbs": [], "labels": [], "recording_details": [], "is_transferred": false,
        })
    }
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at =
            |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
        Self { p50: at(50), p99: at(99), max: times.last().copied().unwrap_or_default() }
    }
}
