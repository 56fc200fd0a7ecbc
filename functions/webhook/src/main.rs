//! Composition: the HTTP API invokes this function for `POST /webhooks/…`.

use lambda_http::{Error, Request, run, service_fn};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    queue::Queue,
    store::{Settings, Store},
    telemetry::{self, Metrics},
};
use webhook::{Config, Intake};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::from_process();
    telemetry::start(&env);
    let config = Config::from_env(&env)?;
    let aws = aws::config(&env).await;
    let metrics = Metrics::to_stdout(&config.stack_name);
    let intake = Intake::new(
        Store::new(&Settings::new(config.database_url.expose()))?,
        Queue::new(&aws, &config.event_queue_url),
        Queue::new(&aws, &config.spill_queue_url),
        Box::new(SystemClock),
        config,
    )
    .with_metrics(metrics);
    let intake = &intake;
    run(service_fn(move |request: Request| async move {
        Ok::<_, std::convert::Infallible>(webhook::handle(intake, request).await)
    }))
    .await
}
