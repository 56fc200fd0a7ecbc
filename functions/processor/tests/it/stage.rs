//! A processor with a database of its own, and queues behind a real socket.

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, body::Bytes, http::HeaderMap, routing::post};
use local::{
    aws::sqs::Sqs,
    template::{Surroundings, Template},
    urls::PublicUrls,
};
use processor::{Config, Processor, Queues};
use serde_json::{Value, json};
use shared::{
    clock::{Clock as _, SystemClock},
    config::{Env, Secret},
    domain::ids::{AppId, new_id},
    invoke::Invoker,
    queue::Queue,
    store::{Settings, Store, apps},
    testing::{Database, ManualClock, aws_config},
};
use tokio_postgres::Client;

pub(crate) struct Stage {
    pub(crate) processor: Processor,
    pub(crate) database: Client,
    pub(crate) clock: ManualClock,
    pub(crate) queues: Sqs,
    pub(crate) app_id: AppId,
    pub(crate) dialpad: Dialpad,
    owner: Database,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::keeping("7", "30").await
    }

    /// One whose event log and deliveries are kept this many days.
    pub(crate) async fn keeping(log_days: &str, delivery_days: &str) -> Self {
        Self::set(log_days, delivery_days, |_| {}).await
    }

    /// One that reaches its database otherwise.
    pub(crate) async fn reaching(change: impl FnOnce(&mut Settings)) -> Self {
        Self::set("7", "30", change).await
    }

    async fn set(log_days: &str, delivery_days: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let owner = Database::new().await;
        let dialpad = Dialpad::default();
        let (queues, endpoint) = queues(dialpad.clone()).await;
        let url = |queue: &str| {
            format!("{endpoint}/000000000000/{}", queues.queue(queue).unwrap().definition().name)
        };
        let [event_queue, spill_queue, push_queue] = ["EventQueue", "SpillQueue", "PushQueue"].map(url);
        let clock = ManualClock::new(SystemClock.now());
        let env = Env::from([
            ("DATABASE_URL", owner.url()),
            ("EVENT_QUEUE_URL", &event_queue),
            ("PUSH_QUEUE_URL", &push_queue),
            ("SPILL_QUEUE_URL", &spill_queue),
            ("PROCESSOR_SWEEP_SECONDS", "0"),
            ("EVENT_LOG_RETENTION_DAYS", log_days),
            ("DELIVERY_RETENTION_DAYS", delivery_days),
            ("RECONCILE_AFTER_SECONDS", "900"),
            ("STACK_NAME", "test"),
        ]);
        let mut settings = Settings::new(owner.url()).with_connections(processor::CONNECTIONS);
        change(&mut settings);
        let aws = aws_config(&endpoint).await;
        let config = Config::from_env(&env).unwrap();
        let queues_of_it = Queues {
            events: Queue::new(&aws, &config.event_queue_url),
            spills: Queue::new(&aws, &config.spill_queue_url),
            pushes: Queue::new(&aws, &config.push_queue_url),
        };
        let store = Store::new(&settings).unwrap();
        let processor = Processor::new(store, queues_of_it, Box::new(clock.clone()), config)
            .with_dialpad(Some(Invoker::new(&aws, "dialpad")));
        let database = owner.client().await;
        let app_id = AppId(new_id());
        apps::insert(&database, app_id, "test", &Secret::new("secret"), None, clock.now()).await.unwrap();
        Self { processor, database, clock, queues, app_id, dialpad, owner }
    }

    /// Another session with the same database.
    pub(crate) async fn connect(&self) -> Client {
        self.owner.client().await
    }

    /// Puts an event into the inbox as a person would.
    pub(crate) async fn insert(&self, event_type: &str, payload: &Value) {
        let text = payload.to_string();
        let sql = "INSERT INTO webhook_events (app_id, event_type, payload, received_at, due_at)
                   VALUES ($1, $2, $3::text::jsonb, $4, $4)";
        self.database.execute(sql, &[&self.app_id.0, &event_type, &text, &self.clock.now()]).await.unwrap();
    }

    /// What the webhook says after a delivery was stored.
    pub(crate) fn wake_up(&self) -> String {
        json!({"kind": "stored", "app_id": self.app_id}).to_string()
    }

    /// What the queue does after a delivery was stored.
    pub(crate) async fn wake(&self) {
        let body = self.wake_up();
        let event = json!({"Records": [{"messageId": "1", "body": body}]});
        assert!(processor::handle(&self.processor, event).await.unwrap().batch_item_failures.is_empty());
    }

    /// What the schedule does.
    pub(crate) async fn sweep(&self) {
        processor::handle(&self.processor, json!({"action": "sweep"})).await.unwrap();
    }

    /// The event log's frames, in order.
    pub(crate) async fn frames(&self) -> Vec<Value> {
        let sql = "SELECT frame FROM client_events WHERE app_id = $1 ORDER BY seq";
        let rows = self.database.query(sql, &[&self.app_id.0]).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(row.get("frame")).unwrap()).collect()
    }

    /// The rows, as JSON, less what differs from run to run.
    pub(crate) async fn rows(&self) -> Value {
        let sql = "SELECT coalesce(jsonb_agg(r ORDER BY r::text), '[]')::text FROM (
                SELECT to_jsonb(c) - '{id,app_id,parent_call_id,created_at,updated_at}'::text[]
                    || jsonb_build_object('kind', 'call', 'parent', (
                        SELECT p.dialpad_call_id FROM calls p WHERE p.id = c.parent_call_id)) AS r
                FROM calls c WHERE app_id = $1
                UNION ALL
                SELECT to_jsonb(v) - '{id,app_id,created_at,updated_at}'::text[] || '{\"kind\":\"voicemail\"}'
                FROM voicemails v WHERE app_id = $1
                UNION ALL
                SELECT to_jsonb(m) - '{id,app_id,created_at,updated_at}'::text[] || '{\"kind\":\"message\"}'
                FROM messages m WHERE app_id = $1
                UNION ALL
                SELECT to_jsonb(a) - '{id,app_id,created_at,updated_at}'::text[] || '{\"kind\":\"agent\"}'
                FROM agents a WHERE app_id = $1) AS rows";
        let text: String = self.database.query_one(sql, &[&self.app_id.0]).await.unwrap().get(0);
        serde_json::from_str(&text).unwrap()
    }

    /// One number from the database; `$1` is the app.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database.query_one(sql, &[&self.app_id.0]).await.unwrap().get(0)
    }

    /// How many messages wait in the push queue.
    pub(crate) fn pushes(&self) -> usize {
        self.queues.queue("PushQueue").unwrap().counts().visible
    }
}

/// What stands for the function `dialpad`: it answers what a test put there, in this order, and then that it is away.
#[derive(Clone, Default)]
pub(crate) struct Dialpad(Arc<Mutex<(VecDeque<Value>, Vec<Value>)>>);

impl Dialpad {
    /// The next answers.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = Value>) {
        self.0.lock().unwrap().0.extend(answers);
    }

    /// The legs that it was asked for since the last time, in this order.
    pub(crate) fn asked(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.0.lock().unwrap().1);
        requests.iter().map(|request| request["call_id"].as_str().unwrap().to_owned()).collect()
    }

    fn answer(&self, request: &Bytes) -> Value {
        let (answers, requests) = &mut *self.0.lock().unwrap();
        requests.push(serde_json::from_slice(request).unwrap());
        let away = || json!({"refused": {"kind": "unavailable", "detail": "away", "retry_after": null}});
        answers.pop_front().unwrap_or_else(away)
    }
}

/// The template's queues, and the function `dialpad`, served on a port of their own.
async fn queues(dialpad: Dialpad) -> (Sqs, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let urls = PublicUrls { http: endpoint.clone(), ws: endpoint.clone(), aws: endpoint.clone() };
    let (parameters, overrides) =
        (BTreeMap::new(), BTreeMap::from([("DATABASE_URL".to_owned(), String::new())]));
    let surroundings = Surroundings { urls, region: "us-east-1".to_owned(), parameters, overrides };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let queues = Sqs::new(&Template::read(&file, &surroundings).unwrap());
    let served = queues.clone();
    let call = async move |headers: HeaderMap, body: Bytes| {
        let target = headers["x-amz-target"].to_str().unwrap();
        served.call(target.strip_prefix("AmazonSQS.").unwrap(), &body)
    };
    let invoke = async move |request: Bytes| Json(dialpad.answer(&request));
    let router =
        Router::new().route("/", post(call)).route("/2015-03-31/functions/dialpad/invocations", post(invoke));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (queues, endpoint)
}
