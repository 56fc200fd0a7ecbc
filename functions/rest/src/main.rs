//! The function `rest`.

use std::sync::Arc;

use lambda_http::{Request, service_fn};
use rest::{Config, Deps, handle, router};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    registry::Registry,
    store::{Settings, Store},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::tracing::init_default_subscriber();
    let config = Config::from_env(&Env::from_process())?;
    let store = Store::new(&Settings::new(config.database_url.expose()))?;
    let registry = match &config.connections_table {
        Some(table) => Some(Registry::new(&aws::config().await, table)),
        None => None,
    };
    let router = router(Deps { store, registry, clock: Arc::new(SystemClock), config });
    lambda_http::run(service_fn(|request: Request| handle(router.clone(), request))).await
}
