//! What is tortured: a Postgres that can crash, a server, apps, and clients that keep account.

use std::{fs::File, path::Path, time::Duration};

use axum::http::Method;
use serde_json::{Value, json};
use shared::postgres::{self, Options};
use tokio::{sync::watch, time::Instant};
use tokio_postgres::NoTls;

use super::{Arguments, Error, schedule::STEADY};
use crate::{
    child,
    client::{self, App, Client},
    console,
    follow::witness::Witness,
    scratch::Scratch,
    settings::root,
};

/// How often a client asks whether it missed anything; in life it is every five minutes.
const PING: Duration = Duration::from_secs(1);
/// How long to wait between looks.
const PAUSE: Duration = Duration::from_millis(200);
/// The CRM users, and the Dialpad users that are mapped to them; all others are nobody's.
const USERS: [(&str, &str); 2] = [("ada", "5600000000000001"), ("ben", "5600000000000002")];

/// Everything, running.
pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) apps: Vec<Watched>,
    pub(super) storm: watch::Sender<u64>,
    aws: Client,
    database_url: String,
    server: child::Server,
    postgres: Option<postgres::Server>,
    /// Where Postgres's data and the server's log are; goes after both.
    folder: Scratch,
}

/// An app, and its clients: two of the app, one of each user, one of a user to whom nobody is mapped.
pub(super) struct Watched {
    pub(super) app: App,
    pub(super) witnesses: Vec<(&'static str, Witness)>,
}

impl Stage {
    /// Starts everything and makes the apps; from then on the faults are in force.
    pub(super) async fn set(arguments: &Arguments) -> Result<Self, Error> {
        let folder = Scratch::new("torture")?;
        let log = File::create(folder.join("server.log"))?;
        let postgres = start(&folder, None).await?;
        let database_url = postgres.url("postgres");
        let mut flags = vec![
            "--database-proxy".to_owned(),
            format!("--database-url={database_url}"),
            format!("--visibility-seconds={}", arguments.visibility_seconds),
        ];
        flags.extend(arguments.bin_dir.iter().map(|folder| format!("--bin-dir={folder}")));
        let program = std::env::current_exe()?;
        let server = tokio::task::spawn_blocking(move || {
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            child::Server::start_with(program, &flags, &[], log.into())
        })
        .await??;
        let client = Client::new(&server.addresses.edge, None)?;
        let aws = Client::new(&server.addresses.aws, None)?;
        let storm = watch::Sender::new(0);
        let mut apps = Vec::new();
        for number in 0..arguments.apps {
            let app = client.make_app(&format!("torture {number}")).await?;
            map_users(&client, &app).await?;
            let clients = [("app", None), ("backend", None), ("ada", Some("ada")), ("ben", Some("ben"))];
            let clients = clients.into_iter().chain([("cleo", Some("cleo"))]);
            let witnesses = clients
                .map(|(name, user)| {
                    (name, Witness::start(client.clone(), &app, user, PING, storm.subscribe()))
                })
                .collect();
            apps.push(Watched { app, witnesses });
        }
        let stage = Self { client, apps, storm, aws, folder, postgres: Some(postgres), database_url, server };
        stage.put(Some(arguments.seed), if arguments.outage.is_some() { &[] } else { &STEADY }).await?;
        Ok(stage)
    }

    /// Puts faults in force, written as flags.
    pub(super) async fn put(&self, seed: Option<u64>, flags: &[&str]) -> Result<(), client::Error> {
        let faults: serde_json::Map<String, Value> = flags
            .iter()
            .filter_map(|flag| flag.split_once('='))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        let mut body = json!({ "faults": faults });
        if let Some(seed) = seed {
            body["seed"] = Value::from(seed);
        }
        self.ask(Method::PUT, "/_local/faults", &body).await.map(drop)
    }

    /// Has something happen at once.
    pub(super) async fn act(&self, act: Value) -> Result<(), client::Error> {
        self.ask(Method::POST, "/_local/faults/acts", &act).await.map(drop)
    }

    /// Kills all processes of a function; the answer is how many there were.
    pub(super) async fn kill(&self, function: &str) -> Result<u64, client::Error> {
        let act = json!({ "act": "kill", "function": function });
        let answer = self.ask(Method::POST, "/_local/faults/acts", &act).await?;
        Ok(answer["killed"].as_u64().unwrap_or(0))
    }

    /// How often each fault has struck.
    pub(super) async fn struck(&self) -> Result<Vec<(String, u64)>, client::Error> {
        let answer = self.ask(Method::GET, "/_local/faults", &Value::Null).await?;
        let struck = answer["injected"].as_object().into_iter().flatten();
        Ok(struck.map(|(name, count)| (name.clone(), count.as_u64().unwrap_or(0))).collect())
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, client::Error> {
        let answer = self.aws.send(method, path, &[], body.to_string()).await?;
        if answer.status.is_success() {
            Ok(answer.body)
        } else {
            let detail = answer.detail();
            Err(client::Error::Refused { attempt: "inject a fault", status: answer.status, detail })
        }
    }

    /// Ends Postgres at once, and starts it again after so long.
    pub(super) async fn crash(&mut self, away: Duration) -> Result<(), Error> {
        let Some(postgres) = self.postgres.take() else { return Ok(()) };
        let port = postgres.port();
        tokio::task::spawn_blocking(move || postgres.crash()).await??;
        tokio::time::sleep(away).await;
        self.postgres = Some(start(&self.folder, Some(port)).await?);
        Ok(())
    }

    /// Ends all faults.
    pub(super) async fn calm(&self) -> Result<(), client::Error> {
        self.put(None, &[]).await?;
        self.act(json!({ "act": "database", "access": "open" })).await
    }

    /// Waits until no queue holds anything, every event is applied and every entry of the log handed over; false when
    /// clients were told of nothing more for so long, and that did not come about.
    pub(super) async fn quiet(&self, patience: Duration) -> Result<bool, Error> {
        let database = self.database().await?;
        let (mut end, mut told, mut looks) = (Instant::now() + patience, 0, 0);
        while Instant::now() < end {
            let row = database
                .query_one(
                    "SELECT (SELECT count(*) FROM webhook_events WHERE processed_at IS NULL AND dead_at IS NULL)
                          + (SELECT count(*) FROM client_events WHERE handed_over_at IS NULL) AS waiting,
                            (SELECT coalesce(sum(last_seq), 0)::bigint FROM app_streams) AS told",
                    &[],
                )
                .await?;
            if row.get::<_, i64>("told") > told {
                (told, end) = (row.get("told"), Instant::now() + patience);
            }
            let is_quiet = row.get::<_, i64>("waiting") == 0
                && self.held("EventQueue").await? == 0
                && self.held("SpillQueue").await? == 0
                && self.held("PushQueue").await? == 0;
            // Between a queue and the rows a message is in neither for a moment.
            looks = if is_quiet { looks + 1 } else { 0 };
            if looks == 3 {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }

    /// How many messages a queue holds, in flight or not.
    pub(super) async fn held(&self, queue: &str) -> Result<u64, client::Error> {
        let headers = [
            ("x-amz-target", "AmazonSQS.GetQueueAttributes"),
            ("content-type", "application/x-amz-json-1.0"),
        ];
        let body = json!({ "QueueUrl": queue, "AttributeNames": ["All"] }).to_string();
        let answer = self.aws.send(Method::POST, "/", &headers, body).await?;
        let attributes = &answer.body["Attributes"];
        let number = |name: &str| attributes[name].as_str().and_then(|text| text.parse::<u64>().ok());
        let numbers = [
            number("ApproximateNumberOfMessages"),
            number("ApproximateNumberOfMessagesNotVisible"),
            number("ApproximateNumberOfMessagesDelayed"),
        ];
        numbers.into_iter().sum::<Option<u64>>().ok_or_else(|| client::Error::Refused {
            attempt: "look into a queue",
            status: answer.status,
            detail: answer.body.to_string(),
        })
    }

    /// A session of our own, past the proxy.
    pub(super) async fn database(&self) -> Result<tokio_postgres::Client, Error> {
        let (client, connection) = tokio_postgres::connect(&self.database_url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Stops everything, and removes the data and the log unless somebody will want to look at them.
    pub(super) async fn end(self, is_well: bool) -> Result<(), Error> {
        drop(self.apps);
        let (server, postgres, folder) = (self.server, self.postgres, self.folder);
        tokio::task::spawn_blocking(move || {
            drop(server);
            drop(postgres);
            if !is_well {
                let folder = folder.keep();
                console::progress(&format!("the server's log and the data are in {}", folder.display()));
            }
        })
        .await?;
        Ok(())
    }
}

async fn start(folder: &Path, port: Option<u16>) -> Result<postgres::Server, Error> {
    let options = Options {
        data_dir: Some(folder.join("postgres")),
        durable: true,
        install_dir: Some(root().join(".local")),
        port,
        ..Options::default()
    };
    Ok(tokio::task::spawn_blocking(move || postgres::Server::start(options)).await??)
}

async fn map_users(client: &Client, app: &App) -> Result<(), client::Error> {
    let path = format!("/internal/apps/{}/users/map", app.app_id);
    for (crm_user_id, dialpad_user_id) in USERS {
        let body = json!({ "dialpad_user_id": dialpad_user_id, "crm_user_id": crm_user_id }).to_string();
        let answer = client.send(Method::POST, &path, &[("content-type", "application/json")], body).await?;
        if !answer.status.is_success() {
            let detail = answer.detail();
            return Err(client::Error::Refused { attempt: "map a user", status: answer.status, detail });
        }
    }
    Ok(())
}
