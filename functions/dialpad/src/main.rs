//! The function `dialpad`.

use dialpad::{Config, Dialpad, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use shared::{clock::SystemClock, config::Env};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_env(&Env::from_process())?;
    let dialpad = &Dialpad::new(config, Box::new(SystemClock))?;
    run(service_fn(async |event: LambdaEvent<_>| handle(dialpad, event.payload).await.map_err(Error::from)))
        .await
}
