//! Queues and their delivery to functions.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use local::{
    aws::{
        mapping::{self, Mapping},
        sqs::{Queue, Sqs},
    },
    lambda::Lambda,
    template::Template,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
};

use crate::{
    edge_stack::soon,
    template::{FIXTURE, surroundings},
};

const VISIBILITY: Duration = Duration::from_millis(200);

/// One batch that the function holds, and the way to answer it.
struct Batch {
    event: Value,
    answer: oneshot::Sender<Result<Value, ()>>,
}

impl Batch {
    fn bodies(&self) -> Vec<&str> {
        self.records().iter().map(|record| record["body"].as_str().unwrap()).collect()
    }

    fn records(&self) -> &Vec<Value> {
        self.event["Records"].as_array().unwrap()
    }

    fn succeed(self) {
        self.answer.send(Ok(Value::Null)).unwrap();
    }

    fn fail(self) {
        self.answer.send(Err(())).unwrap();
    }

    /// Succeeds apart from the messages with these bodies.
    fn fail_some(self, bodies: &[&str]) {
        let failed: Vec<_> = self
            .records()
            .iter()
            .filter(|record| bodies.contains(&record["body"].as_str().unwrap()))
            .map(|record| json!({ "itemIdentifier": record["messageId"] }))
            .collect();
        self.answer.send(Ok(json!({ "batchItemFailures": failed }))).unwrap();
    }
}

/// The event queue, mapped to a function that the test plays.
struct Stack {
    sqs: Sqs,
    lambda: Lambda,
    mapping: Mapping,
    batches: mpsc::UnboundedReceiver<Batch>,
    stop: watch::Sender<bool>,
}

impl Stack {
    async fn new() -> Self {
        let (sender, batches) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/2015-03-31/functions/processor/invocations", post(invoke))
            .with_state(sender);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

        let mut template = Template::parse(FIXTURE, &surroundings()).unwrap();
        template.queues.values_mut().for_each(|queue| queue.visibility = VISIBILITY);
        let mapping = Mapping {
            definition: template.queue_mappings[0].clone(),
            concurrency: 2,
            region: "us-east-1".to_owned(),
        };
        let lambda = Lambda::remote(&url, BTreeMap::new()).unwrap();
        Self { sqs: Sqs::new(&template), lambda, mapping, batches, stop: watch::Sender::new(false) }
    }

    async fn started() -> Self {
        let stack = Self::new().await;
        stack.start();
        stack
    }

    fn start(&self) {
        let (sqs, lambda) = (self.sqs.clone(), self.lambda.clone());
        tokio::spawn(mapping::run(self.mapping.clone(), sqs, lambda, self.stop.subscribe()));
    }

    fn queue(&self) -> &Queue {
        self.sqs.queue("EventQueue").unwrap()
    }

    fn dead(&self) -> &Queue {
        self.sqs.queue("EventDeadLetterQueue").unwrap()
    }

    fn send(&self, body: &str) -> String {
        self.queue().send(body, None)
    }

    async fn batch(&mut self) -> Batch {
        soon("a batch", self.batches.recv()).await.unwrap()
    }

    /// Waits until the queue holds nothing, in flight or not.
    async fn drained(&self) {
        let is_empty = || {
            let counts = self.queue().counts();
            counts.visible + counts.in_flight + counts.delayed == 0
        };
        soon("an empty queue", async {
            while !is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

async fn invoke(State(batches): State<mpsc::UnboundedSender<Batch>>, body: Bytes) -> Response {
    let (answer, answered) = oneshot::channel();
    batches.send(Batch { event: serde_json::from_slice(&body).unwrap(), answer }).unwrap();
    if let Ok(value) = answered.await.unwrap() {
        value.to_string().into_response()
    } else {
        let body = json!({ "errorType": "Oops", "errorMessage": "it broke" }).to_string();
        (StatusCode::OK, [("x-amz-function-error", "Unhandled")], body).into_response()
    }
}

#[tokio::test]
async fn a_message_reaches_the_function_at_once_and_as_lambda_sends_it() {
    let mut stack = Stack::started().await;
    let id = stack.send("hello");
    let batch = stack.batch().await;
    let record = &batch.records()[0];
    assert_eq!(record["messageId"], id);
    assert_eq!(record["body"], "hello");
    assert_eq!(record["md5OfBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:EventQueue");
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert!(
        record["attributes"]["SentTimestamp"].as_str().unwrap().parse::<u64>().unwrap() > 1_600_000_000_000
    );
    assert!(!record["receiptHandle"].as_str().unwrap().is_empty());
    batch.succeed();
    stack.drained().await;
}

#[tokio::test]
async fn a_failed_batch_comes_back_after_the_visibility_timeout() {
    let mut stack = Stack::started().await;
    stack.send("again");
    let sent = tokio::time::Instant::now();
    stack.batch().await.fail();
    let batch = stack.batch().await;
    assert!(sent.elapsed() >= VISIBILITY);
    assert_eq!(batch.records()[0]["attributes"]["ApproximateReceiveCount"], "2");
    batch.succeed();
    stack.drained().await;
}

#[tokio::test]
async fn of_a_batch_only_the_named_failures_come_back() {
    let mut stack = Stack::new().await;
    for body in ["a", "b", "c"] {
        stack.send(body);
    }
    stack.start();
    let batch = stack.batch().await;
    assert_eq!(batch.bodies(), ["a", "b", "c"]);
    batch.fail_some(&["b"]);
    let batch = stack.batch().await;
    assert_eq!(batch.bodies(), ["b"]);
    batch.succeed();
    stack.drained().await;
}

#[tokio::test]
async fn an_answer_that_names_an_unknown_message_fails_the_whole_batch() {
    let mut stack = Stack::started().await;
    stack.send("a");
    let batch = stack.batch().await;
    batch.answer.send(Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "other" }] }))).unwrap();
    let batch = stack.batch().await;
    assert_eq!(batch.bodies(), ["a"]);
    batch.succeed();
}

#[tokio::test]
async fn a_message_received_too_often_moves_to_the_dead_letter_queue() {
    let mut stack = Stack::started().await;
    let id = stack.send("poison");
    for receive in 1..=3 {
        let batch = stack.batch().await;
        assert_eq!(batch.records()[0]["attributes"]["ApproximateReceiveCount"], receive.to_string());
        batch.fail();
    }
    stack.drained().await;
    let dead = stack.sqs.receive(stack.dead(), 10, usize::MAX);
    assert_eq!(dead.len(), 1);
    assert_eq!((&*dead[0].id, &*dead[0].body), (&*id, "poison"));
    assert!(stack.batches.try_recv().is_err());
}

#[tokio::test]
async fn a_backlog_goes_out_in_batches_of_the_templates_size_several_at_a_time() {
    let mut stack = Stack::new().await;
    for number in 0..25 {
        stack.send(&number.to_string());
    }
    stack.start();
    let (first, second) = (stack.batch().await, stack.batch().await);
    assert_eq!((first.bodies().len(), second.bodies().len()), (10, 10));
    assert_eq!(first.bodies()[0], "0");
    assert!(stack.batches.try_recv().is_err(), "the concurrency is two");
    second.succeed();
    let third = stack.batch().await;
    assert_eq!(third.bodies().len(), 5);
    third.succeed();
    first.succeed();
    stack.drained().await;
}

#[tokio::test]
async fn a_delayed_message_waits() {
    let mut stack = Stack::started().await;
    let sent = tokio::time::Instant::now();
    let _ = stack.queue().send("later", Some(Duration::from_millis(150)));
    assert_eq!(stack.queue().counts().delayed, 1);
    stack.batch().await.succeed();
    assert!(sent.elapsed() >= Duration::from_millis(150));
    stack.drained().await;
}

#[tokio::test]
async fn a_stopped_mapping_leaves_messages_in_the_queue() {
    let stack = Stack::started().await;
    stack.stop.send_replace(true);
    stack.stop.closed().await;
    stack.send("kept");
    assert_eq!(stack.queue().counts().visible, 1);
}
