//! Composition: the push queue invokes this function.

use broadcaster::{Broadcaster, Config};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use shared::{aws, clock::SystemClock, config::Env, push::Pusher, registry::Registry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env(&Env::from_process())?;
    let aws = aws::config().await;
    let broadcaster = Broadcaster::new(
        Registry::new(&aws, &config.connections_table),
        Pusher::new(&aws, &config.connections_endpoint),
        Box::new(SystemClock),
    );
    let broadcaster = &broadcaster;
    run(service_fn(move |event: LambdaEvent<_>| async move {
        Ok::<_, std::convert::Infallible>(broadcaster::handle(broadcaster, event.payload).await)
    }))
    .await
}
