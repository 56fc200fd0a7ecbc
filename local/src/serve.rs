//! The composition: everything `template.yaml` describes, started in order and stopped in the opposite one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::aws::dynamodb::{self, DynamoDb};
use crate::aws::mapping::{self, Mapping};
use crate::aws::sqs::Sqs;
use crate::cli::DatabaseArguments;
use crate::database::{self, Database};
use crate::edge::{self, Edge};
use crate::environment::{self, Choices};
use crate::lambda::{Function, InvokeError, Lambda, Program};
use crate::settings::{Settings, root};
use crate::template::{self, Surroundings, Template};
use crate::urls::PublicUrls;
use crate::{aws, binaries, console, ports, schedule};

/// How often a scheduled function is called behind another Invoke API, where a sweep is one pass.
const REMOTE_RATE: Duration = Duration::from_secs(5);

/// How long the requests that are under way may take when the stack stops.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How the stack is started.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The port of the HTTP and WebSocket API
    #[arg(long, default_value_t = 4000)]
    pub port: u16,
    /// The port of the AWS services that the functions call
    #[arg(long, default_value_t = 4566)]
    pub aws_port: u16,
    /// Which database to use.
    #[command(flatten)]
    pub database: DatabaseArguments,
    /// Throw the data away at the end, choose free ports, and announce both in one line of JSON
    #[arg(long)]
    pub ephemeral: bool,
    /// Show everything that the functions log
    #[arg(long, short)]
    pub verbose: bool,
    /// Call the functions through this Lambda Invoke API (cargo lambda watch, sam local start-lambda)
    #[arg(long, value_name = "URL", conflicts_with = "bin_dir")]
    pub lambda: Option<String>,
    /// Take the functions' binaries from this folder instead of building them
    #[arg(long, value_name = "FOLDER")]
    pub bin_dir: Option<PathBuf>,
    /// The most processes of one function
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub max_processes: u16,
    /// Take webhook deliveries without a signature where the app allows it
    #[arg(long)]
    pub allow_unsigned: bool,
    /// Give a parameter of template.yaml another value than its default
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub parameters: Vec<(String, String)>,
    /// The template
    #[arg(long, value_name = "FILE", hide = true)]
    pub template: Option<PathBuf>,
    /// The visibility timeout of every queue
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub visibility_seconds: Option<u64>,
}

/// Why the stack does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port cannot be opened.
    #[error(transparent)]
    Port(#[from] ports::Error),
    /// The template cannot be used.
    #[error("reading template.yaml")]
    Template(#[from] template::Error),
    /// The functions could not be built or found.
    #[error(transparent)]
    Binaries(#[from] binaries::Error),
    /// There is no database.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The embedded `DynamoDB` did not start.
    #[error(transparent)]
    DynamoDb(#[from] dynamodb::Error),
    /// A function does not start, or the other Invoke API cannot be used.
    #[error("{name} does not start")]
    Function {
        /// The function's name.
        name: String,
        /// Why.
        source: InvokeError,
    },
    /// The system refused something.
    #[error("starting")]
    System(#[from] std::io::Error),
}

/// Serves until Ctrl-C or SIGTERM.
pub async fn run(arguments: Arguments, settings: &Settings) -> Result<(), Error> {
    let mut signals = Signals::listen()?;
    // Whoever gives up while it still starts has everything ended by its owners' `Drop`.
    let running = tokio::select! {
        running = Stack::start(&arguments, settings) => running?,
        () = signals.next() => return Ok(()),
    };
    running.announce(&arguments);
    signals.next().await;
    console::progress("stopping");
    tokio::select! {
        () = running.stop() => {}
        () = signals.next() => console::progress("stopped at once"),
    }
    Ok(())
}

/// The running stack.
struct Stack {
    urls: PublicUrls,
    poll_seconds: String,
    database: Database,
    lambda: Lambda,
    edge: Edge,
    schedules: JoinSet<()>,
    edge_servers: Servers,
    aws_server: Servers,
    stop_mappings: watch::Sender<bool>,
}

impl Stack {
    async fn start(arguments: &Arguments, settings: &Settings) -> Result<Self, Error> {
        let listeners = Listeners::open(arguments).await?;
        let urls = listeners.urls(arguments)?;
        let choices =
            Choices { allow_unsigned: arguments.allow_unsigned, is_remote: arguments.lambda.is_some() };
        let surroundings = Surroundings {
            urls: urls.clone(),
            region: environment::region(settings),
            parameters: arguments.parameters.iter().cloned().collect(),
            // The database is not there yet; its URL follows.
            overrides: environment::overrides(settings, &urls, "", choices),
        };
        let file = arguments.template.clone().unwrap_or_else(|| root().join("template.yaml"));
        let mut template = Template::read(&file, &surroundings)?;
        if let Some(seconds) = arguments.visibility_seconds {
            template.queues.values_mut().for_each(|queue| queue.visibility = Duration::from_secs(seconds));
        }
        if environment::is_internal_open(settings) {
            console::progress(
                "warning: INTERNAL_API_SECRET is not set, so /internal is open to this machine",
            );
        }

        let wanted = arguments.database.wanted(arguments.ephemeral);
        let (folder, database) = tokio::try_join!(
            async { find_binaries(arguments, &template).await.map_err(Error::from) },
            async { Database::start(&wanted, settings, console::progress).await.map_err(Error::from) },
        )?;
        template.set_variable("DATABASE_URL", database.url());

        let lambda = start_lambda(arguments, settings, &template, &urls, folder.as_deref())?;
        let dynamodb = DynamoDb::start(&template.tables)?;
        let sqs = Sqs::new(&template);
        let functions = Arc::new(lambda.clone());
        let edge = Edge::new(&template.http_routes, template.websocket.clone(), functions, &urls);
        let stop_mappings = watch::Sender::new(false);
        start_mappings(arguments, &template, &surroundings.region, &sqs, &lambda, &stop_mappings);
        let aws = aws::router(dynamodb, sqs, lambda.clone(), edge.connections_router());
        let aws_server = Servers::start(listeners.aws, &aws);
        lambda.warm_up().await.map_err(|(name, source)| Error::Function { name, source })?;
        let edge_servers = Servers::start(listeners.edge, &edge.router());
        Ok(Self {
            poll_seconds: poll_seconds(&template, choices),
            schedules: start_schedules(&template, &lambda, &surroundings.region, choices),
            urls,
            database,
            lambda,
            edge,
            edge_servers,
            aws_server,
            stop_mappings,
        })
    }

    fn announce(&self, arguments: &Arguments) {
        if arguments.ephemeral {
            console::ready_for_script(&self.urls, self.database.url());
        } else {
            let port = (arguments.port != 4000).then_some(arguments.port);
            console::ready(&self.urls, self.database.url(), &self.poll_seconds, port);
        }
    }

    /// Stops everything in the order in which one part calls the next.
    async fn stop(mut self) {
        self.schedules.shutdown().await;
        tokio::join!(self.edge_servers.stop(), self.edge.shut_down());
        self.stop_mappings.send_replace(true);
        self.lambda.shut_down().await;
        self.aws_server.stop().await;
        self.database.stop().await;
    }
}

/// The open ports.
struct Listeners {
    edge: Vec<TcpListener>,
    aws: Vec<TcpListener>,
}

impl Listeners {
    async fn open(arguments: &Arguments) -> Result<Self, ports::Error> {
        let (port, aws_port) =
            if arguments.ephemeral { (0, 0) } else { (arguments.port, arguments.aws_port) };
        let mut edge = vec![ports::open(port, "--port").await?];
        if port != 0 {
            edge.extend(ports::open_v6(port, "--port").await?);
        }
        Ok(Self { edge, aws: vec![ports::open(aws_port, "--aws-port").await?] })
    }

    fn urls(&self, arguments: &Arguments) -> std::io::Result<PublicUrls> {
        let host = if arguments.ephemeral { "127.0.0.1" } else { "localhost" };
        let port = |listeners: &[TcpListener]| Ok::<_, std::io::Error>(listeners[0].local_addr()?.port());
        let (edge, aws) = (port(&self.edge)?, port(&self.aws)?);
        Ok(PublicUrls {
            http: format!("http://{host}:{edge}"),
            ws: format!("ws://{host}:{edge}/ws"),
            aws: format!("http://127.0.0.1:{aws}"),
        })
    }
}

/// The servers of one router.
struct Servers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Servers {
    fn start(listeners: Vec<TcpListener>, router: &Router) -> Self {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            let (router, mut stopped) = (router.clone(), stop.subscribe());
            let stopped = async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            tasks.spawn(async move {
                if let Err(error) = edge::serve(listener, router, stopped).await {
                    tracing::error!(%error, "a port is not served any more");
                }
            });
        }
        Self { stop, tasks }
    }

    /// Takes no more connections, and gives the requests under way a moment.
    async fn stop(&mut self) {
        self.stop.send_replace(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_GRACE, finished).await;
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn find_binaries(
    arguments: &Arguments,
    template: &Template,
) -> Result<Option<PathBuf>, binaries::Error> {
    let names = template.binaries();
    match (&arguments.lambda, &arguments.bin_dir) {
        (Some(_), _) => Ok(None),
        (None, Some(folder)) => binaries::find(folder, &names).map(Some),
        (None, None) => {
            console::progress("building the functions");
            binaries::build(&root(), &names).await.map(Some)
        }
    }
}

fn start_lambda(
    arguments: &Arguments,
    settings: &Settings,
    template: &Template,
    urls: &PublicUrls,
    folder: Option<&Path>,
) -> Result<Lambda, Error> {
    let base = environment::base(settings, urls, arguments.verbose);
    let aliases =
        template.functions.iter().map(|(id, function)| (id.clone(), function.binary.clone())).collect();
    let Some(folder) = folder else {
        let url = arguments.lambda.as_deref().unwrap_or_default();
        let file = root().join(&arguments.database.data).join("functions.env");
        write_environment(&file, &base, template)?;
        console::progress(&format!("the functions at {url} need the environment in {}", file.display()));
        return Lambda::remote(url, aliases)
            .map_err(|source| Error::Function { name: url.to_owned(), source });
    };
    let warm = template.triggered_binaries();
    let functions = template.functions.values().map(|function| {
        let mut environment = base.clone();
        environment.extend(function.environment.clone());
        Function {
            name: function.binary.clone(),
            program: Program { path: binaries::path(folder, &function.binary), arguments: Vec::new() },
            environment,
            timeout: function.timeout,
            memory_megabytes: function.memory_megabytes,
            max_processes: arguments.max_processes.into(),
            is_warm: warm.contains(&function.binary),
        }
    });
    Ok(Lambda::processes(functions.collect(), aliases, arguments.verbose)?)
}

/// Writes what the functions need for `cargo lambda watch --env-file`; the names mean the same in all of them.
fn write_environment(
    file: &Path,
    base: &BTreeMap<String, String>,
    template: &Template,
) -> std::io::Result<()> {
    let mut variables: BTreeMap<_, _> = base.iter().filter(|(name, _)| name.starts_with("AWS_")).collect();
    variables.extend(template.functions.values().flat_map(|function| &function.environment));
    let lines: Vec<_> = variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, lines.join("\n") + "\n")
}

/// A mapping has as many invocations under way as there can be processes: more would only wait, with their messages'
/// visibility running out. A scheduled function keeps one process for its runs.
fn start_mappings(
    arguments: &Arguments,
    template: &Template,
    region: &str,
    sqs: &Sqs,
    lambda: &Lambda,
    stop: &watch::Sender<bool>,
) {
    for definition in &template.queue_mappings {
        let is_scheduled = template.schedules.iter().any(|schedule| schedule.function == definition.function);
        let places = usize::from(arguments.max_processes).saturating_sub(usize::from(is_scheduled)).max(1);
        let mapping = Mapping {
            definition: definition.clone(),
            concurrency: definition.maximum_concurrency.map_or(places, |limit| limit.min(places)),
            region: region.to_owned(),
        };
        tokio::spawn(mapping::run(mapping, sqs.clone(), lambda.clone(), stop.subscribe()));
    }
}

fn start_schedules(template: &Template, lambda: &Lambda, region: &str, choices: Choices) -> JoinSet<()> {
    let mut schedules = JoinSet::new();
    for definition in &template.schedules {
        let rate = if choices.is_remote { REMOTE_RATE } else { definition.rate };
        schedules.spawn(schedule::run(definition.clone(), rate, lambda.clone(), region.to_owned()));
    }
    schedules
}

/// How often the scheduled functions look for work.
fn poll_seconds(template: &Template, choices: Choices) -> String {
    let polls = template.schedules.iter().find_map(|schedule| {
        template.function(&schedule.function)?.environment.get("PROCESSOR_POLL_INTERVAL_SECONDS").cloned()
    });
    polls.filter(|_| !choices.is_remote).unwrap_or_else(|| REMOTE_RATE.as_secs().to_string())
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
