//! What the bench cannot do in its own process, because `local` links neither a function nor the AWS SDK.
//!
//! It takes orders as lines of JSON on standard input, carries out one after the other, and says in a line of JSON how
//! each went.

mod deliver;
mod post;

use std::io::{BufRead as _, Write as _};

use lambda_http::Error;
use serde::{Deserialize, Serialize};
use shared::{
    aws,
    clock::SystemClock,
    config::Env,
    push::Pusher,
    queue::Queue,
    registry::Registry,
    store::{Settings, Store},
};
use webhook::{Config, Intake};

/// What can be ordered.
#[derive(Debug, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
enum Order {
    /// Deliveries to the webhook's library.
    Deliver(deliver::Order),
    /// One frame to all sockets of an app.
    Post(post::Order),
}

/// How an order went.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    seconds: f64,
    done: usize,
    failed: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let env = Env::from_process();
    let aws = aws::config(&env).await;
    let config = Config::from_env(&env)?;
    let settings =
        Settings::new(config.database_url.expose()).with_connections(env.parsed("CONNECTIONS", 1)?);
    let intake = Intake::new(
        Store::new(&settings)?,
        Queue::new(&aws, &config.event_queue_url),
        Queue::new(&aws, &config.spill_queue_url),
        Box::new(SystemClock),
        config,
    );
    let mut poster = post::Poster::new(
        Registry::new(&aws, env.required("CONNECTIONS_TABLE")?),
        Pusher::new(&aws, env.required("CONNECTIONS_ENDPOINT")?),
    );
    // Nothing else happens here while an order is awaited.
    for line in std::io::stdin().lock().lines() {
        let outcome = match serde_json::from_str(&line?)? {
            Order::Deliver(order) => deliver::run(&intake, &order).await,
            Order::Post(order) => poster.run(&order).await?,
        };
        let mut output = std::io::stdout().lock();
        writeln!(output, "{}", serde_json::to_string(&outcome)?)?;
        output.flush()?;
    }
    Ok(())
}
