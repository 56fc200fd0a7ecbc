//! `simulate`: delivers a call as Dialpad does to a running server, and prints the frames that it causes.

mod scenario;

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use shared::{
    clock::{Clock as _, SystemClock},
    config::Secret,
};

pub use scenario::Scenario;

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
    /// The port of the running server
    #[arg(long, default_value_t = 4000, conflicts_with = "url")]
    port: u16,
    /// The running server, where it is not on this machine's port
    #[arg(long)]
    url: Option<String>,
    /// The app to deliver to; without it a new one is made
    #[arg(long, requires = "api_key", requires = "webhook_secret")]
    app_id: Option<String>,
    /// That app's API key
    #[arg(long)]
    api_key: Option<String>,
    /// That app's webhook secret
    #[arg(long)]
    webhook_secret: Option<String>,
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
}

/// Runs a simulation.
pub async fn run(arguments: Arguments, settings: &Settings) -> Result<(), Error> {
    let url = arguments.url.clone().unwrap_or_else(|| format!("http://localhost:{}", arguments.port));
    let client = Client::new(&url, settings.get("INTERNAL_API_SECRET").map(Secret::new))?;
    let payloads = payloads(&arguments)?;
    let app = app(&client, &arguments).await?;
    let mut socket = client.connect(&format!("api_key={}", app.api_key)).await?;
    let before = head(&mut socket, None).await?.0;
    for (index, payload) in payloads.iter().enumerate() {
        let answer = client.deliver(&app, payload).await?;
        if !answer.status.is_success() {
            return Err(Error::Refused(index, answer.detail()));
        }
        console::progress(&format!("delivered {}", payload["state"].as_str().unwrap_or("a payload")));
    }
    follow(&client, &mut socket, before).await?;
    console::line(&format!(
        "curl {}/api/calls -H 'x-app-api-key: {}'",
        url.trim_end_matches('/'),
        app.api_key
    ));
    Ok(socket.close().await?)
}

fn payloads(arguments: &Arguments) -> Result<Vec<Value>, Error> {
    match (&arguments.file, arguments.scenario) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file).map_err(|error| Error::File(file.clone(), error))?;
            serde_json::from_str(&text).map_err(|error| Error::Payloads(file.clone(), error))
        }
        (None, scenario) => Ok(scenario.unwrap_or(Scenario::InboundAnswered).payloads(SystemClock.now())),
    }
}

async fn app(client: &Client, arguments: &Arguments) -> Result<App, Error> {
    if let (Some(app_id), Some(api_key), Some(secret)) =
        (&arguments.app_id, &arguments.api_key, &arguments.webhook_secret)
    {
        return Ok(App {
            app_id: app_id.clone(),
            api_key: api_key.clone(),
            webhook_secret: Secret::new(secret.as_str()),
        });
    }
    let name = arguments.scenario.and_then(|scenario| scenario.to_possible_value());
    let name = name.as_ref().map_or("file", |name| name.get_name());
    let app = client.make_app(&format!("simulated {name}")).await?;
    console::progress(&format!("made app {}", app.app_id));
    Ok(app)
}

/// Prints frames until nothing waits to be processed and every event of the log has come.
async fn follow(client: &Client, socket: &mut Socket, before: i64) -> Result<(), Error> {
    let (mut seen, mut expected) = (0, i64::MAX);
    while seen < expected {
        if nothing_waits(client).await? {
            expected = head(socket, Some((before, &mut seen))).await?.1;
            if seen >= expected {
                break;
            }
        }
        match socket.next(Duration::from_millis(200)).await {
            Ok(frame) => print(&frame, &mut seen),
            Err(client::Error::TooLate) => {}
            Err(error) => return Err(error.into()),
        }
    }
    console::progress(&format!("{seen} frames"));
    Ok(())
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
