//! The function `migrator`.

use lambda_runtime::{LambdaEvent, service_fn};
use migrator::{Config, handle};
use serde_json::Value;
use shared::config::Env;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = &Config::from_env(&Env::from_process())?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handle(config, event.payload))).await
}
