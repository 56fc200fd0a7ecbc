//! The function `rest`.

use std::sync::Arc;

use lambda_http::{Request, service_fn};
use rest::{Config, Deps, handle, router};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    invoke::Invoker,
    registry::Registry,
    store::{Settings, Store},
    telemetry::{self, Metrics},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let env = Env::from_process();
    telemetry::start(&env);
    let config = Config::from_env(&env)?;
    let store = Store::new(&Settings::for_requests(config.database_url.expose()))?;
    let aws = aws::config(&env).await;
    let registry = config.connections_table.as_ref().map(|table| Registry::new(&aws, table));
    let dialpad = config.dialpad_function.as_ref().map(|function| Invoker::new(&aws, function));
    let metrics = Arc::new(Metrics::to_stdout(&config.stack_name));
    let router = router(Deps { store, registry, dialpad, clock: Arc::new(SystemClock), config, metrics });
    lambda_http::run(service_fn(|request: Request| handle(router.clone(), request))).await
}
