//! The function `migrator`.

use lambda_runtime::{LambdaEvent, service_fn};
use migrator::{Config, handle};
use serde_json::Value;
use shared::{config::Env, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let env = Env::from_process();
    telemetry::start(&env);
    let config = &Config::from_env(&env)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handle(config, event.payload))).await
}
