//! What the fake Dialpad remembers.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::limits::Limits;

/// Everything.
pub(super) struct State {
    next_id: i64,
    /// Seconds that an access token is good.
    pub(super) expires_in: i64,
    /// Codes that were given and not exchanged.
    pub(super) codes: HashMap<String, Code>,
    pub(super) access: HashMap<String, Access>,
    /// Refresh tokens, with the company.
    pub(super) refresh: HashMap<String, i64>,
    pub(super) companies: BTreeMap<i64, Company>,
    pub(super) limits: Limits,
    /// What the next requests of an operation meet.
    pub(super) troubles: Vec<(Option<i64>, String, Trouble)>,
    /// Requests that were in the document, by operation.
    pub(super) requests: BTreeMap<String, u64>,
    /// Requests that were not.
    pub(super) violations: Vec<String>,
}

/// A code.
pub(super) struct Code {
    pub(super) company: i64,
    pub(super) challenge: String,
    pub(super) redirect_uri: String,
}

/// An access token.
pub(super) struct Access {
    pub(super) company: i64,
    pub(super) expires_at: Instant,
}

/// A company.
#[derive(Default)]
pub(super) struct Company {
    pub(super) office_id: i64,
    pub(super) user_id: i64,
    /// How often its tokens were exchanged for new ones.
    pub(super) refreshes: u64,
    pub(super) webhooks: BTreeMap<i64, Webhook>,
    pub(super) subscriptions: BTreeMap<i64, Subscription>,
    /// What `GET /call/{id}` knows.
    pub(super) calls: HashMap<i64, Value>,
}

/// A webhook.
#[derive(Clone)]
pub(super) struct Webhook {
    pub(super) hook_url: String,
    pub(super) secret: Option<String>,
}

/// A subscription.
pub(super) struct Subscription {
    /// `call`, `sms` or `agent_status`.
    pub(super) kind: String,
    pub(super) webhook: i64,
    pub(super) members: serde_json::Map<String, Value>,
}

/// What requests meet.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Trouble {
    /// An answer with this status.
    Status { status: u16, retry_after: Option<u64> },
    /// An answer that comes late.
    Hang { milliseconds: u64 },
}

impl Default for State {
    fn default() -> Self {
        Self {
            // As large as Dialpad's own.
            next_id: 4_600_000_000_000_000,
            expires_in: 3600,
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            companies: BTreeMap::new(),
            limits: Limits::default(),
            troubles: Vec::new(),
            requests: BTreeMap::new(),
            violations: Vec::new(),
        }
    }
}

impl State {
    pub(super) fn id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    /// A new company with one office and one administrator.
    pub(super) fn company(&mut self) -> i64 {
        let (company, office_id, user_id) = (self.id(), self.id(), self.id());
        self.companies.insert(company, Company { office_id, user_id, ..Company::default() });
        company
    }

    /// Counts a request, and gives the trouble that it is to meet.
    pub(super) fn note(&mut self, operation: &str, company: Option<i64>) -> Option<Trouble> {
        *self.requests.entry(operation.to_owned()).or_default() += 1;
        let next = self.troubles.iter().position(|(of, name, _)| {
            (of.is_none() || *of == company) && (name == operation || name == "*")
        })?;
        Some(self.troubles.remove(next).2)
    }
}
