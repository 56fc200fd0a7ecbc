//! Composition: the event queue and the schedule invoke this function.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use processor::{CONNECTIONS, Config, Processor, Queues};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    invoke::Invoker,
    queue::Queue,
    store::{Settings, Store},
    telemetry::{self, Metrics},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::from_process();
    telemetry::start(&env);
    let config = Config::from_env(&env)?;
    let aws = aws::config(&env).await;
    let dialpad = config.dialpad_function.as_ref().map(|function| Invoker::new(&aws, function));
    let metrics = Metrics::to_stdout(&config.stack_name);
    let queues = Queues {
        events: Queue::new(&aws, &config.event_queue_url),
        spills: Queue::new(&aws, &config.spill_queue_url),
        pushes: Queue::new(&aws, &config.push_queue_url),
    };
    let processor = Processor::new(
        Store::new(&Settings::new(config.database_url.expose()).with_connections(CONNECTIONS))?,
        queues,
        Box::new(SystemClock),
        config,
    )
    .with_dialpad(dialpad)
    .with_metrics(metrics);
    let processor = &processor;
    run(service_fn(move |event: LambdaEvent<_>| processor::handle(processor, event.payload))).await
}
