//! Composition: the WebSocket API invokes this function for all of its routes.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    registry::Registry,
    store::{Settings, Store},
    telemetry::{self, Metrics},
};
use websocket::{Config, Sockets};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::from_process();
    telemetry::start(&env);
    let config = Config::from_env(&env)?;
    let metrics = Metrics::to_stdout(&config.stack_name);
    let sockets = Sockets::new(
        Store::new(&Settings::for_requests(config.database_url.expose()))?,
        Registry::new(&aws::config(&env).await, &config.connections_table),
        Box::new(SystemClock),
        config,
    )
    .with_metrics(metrics);
    let sockets = &sockets;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, std::convert::Infallible>(websocket::handle(sockets, event.payload).await)
    }))
    .await
}
