//! Composition: the event queue and the schedule invoke this function.

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use processor::{Config, Processor};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    queue::Queue,
    store::{Settings, Store},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env(&Env::from_process())?;
    let processor = Processor::new(
        Store::new(&Settings::new(config.database_url.expose()).with_connections(2))?,
        Queue::new(&aws::config().await, &config.push_queue_url),
        Box::new(SystemClock),
        config,
    );
    let processor = &processor;
    run(service_fn(move |event: LambdaEvent<_>| processor::handle(processor, event.payload))).await
}
