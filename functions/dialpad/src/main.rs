//! The function `dialpad`.

use dialpad::{Config, Dialpad, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{clock::SystemClock, config::Env, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::from_process();
    telemetry::start(&env);
    let config = Config::from_env(&env)?;
    let dialpad = &Dialpad::new(config, Box::new(SystemClock))?;
    run(service_fn(async |event: LambdaEvent<_>| handle(dialpad, event.payload).await.map_err(Error::from)))
        .await
}
