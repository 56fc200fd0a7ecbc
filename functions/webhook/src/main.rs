//! Composition: the HTTP API invokes this function for `POST /webhooks/…`.

use lambda_http::{Error, Request, run, service_fn, tracing};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    queue::Queue,
    store::{Settings, Store},
};
use webhook::{Config, Intake};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env(&Env::from_process())?;
    let intake = Intake::new(
        Store::new(&Settings::new(config.database_url.expose()))?,
        Queue::new(&aws::config().await, &config.event_queue_url),
        Box::new(SystemClock),
        config,
    );
    let intake = &intake;
    run(service_fn(move |request: Request| async move {
        Ok::<_, std::convert::Infallible>(webhook::handle(intake, request).await)
    }))
    .await
}
