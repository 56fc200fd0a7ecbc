//! Reads `template.yaml`: the functions, and what calls them.
//!
//! The reader follows `CloudFormation` and SAM: tags and long-form intrinsics, parameters, conditions and
//! `Globals.Function`. It resolves only what it hands out, so that a policy or an alarm it does not know never
//! stops the local stack. Names, addresses and ARNs resolve to local ones.

mod events;
mod intrinsics;
mod parameters;
mod reader;
mod resources;
mod yaml;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::urls::PublicUrls;

/// The account every local ARN and queue address names.
pub const ACCOUNT: &str = "000000000000";

/// Everything of `template.yaml` that runs locally.
#[derive(Debug, Clone)]
pub struct Template {
    /// The functions, by logical id.
    pub functions: BTreeMap<String, Function>,
    /// The routes of the HTTP API.
    pub http_routes: Vec<HttpRoute>,
    /// The WebSocket API.
    pub websocket: WebSocketApi,
    /// The queues, by logical id.
    pub queues: BTreeMap<String, Queue>,
    /// Which function takes which queue's messages.
    pub queue_mappings: Vec<QueueMapping>,
    /// The DynamoDB tables.
    pub tables: Vec<Table>,
    /// What runs at a fixed rate.
    pub schedules: Vec<Schedule>,
}

/// A function of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name of its binary, which is also its package.
    pub binary: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// The memory it is given in the cloud; here only told to the process.
    pub memory_megabytes: u64,
    /// Its environment, resolved.
    pub environment: BTreeMap<String, String>,
}

/// A route of the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRoute {
    /// The method, or `None` for any.
    pub method: Option<String>,
    /// The path as API Gateway writes it (`/webhooks/{proxy+}`), or `$default`.
    pub path: String,
    /// The binary that answers.
    pub function: String,
    /// How long the API waits for it, where the template says so.
    pub timeout: Option<Duration>,
}

/// The WebSocket API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebSocketApi {
    /// The logical id, which stands for the API's id.
    pub id: String,
    /// The stage, which is the path clients connect to.
    pub stage: String,
    /// What chooses a message's route, for example `$request.body.action`.
    pub selection_expression: String,
    /// The routes by key: `$connect`, `$disconnect`, `$default` or an action.
    pub routes: BTreeMap<String, WebSocketRoute>,
}

/// A route of the WebSocket API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketRoute {
    /// The binary that answers.
    pub function: String,
    /// Whether the function's answer goes back to the client.
    pub has_route_response: bool,
    /// How long the API waits for it, where the template says so.
    pub timeout: Option<Duration>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name, the last part of its address.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Its ARN.
    pub arn: String,
    /// How long a received message stays hidden.
    pub visibility: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// How long a new message stays hidden unless it says otherwise.
    pub delay: Duration,
    /// The largest message body.
    pub maximum_bytes: usize,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
}

/// A queue's dead-letter rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The logical id of the dead-letter queue.
    pub queue: String,
    /// After how many receives a message moves there.
    pub max_receive_count: u32,
}

/// An event source mapping from a queue to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMapping {
    /// The logical id of the queue.
    pub queue: String,
    /// The binary that takes the messages.
    pub function: String,
    /// The most messages of one invocation.
    pub batch_size: usize,
    /// How long to wait for a batch to fill.
    pub batch_window: Duration,
    /// Whether the function names the messages that failed.
    pub report_batch_item_failures: bool,
    /// The most invocations at once, when the template limits them.
    pub maximum_concurrency: Option<usize>,
}

/// A DynamoDB table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The `CreateTable` request that makes it.
    pub definition: Value,
    /// The attribute that says when an item expires.
    pub ttl_attribute: Option<String>,
}

/// A function that runs at a fixed rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The logical id of the event, for its ARN.
    pub name: String,
    /// The binary that runs.
    pub function: String,
    /// The time between two starts.
    pub rate: Duration,
    /// The event it is given, when the template fixes one.
    pub input: Option<Value>,
}

/// What the machine decides about a template: addresses, parameters and overridden variables.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where the stack answers.
    pub urls: PublicUrls,
    /// The region that ARNs and functions name.
    pub region: String,
    /// Values for the template's parameters in place of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Values for variables that a function declares, in place of the template's.
    pub overrides: BTreeMap<String, String>,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The text is not YAML.
    #[error("parsing the template")]
    Yaml(#[from] serde_yaml_ng::Error),
    /// A parameter was given a value that it cannot have.
    #[error("parameter {name}: {problem}")]
    Parameter {
        /// The parameter.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A part that must be there is not, or has another shape.
    #[error("{at}: {problem}")]
    Shape {
        /// Where in the template.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// A value depends on something that has no local meaning.
    #[error("{expression} has no value here: {problem}")]
    Unresolved {
        /// The intrinsic and its argument.
        expression: String,
        /// Why.
        problem: String,
    },
}

impl Template {
    /// Reads the template at `path`.
    pub fn read(path: &Path, surroundings: &Surroundings) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(&text, surroundings)
    }

    /// Parses the text of a template.
    pub fn parse(text: &str, surroundings: &Surroundings) -> Result<Self, Error> {
        let template = yaml::load(text)?;
        parameters::check(&template, surroundings)?;
        resources::read(&template, surroundings)
    }

    /// The function with that binary.
    #[must_use]
    pub fn function(&self, binary: &str) -> Option<&Function> {
        self.functions.values().find(|function| function.binary == binary)
    }

    /// Gives a variable another value in every function that declares it.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        for function in self.functions.values_mut() {
            if let Some(variable) = function.environment.get_mut(name) {
                value.clone_into(variable);
            }
        }
    }

    /// The binaries of all functions, each once, in alphabetical order.
    #[must_use]
    pub fn binaries(&self) -> Vec<String> {
        let mut binaries: Vec<_> = self.functions.values().map(|function| function.binary.clone()).collect();
        binaries.sort();
        binaries.dedup();
        binaries
    }

    /// The binaries that something calls: they are worth starting before the first call.
    #[must_use]
    pub fn triggered_binaries(&self) -> Vec<String> {
        let mut binaries: Vec<_> = self
            .http_routes
            .iter()
            .map(|route| &route.function)
            .chain(self.websocket.routes.values().map(|route| &route.function))
            .chain(self.queue_mappings.iter().map(|mapping| &mapping.function))
            .chain(self.schedules.iter().map(|schedule| &schedule.function))
            .cloned()
            .collect();
        binaries.sort();
        binaries.dedup();
        binaries
    }
}
