//! The composition: everything `template.yaml` describes, started in order and stopped in the opposite one.

mod faults;
mod functions;
mod network;
mod triggers;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use tokio::{sync::watch, task::JoinSet};

use self::{
    faults::FaultArguments,
    network::{Listeners, Servers},
};
use crate::{
    admin,
    aws::{
        self,
        dynamodb::{self, DynamoDb},
        sqs::Sqs,
    },
    binaries, console,
    database::{self, Database},
    dialpad::Fake,
    edge::Edge,
    environment::{self, Choices},
    faults::{Proxy, ProxyError},
    journal::{self, Journal},
    lambda::{InvokeError, Lambda},
    ports,
    settings::{Settings, root},
    signals::Signals,
    template::{self, Surroundings, Template},
    timing,
    urls::PublicUrls,
};

/// How the stack is started.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The port of the HTTP and WebSocket API
    #[arg(long, default_value_t = 4000)]
    pub port: u16,
    /// The port of the AWS services that the functions call
    #[arg(long, default_value_t = 4566)]
    pub aws_port: u16,
    /// The port of the fake Dialpad, which serves unless `DIALPAD_CLIENT_ID` or `DIALPAD_API_URL` is set
    #[arg(long, default_value_t = 4567)]
    pub dialpad_port: u16,
    /// Which database to use.
    #[command(flatten)]
    pub database: database::Arguments,
    /// Throw the data away at the end, choose free ports, and announce both in one line of JSON
    #[arg(long)]
    pub ephemeral: bool,
    /// What is shown.
    #[command(flatten)]
    pub shown: journal::Arguments,
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
    /// Which faults strike.
    #[command(flatten)]
    pub faults: FaultArguments,
    /// Give a parameter of template.yaml another value than its default
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub parameters: Vec<(String, String)>,
    /// The template
    #[arg(long, value_name = "FILE", hide = true)]
    pub template: Option<PathBuf>,
    /// Notes in this file when what happened, for the bench
    #[arg(long, value_name = "FILE", hide = true)]
    pub timings: Option<PathBuf>,
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
    /// The database cannot have a proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A fault that cannot strike here was asked for.
    #[error("--fault {0}: {1}")]
    Fault(&'static str, &'static str),
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
pub async fn run(arguments: Arguments, settings: &Settings, journal: &Journal) -> Result<(), Error> {
    if let Some(file) = &arguments.timings {
        timing::keep(file)?;
    }
    let mut signals = Signals::listen()?;
    // Whoever gives up while it still starts has everything ended by its owners' `Drop`.
    let running = tokio::select! {
        running = Stack::start(&arguments, settings, journal) => running?,
        () = signals.next() => return Ok(()),
    };
    running.announce(&arguments, journal);
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
    dialpad_server: Servers,
    dialpad_url: Option<String>,
    stop_mappings: watch::Sender<bool>,
}

impl Stack {
    async fn start(arguments: &Arguments, settings: &Settings, journal: &Journal) -> Result<Self, Error> {
        let listeners = Listeners::open(arguments, !environment::has_dialpad(settings)).await?;
        let mut urls = listeners.urls(arguments)?;
        let dialpad_url = listeners.dialpad_url()?;
        let choices = Choices {
            allow_unsigned: arguments.allow_unsigned,
            is_remote: arguments.lambda.is_some(),
            is_ephemeral: arguments.ephemeral,
        };
        let surroundings = Surroundings {
            urls: urls.clone(),
            region: environment::region(settings),
            parameters: arguments.parameters.iter().cloned().collect(),
            // The database is not there yet; its URL follows.
            overrides: environment::overrides(settings, &urls, "", dialpad_url.as_deref(), choices),
        };
        let file = arguments.template.clone().unwrap_or_else(|| root().join("template.yaml"));
        let mut template = Template::read(&file, &surroundings)?;
        urls.ws.push_str(&template.websocket.stage);
        template.set_variable("PUBLIC_WS_URL", &urls.ws);
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
            async { functions::find(arguments, &template).await.map_err(Error::from) },
            async { Database::start(&wanted, settings, console::progress).await.map_err(Error::from) },
        )?;
        let faults = arguments.faults.faults();
        let proxy = arguments.faults.proxy(&database, &faults).await?;
        template.set_variable("DATABASE_URL", proxy.as_ref().map_or(database.url(), Proxy::url));

        let lambda =
            functions::start(arguments, settings, &template, &urls, folder.as_deref(), journal, &faults)?;
        let actors = arguments.faults.actors(&faults, &lambda, proxy)?;
        let dynamodb = DynamoDb::start(&template.tables)?;
        let sqs = Sqs::with_faults(&template, &faults);
        let functions = Arc::new(lambda.clone());
        let edge = Edge::new(&template.http_routes, template.websocket.clone(), functions, &urls, faults);
        let stop_mappings = watch::Sender::new(false);
        triggers::start_mappings(arguments, &template, &surroundings.region, &sqs, &lambda, &stop_mappings);
        let aws = aws::router(dynamodb, sqs, lambda.clone(), edge.connections_router())
            .merge(admin::router(actors));
        let aws_server = Servers::start(listeners.aws, &aws);
        let dialpad_server =
            Servers::start(listeners.dialpad.into_iter().collect(), &Fake::default().router());
        lambda.warm_up().await.map_err(|(name, source)| Error::Function { name, source })?;
        let edge_servers = Servers::start(listeners.edge, &edge.router());
        Ok(Self {
            poll_seconds: triggers::poll_seconds(&template, choices),
            schedules: triggers::start_schedules(&template, &lambda, &surroundings.region, choices),
            urls,
            database,
            lambda,
            edge,
            edge_servers,
            aws_server,
            dialpad_server,
            dialpad_url,
            stop_mappings,
        })
    }

    fn announce(&self, arguments: &Arguments, journal: &Journal) {
        if arguments.ephemeral || !journal.is_for_a_person() {
            console::ready_for_script(&self.urls, self.database.url(), self.dialpad_url.as_deref());
        } else {
            let exported = Some(self.database.url()).filter(|_| self.database.is_private());
            console::ready(&self.urls, exported, &self.poll_seconds, self.dialpad_url.as_deref());
        }
    }

    /// Stops everything in the order in which one part calls the next.
    async fn stop(mut self) {
        self.schedules.shutdown().await;
        tokio::join!(self.edge_servers.stop(), self.edge.shut_down());
        self.stop_mappings.send_replace(true);
        self.lambda.shut_down().await;
        tokio::join!(self.aws_server.stop(), self.dialpad_server.stop());
        self.database.stop().await;
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
