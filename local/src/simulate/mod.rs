//! `simulate`: delivers what Dialpad would to a running server, and prints the frames that it causes.

mod disorder;
mod scenario;
mod script;

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use shared::{
    clock::{Clock as _, SystemClock},
    config::Secret,
    domain::ids::AppId,
};

pub use scenario::Scenario;
pub use script::Setting;

use crate::{
    client::{self, App, Client, Socket},
    console,
    settings::Settings,
};

/// How long a frame may take before something counts as wrong.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to simulate, and where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What happens
    #[arg(value_enum, required_unless_present = "file")]
    scenario: Option<Scenario>,
    /// Deliver the payloads of this JSON array instead, just as they are
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    file: Option<PathBuf>,
    /// How many times it happens, one after the other, or side by side with --speed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
    /// How many agents a group rings
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=500))]
    agents: u16,
    /// Let it happen now, at this multiple of the speed of life (1 is real time); without it, all at once
    #[arg(long, value_name = "FACTOR", value_parser = positive, conflicts_with_all = ["file", "shuffle"])]
    speed: Option<f64>,
    /// Deliver in any order
    #[arg(long)]
    shuffle: bool,
    /// Deliver a share of the payloads twice; without a value, all of them
    #[arg(long, value_name = "SHARE", value_parser = share, num_args = 0..=1, default_missing_value = "1", require_equals = true)]
    duplicate: Option<f64>,
    /// Repeats the disorder of --shuffle and --duplicate
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The port of the running server
    #[arg(long, default_value_t = 4000, conflicts_with = "url")]
    port: u16,
    /// The running server, where it is not on this machine's port
    #[arg(long)]
    url: Option<String>,
    /// The app to deliver to; without it a new one is made
    #[arg(long, requires = "api_key", requires = "webhook_secret")]
    app_id: Option<AppId>,
    /// That app's API key
    #[arg(long)]
    api_key: Option<String>,
    /// That app's webhook secret
    #[arg(long)]
    webhook_secret: Option<String>,
}

fn positive(text: &str) -> Result<f64, String> {
    within(text, f64::MIN_POSITIVE..=1_000_000.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 0.0..=1.0)
}

fn within(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(format!("not between {} and {}", range.start(), range.end()))
    }
}

/// The simulation went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server did not do its part.
    #[error("simulate")]
    Client(#[from] client::Error),
    /// The file cannot be read.
    #[error("read {0}")]
    File(PathBuf, #[source] std::io::Error),
    /// It is no array of payloads.
    #[error("find an array of payloads in {0}")]
    Payloads(PathBuf, #[source] serde_json::Error),
    /// A delivery was refused.
    #[error("deliver payload {0}: the server answered {1}")]
    Refused(usize, String),
    /// The delivering task panicked.
    #[error("deliver")]
    Broken(#[source] tokio::task::JoinError),
}

/// Runs a simulation.
pub async fn run(arguments: Arguments, settings: &Settings) -> Result<(), Error> {
    let url = arguments.url.clone().unwrap_or_else(|| format!("http://localhost:{}", arguments.port));
    let client = Client::new(&url, settings.get("INTERNAL_API_SECRET").map(Secret::new))?;
    let app = app(&client, &arguments).await?;
    let deliveries = deliveries(&arguments, SystemClock.now())?;
    let mut socket = client.connect(&format!("api_key={}", app.api_key)).await?;
    let before = head(&mut socket, None).await?.0;
    // Beside the reading: API Gateway gives a client up that does not read.
    let keeps_time = arguments.speed.is_some();
    let delivering = tokio::spawn(deliver(client.clone(), app.clone(), deliveries, keeps_time));
    let seen = follow(&client, &mut socket, before, delivering).await?;
    console::progress(&format!("{seen} frames"));
    console::line(&format!(
        "curl {}/api/calls -H 'x-app-api-key: {}'",
        url.trim_end_matches('/'),
        app.api_key
    ));
    Ok(socket.close().await?)
}

/// What to deliver, in order.
fn deliveries(arguments: &Arguments, now: DateTime<Utc>) -> Result<Vec<Value>, Error> {
    let mut deliveries = match (&arguments.file, arguments.scenario) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file).map_err(|error| Error::File(file.clone(), error))?;
            serde_json::from_str(&text).map_err(|error| Error::Payloads(file.clone(), error))?
        }
        (None, scenario) => calls(arguments, scenario.unwrap_or(Scenario::InboundAnswered), now),
    };
    let mut chance = fastrand::Rng::with_seed(arguments.seed);
    if let Some(share) = arguments.duplicate {
        disorder::repeat(&mut deliveries, share, &mut chance);
    }
    if arguments.shuffle {
        disorder::shuffle(&mut deliveries, &mut chance);
    }
    Ok(deliveries)
}

fn calls(arguments: &Arguments, scenario: Scenario, now: DateTime<Utc>) -> Vec<Value> {
    let Arguments { speed, agents, .. } = *arguments;
    let played = (0..arguments.calls).flat_map(|number| {
        let later = TimeDelta::milliseconds(i64::from(number));
        let scenario = scenario.of_call(number.try_into().unwrap_or(usize::MAX));
        let start = match speed {
            Some(_) => now + later,
            None => now - TimeDelta::seconds(scenario::LONGEST_SECONDS) - later,
        };
        scenario.played(Setting { start, speed: speed.unwrap_or(1.0), agents: agents.into() })
    });
    let mut deliveries: Vec<Value> = played.collect();
    if speed.is_some() {
        deliveries.sort_by_key(happened_at);
    }
    deliveries
}

/// When it happened, in milliseconds of the epoch.
fn happened_at(payload: &Value) -> Option<i64> {
    payload["event_timestamp"].as_i64()
}

async fn app(client: &Client, arguments: &Arguments) -> Result<App, Error> {
    if let (Some(app_id), Some(api_key), Some(secret)) =
        (arguments.app_id, &arguments.api_key, &arguments.webhook_secret)
    {
        return Ok(App { app_id, api_key: api_key.clone(), webhook_secret: Secret::new(secret.as_str()) });
    }
    let name = arguments.scenario.and_then(|scenario| scenario.to_possible_value());
    let name = name.as_ref().map_or("file", |name| name.get_name());
    let app = client.make_app(&format!("simulated {name}")).await?;
    console::progress(&format!("made app {}", app.app_id));
    Ok(app)
}

/// Delivers one payload after the other: at once, or each when it happens.
async fn deliver(client: Client, app: App, deliveries: Vec<Value>, keeps_time: bool) -> Result<(), Error> {
    let says_each = deliveries.len() <= 100;
    for (index, payload) in deliveries.iter().enumerate() {
        if let Some(at) = happened_at(payload).filter(|_| keeps_time) {
            let wait_ms = at - SystemClock.now().timestamp_millis();
            tokio::time::sleep(Duration::from_millis(wait_ms.try_into().unwrap_or(0))).await;
        }
        let answer = client.deliver(&app, payload).await?;
        if !answer.status.is_success() {
            return Err(Error::Refused(index, answer.detail()));
        }
        if says_each {
            console::progress(&format!("delivered {}", what(payload)));
        }
    }
    if !says_each {
        console::progress(&format!("delivered {}", deliveries.len()));
    }
    Ok(())
}

fn what(payload: &Value) -> &str {
    let members = ["state", "on_duty_status", "message_status", "event_type"];
    members.iter().find_map(|member| payload[*member].as_str()).unwrap_or("a payload")
}

/// Prints frames until all is delivered, nothing waits to be processed, and every event of the log has come. Returns
/// how many came.
async fn follow(
    client: &Client,
    socket: &mut Socket,
    before: i64,
    delivering: tokio::task::JoinHandle<Result<(), Error>>,
) -> Result<i64, Error> {
    let mut seen = 0;
    let mut delivering = Some(delivering);
    loop {
        match socket.next(Duration::from_millis(200)).await {
            Ok(frame) => {
                print(&frame, &mut seen);
                continue;
            }
            Err(client::Error::TooLate) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(task) = delivering.take_if(|task| task.is_finished()) {
            task.await.map_err(Error::Broken)??;
        }
        if delivering.is_none() && nothing_waits(client).await? {
            let (_, expected) = head(socket, Some((before, &mut seen))).await?;
            if seen >= expected {
                return Ok(seen);
            }
        }
    }
}

async fn nothing_waits(client: &Client) -> Result<bool, Error> {
    let health = client.send(axum::http::Method::GET, "/health", &[], "").await?;
    Ok(health.body["queue"]["pending"] == 0)
}

/// Asks for the head of the log, and how many events there are after a place; prints the frames that come in between.
async fn head(socket: &mut Socket, mut after: Option<(i64, &mut i64)>) -> Result<(i64, i64), Error> {
    let ping = after
        .as_ref()
        .map_or_else(|| json!({"action": "ping"}), |(place, _)| json!({"action": "ping", "after": place}));
    socket.say(&ping).await?;
    loop {
        let frame = socket.next(PATIENCE).await?;
        if frame["event"] == "pong" {
            return Ok((frame["seq"].as_i64().unwrap_or(0), frame["count"].as_i64().unwrap_or(0)));
        }
        if let Some((_, seen)) = &mut after {
            print(&frame, seen);
        }
    }
}

fn print(frame: &Value, seen: &mut i64) {
    *seen += 1;
    console::line(&frame.to_string());
}
