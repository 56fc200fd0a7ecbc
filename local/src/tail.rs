//! `tail`: follows an app's events as a careful client does, and prints them.

use std::time::Duration;

use clap::Args;

use crate::{
    client::{self, Client, Socket},
    console,
    follow::{Follower, Step},
};

/// How often it is asked whether anything was missed.
const PING: Duration = Duration::from_secs(30);
/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_secs(1);

/// What to follow.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The app's API key
    #[arg(long)]
    api_key: String,
    /// See what this CRM user sees
    #[arg(long)]
    user_id: Option<String>,
    /// Begin after this event; 0 begins with the oldest that is kept
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// The running server
    #[arg(long, default_value = "http://localhost:4000")]
    url: String,
}

/// Follows until it is stopped, over as many connections as it takes. Only the first must succeed.
pub async fn run(arguments: Arguments) -> Result<(), client::Error> {
    let client = Client::new(&arguments.url, None)?;
    let user = arguments.user_id.map(|user| format!("&user_id={user}")).unwrap_or_default();
    let query = format!("api_key={}{user}", arguments.api_key);
    let mut follower = Follower::after(arguments.after);
    let mut socket = client.connect(&query).await?;
    loop {
        if let Err(error) = follow(&mut socket, &mut follower).await {
            console::progress(&format!("{error}; connecting again, after event {}", follower.cursor()));
        }
        socket = loop {
            tokio::time::sleep(PAUSE).await;
            if let Ok(socket) = client.connect(&query).await {
                break socket;
            }
        };
    }
}

/// Follows over one connection until it ends.
async fn follow(socket: &mut Socket, follower: &mut Follower) -> Result<(), client::Error> {
    socket.say(&follower.resume()).await?;
    loop {
        let frame = match socket.next(PING).await {
            Ok(frame) => frame,
            Err(client::Error::TooLate) => {
                socket.say(&follower.ping()).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let has_more = frame["has_more"] == true;
        match follower.take(frame) {
            Step::New(events) => events.iter().for_each(|event| console::line(&event.to_string())),
            Step::Ask(question) => socket.say(&question).await?,
            Step::Reload => {
                console::progress("the log no longer reaches back so far; following from its end");
            }
        }
        if has_more {
            socket.say(&follower.resume()).await?;
        }
    }
}
