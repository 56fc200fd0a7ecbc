//! Composition: the push queue invokes this function.

use broadcaster::{Broadcaster, Config};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    push::Pusher,
    registry::Registry,
    telemetry::{self, Metrics},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::from_process();
    telemetry::start(&env);
    let config = Config::from_env(&env)?;
    let aws = aws::config(&env).await;
    let broadcaster = Broadcaster::new(
        Registry::new(&aws, &config.connections_table),
        Pusher::new(&aws, &config.connections_endpoint),
        Box::new(SystemClock),
    )
    .with_metrics(Metrics::to_stdout(&config.stack_name));
    let broadcaster = &broadcaster;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, std::convert::Infallible>(broadcaster::handle(broadcaster, event.payload).await)
    }))
    .await
}
