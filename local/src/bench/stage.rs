//! What all rows work with: a running server, its database, an app, and the helpers.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use axum::http::{Method, StatusCode};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use shared::config::Secret;
use tokio_postgres::NoTls;
use uuid::Uuid;

use super::{Arguments, Error, history::History, load::Load, pgbench::Pgbench};
use crate::{
    binaries, child,
    client::{App, Client, Socket},
    environment,
    scratch::Scratch,
    settings::{Settings, root},
    template::{Surroundings, Template},
    timing,
};

/// How long anything may take before the bench gives up.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// The function that does nothing, and its route, for the bench's own copy of the template.
const HELLO: &str = "Resources:
  HelloFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: hello } }
    Properties:
      Events:
        Hello:
          Type: HttpApi
          Properties: { ApiId: !Ref HttpApi, Method: GET, Path: /hello, PayloadFormatVersion: \"2.0\" }
";

/// See the module.
pub(super) struct Stage {
    pub(super) server: child::Server,
    pub(super) client: Client,
    /// The AWS services.
    pub(super) aws: Client,
    pub(super) database: tokio_postgres::Client,
    pub(super) pgbench: Pgbench,
    /// The template with the function that does nothing in it.
    pub(super) template: Template,
    pub(super) settings: Settings,
    /// The folder of the binaries.
    pub(super) binaries: PathBuf,
    /// Goes after the server, which works in it.
    pub(super) folder: Scratch,
    /// Where `sam local start-api` has the function that does nothing, as /hello.
    pub(super) sam_local: Option<String>,
    /// Where the server notes when what happened.
    pub(super) timings: PathBuf,
    /// How many events wait in the row `backlog`.
    pub(super) backlog: usize,
    is_quick: bool,
    next_call: i64,
    history: Option<History>,
    load: Vec<Load>,
}

/// One delivery and its frame, in microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) framed: u64,
}

impl Seen {
    pub(super) fn answer(self) -> Duration {
        Duration::from_micros(self.answered.saturating_sub(self.sent))
    }

    pub(super) fn frame(self) -> Duration {
        Duration::from_micros(self.framed.saturating_sub(self.sent))
    }
}

impl Stage {
    pub(super) async fn start(arguments: &Arguments, settings: &Settings) -> Result<Self, Error> {
        let folder = Scratch::new("bench")?;
        let (file, timings) = (folder.join("template.yaml"), folder.join("timings"));
        let text = std::fs::read_to_string(root().join("template.yaml"))?;
        std::fs::write(&file, text.replacen("Resources:\n", HELLO, 1))?;
        let mut names = read_template(&file, settings, None)?.binaries();
        names.push("load".to_owned());
        let binaries = match &arguments.bin_dir {
            Some(folder) => binaries::find(folder, &names)?,
            None => binaries::build(&root(), &names).await?,
        };
        let paths = [&file, &binaries, &timings].map(|path| path.display().to_string());
        let own = ["--template", &paths[0], "--bin-dir", &paths[1], "--timings", &paths[2]];
        let server =
            start_server(own.map(str::to_owned).into_iter().chain(unlimited(&text)).collect()).await?;
        let addresses = &server.addresses;
        let template = read_template(&file, settings, Some(addresses))?;
        let secret = settings.get("INTERNAL_API_SECRET").map(Secret::new);
        let client = Client::new(&addresses.edge, secret)?;
        let aws = Client::new(&addresses.aws, None)?;
        let database = connect(&addresses.database_url).await?;
        let pgbench = Pgbench::find(&database, &addresses.database_url, &folder).await?;
        Ok(Self {
            client,
            aws,
            database,
            pgbench,
            template,
            settings: settings.clone(),
            binaries,
            folder,
            sam_local: arguments.sam_local.clone(),
            timings,
            backlog: arguments.backlog,
            is_quick: arguments.quick,
            next_call: 1,
            history: None,
            load: Vec::new(),
            server,
        })
    }

    /// Stops the server and removes everything.
    pub(super) async fn stop(self) -> Result<(), Error> {
        let Self { server, folder, load, .. } = self;
        drop(load);
        let stopped = tokio::task::spawn_blocking(move || drop((server, folder))).await;
        Ok(stopped.map_err(std::io::Error::other)?)
    }

    /// The size of something, or the small one that only shows that it runs.
    pub(super) fn size(&self, full: usize, quick: usize) -> usize {
        if self.is_quick { quick } else { full }
    }

    /// An app with a socket of its own.
    pub(super) async fn app(&self, name: &str) -> Result<(App, Socket), Error> {
        let app = self.client.make_app(name).await?;
        let socket = self.client.connect(&format!("api_key={}", app.api_key)).await?;
        Ok((app, socket))
    }

    /// A call that rings, which no other delivery was about.
    pub(super) fn ringing(&mut self) -> Value {
        self.next_call += 1;
        ringing(self.next_call)
    }

    /// A delivery, waiting for its answer and for its frame.
    pub(super) async fn deliver(&mut self, app: &App, socket: &mut Socket) -> Result<Seen, Error> {
        let payload = self.ringing();
        let sent = timing::now();
        let answer = async {
            let answer = self.client.deliver(app, &payload).await?;
            if answer.status != StatusCode::OK {
                return Err(Error::failed(format!("a delivery was answered {}", answer.status)));
            }
            Ok(timing::now())
        };
        let frame = async {
            socket.next(PATIENCE).await?;
            Ok(timing::now())
        };
        let (answered, framed) = futures_util::future::try_join(answer, frame).await?;
        Ok(Seen { sent, answered, framed })
    }

    /// Deliveries of these payloads over so many connections at once; gives back when the last was answered.
    pub(super) async fn deliver_all(
        &self,
        app: &App,
        payloads: &[Value],
        at_once: usize,
    ) -> Result<Instant, Error> {
        stream::iter(payloads)
            .map(|payload| self.client.deliver(app, payload))
            .buffer_unordered(at_once)
            .map_err(Error::from)
            .try_for_each(async |answer| match answer.status {
                StatusCode::OK => Ok(()),
                status => Err(Error::failed(format!("a delivery was answered {status}"))),
            })
            .await?;
        Ok(Instant::now())
    }

    /// Asks for this path so many times over so many connections, with an app's key if there is one; gives back how long
    /// all of it took.
    pub(super) async fn ask(
        &self,
        path: &str,
        api_key: Option<&str>,
        count: usize,
        at_once: usize,
    ) -> Result<Duration, Error> {
        let headers: Vec<_> = api_key.map(|key| ("x-app-api-key", key)).into_iter().collect();
        let started = Instant::now();
        stream::iter(0..count)
            .map(|_| self.client.send(Method::GET, path, &headers, ""))
            .buffer_unordered(at_once)
            .map_err(Error::from)
            .try_for_each(async |answer| match answer.status {
                StatusCode::OK => Ok(()),
                status => Err(Error::failed(format!("{path} was answered {status} {}", answer.detail()))),
            })
            .await?;
        Ok(started.elapsed())
    }

    /// Asks for this path once.
    pub(super) async fn get(&self, path: &str, api_key: &str) -> Result<Value, Error> {
        let answer = self.client.send(Method::GET, path, &[("x-app-api-key", api_key)], "").await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(Error::failed(format!("{path} was answered {status} {}", answer.detail()))),
        }
    }

    /// Sends a message to the queue with this logical id.
    pub(super) async fn send_message(&self, queue: &str, message: &Value) -> Result<(), Error> {
        let url = &self.template.queues[queue].url;
        let body = json!({ "QueueUrl": url, "MessageBody": message.to_string() }).to_string();
        let headers =
            [("x-amz-target", "AmazonSQS.SendMessage"), ("content-type", "application/x-amz-json-1.0")];
        let answer = self.aws.send(Method::POST, "/", &headers, body).await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            _ => Err(Error::failed(format!("{queue} did not take a message: {}", answer.body))),
        }
    }

    /// Waits until no event of these apps is left to be applied, which may be this many.
    pub(super) async fn settled(&self, apps: &[Uuid], events: usize) -> Result<(), Error> {
        // A thousand a second are few.
        let patience = PATIENCE.max(Duration::from_millis(u64::try_from(events).unwrap_or(u64::MAX)));
        let sql = "SELECT EXISTS (SELECT FROM webhook_events
            WHERE app_id = ANY ($1) AND processed_at IS NULL AND dead_at IS NULL)";
        let statement = self.database.prepare(sql).await?;
        let started = Instant::now();
        while self.database.query_one(&statement, &[&apps]).await?.get(0) {
            if started.elapsed() > patience {
                return Err(Error::failed("events were not applied in time"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Waits until the queue with this logical id holds no message.
    pub(super) async fn drained(&self, queue: &str) -> Result<(), Error> {
        let body =
            json!({ "QueueUrl": self.template.queues[queue].url, "AttributeNames": ["All"] }).to_string();
        let headers = [("x-amz-target", "AmazonSQS.GetQueueAttributes")];
        let started = Instant::now();
        loop {
            let answer = self.aws.send(Method::POST, "/", &headers, body.clone()).await?;
            let count = |name: &str| answer.body["Attributes"][name].as_str().map(str::to_owned);
            let all = [count("ApproximateNumberOfMessages"), count("ApproximateNumberOfMessagesNotVisible")];
            if all.iter().all(|count| count.as_deref() == Some("0")) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(Error::failed(format!("{queue} still holds messages")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Apps without anything.
    pub(super) async fn new_apps(&self, count: usize) -> Result<Vec<Uuid>, Error> {
        let mut apps = Vec::with_capacity(count);
        for _ in 0..count {
            apps.push(self.client.make_app("one of some").await?.app_id.0);
        }
        Ok(apps)
    }

    /// An app among a hundred, with a long history. It is made when it is first asked for.
    pub(super) async fn history(&mut self) -> Result<History, Error> {
        if self.history.is_none() {
            let calls = self.size(1_000_000, 3_000);
            self.history = Some(History::make(&self.client, &self.database, calls).await?);
        }
        self.history.clone().ok_or_else(|| Error::failed("there is no history"))
    }

    /// The helpers that do what this process cannot.
    pub(super) fn load(&mut self) -> Result<&mut [Load], Error> {
        while self.load.len() < Load::PROCESSES {
            let urls = self.server.addresses.urls();
            self.load.push(Load::start(&self.binaries, &self.settings, &self.template, &urls)?);
        }
        Ok(&mut self.load)
    }
}

/// The template's parameters that limit how often a key may ask, switched off: the bench asks more often than any client.
fn unlimited(template: &str) -> Vec<String> {
    ["ApiRequestsPerMinute", "InternalRequestsPerMinute"]
        .into_iter()
        .filter(|parameter| template.contains(&format!("\n  {parameter}:\n")))
        .flat_map(|parameter| ["--parameter".to_owned(), format!("{parameter}=0")])
        .collect()
}

/// Starts `local serve --ephemeral` with these arguments besides.
pub(super) async fn start_server(arguments: Vec<String>) -> Result<child::Server, Error> {
    let program = std::env::current_exe()?;
    let start = move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        child::Server::start(program, &arguments)
    };
    Ok(tokio::task::spawn_blocking(start).await.map_err(std::io::Error::other)??)
}

/// A session of the bench's own.
pub(super) async fn connect(url: &str) -> Result<tokio_postgres::Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A call that rings.
fn ringing(call: i64) -> Value {
    json!({
        "call_id": call, "state": "ringing", "direction": "inbound", "date_started": 1_772_470_800_000_i64,
        "event_timestamp": 1_772_470_801_068_i64, "external_number": "+14155550150",
        "internal_number": "+14155550101", "contact": {"id": 1, "type": "local", "name": "Jo Client"},
        "target": {"id": 5_600_000_000_000_001_i64, "type": "user", "name": "Ada Sample", "phone": "+14155550101"},
        "routing_breadcrumbs": [], "labels": [], "recording_details": [], "is_transferred": false,
    })
}

/// The template as the functions of the server at these addresses know it.
fn read_template(
    file: &Path,
    settings: &Settings,
    addresses: Option<&child::Addresses>,
) -> Result<Template, Error> {
    let urls = addresses.map(child::Addresses::urls).unwrap_or_default();
    let database_url = addresses.map_or("", |found| &found.database_url);
    let choices = environment::Choices { allow_unsigned: false, is_remote: false, is_ephemeral: true };
    let surroundings = Surroundings {
        overrides: environment::overrides(settings, &urls, database_url, None, choices),
        urls,
        region: environment::region(settings),
        parameters: std::collections::BTreeMap::new(),
    };
    Ok(Template::read(file, &surroundings)?)
}
