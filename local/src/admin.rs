//! `/_local/faults` on the AWS port: what is in force, changed while the stack runs, and single acts.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value as Document, json};
use shared::problem::{FieldError, Problem};

use crate::{
    faults::{Access, Faults, InForce, Kind, Proxy, Value},
    lambda::Lambda,
};

/// Who does what is asked for.
#[derive(Debug, Clone)]
pub struct Actors {
    /// The faults in force.
    pub faults: Faults,
    /// The functions.
    pub lambda: Lambda,
    /// The way to the database, where there is a proxy.
    pub database: Option<Proxy>,
}

impl Actors {
    /// Why a fault cannot strike in this stack, if it cannot.
    pub fn check(&self, kind: Kind) -> Result<(), &'static str> {
        if kind.is_of_database() && self.database.is_none() {
            return Err("the functions reach the database directly: start the server with --database-proxy");
        }
        if kind.is_of_processes() && !self.lambda.has_processes() {
            return Err(
                "the functions' processes belong to another program (--lambda), which has to kill them",
            );
        }
        Ok(())
    }
}

/// The routes.
pub fn router(actors: Actors) -> Router {
    Router::new()
        .route("/_local/faults", get(show).put(replace))
        .route("/_local/faults/acts", post(act))
        .with_state(actors)
}

/// What is wrong with a request.
struct Wrong(Vec<FieldError>);

impl Wrong {
    fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let detail = self.0.first().map(|error| format!("{}: {}", error.pointer, error.detail));
        let problem = Problem::new(422, "wrong_fault", detail.unwrap_or_default()).with_errors(self.0);
        let headers = [(CONTENT_TYPE, "application/problem+json")];
        (StatusCode::UNPROCESSABLE_ENTITY, headers, Json(problem)).into_response()
    }
}

async fn show(State(actors): State<Actors>) -> Response {
    let faults: Map<_, _> = actors
        .faults
        .in_force()
        .into_iter()
        .map(|(kind, value)| (kind.name().to_owned(), Document::String(value.to_string())))
        .collect();
    Json(json!({
        "seed": actors.faults.seed(),
        "faults": faults,
        "injected": actors.faults.injected(),
        "database": actors.database.map(|database| database.access().name()),
    }))
    .into_response()
}

async fn replace(State(actors): State<Actors>, body: Bytes) -> Result<Response, Wrong> {
    let members = object(&body)?;
    let mut errors = unknown_members(&members, &["seed", "faults"]);
    let seed = members.get("seed").map(|seed| {
        seed.as_u64().ok_or_else(|| errors.push(error("/seed", "expected a whole number, not negative")))
    });
    let mut in_force = InForce::new();
    match members.get("faults") {
        Some(Document::Object(faults)) => {
            for (name, value) in faults {
                match fault(&actors, name, value) {
                    Ok((kind, value)) => drop(in_force.insert(kind, value)),
                    Err(detail) => errors.push(error(&format!("/faults/{name}"), &detail)),
                }
            }
        }
        Some(_) | None => errors.push(error("/faults", "expected an object, empty for none")),
    }
    if errors.is_empty() {
        actors.faults.set(in_force, seed.and_then(Result::ok));
        Ok(show(State(actors)).await)
    } else {
        Err(Wrong(errors))
    }
}

/// One fault: its value as in a flag, or as a number.
fn fault(actors: &Actors, name: &str, value: &Document) -> Result<(Kind, Value), String> {
    let kind = Kind::named(name)?;
    let value = match value {
        Document::String(text) => Value::parse(kind, text)?,
        Document::Number(number) => Value::parse(kind, &number.to_string())?,
        Document::Null | Document::Bool(_) | Document::Array(_) | Document::Object(_) => {
            return Err("expected a number, or a text as in the flag".to_owned());
        }
    };
    actors.check(kind)?;
    Ok((kind, value))
}

async fn act(State(actors): State<Actors>, body: Bytes) -> Result<Response, Wrong> {
    let members = object(&body)?;
    let text = |name: &str| members.get(name).and_then(Document::as_str).unwrap_or_default();
    let (known, act): (&[&str], _) = match text("act") {
        "kill" => (&["act", "function", "moment"], kill(&actors, text("function"), members.get("moment"))),
        "database" => (&["act", "access"], reach(&actors, text("access"))),
        _ => (&["act"], Err(Wrong::field("/act", "expected kill or database"))),
    };
    let errors = unknown_members(&members, known);
    if act.is_ok() && !errors.is_empty() {
        return Err(Wrong(errors));
    }
    act.map(|act| Json(act()).into_response())
}

type Act = Box<dyn FnOnce() -> Document + Send>;

/// How far into an invocation a process is killed that is to be killed during one: half of this.
const INTO: Duration = Duration::from_millis(4);

/// Kills all processes of a function now, or the one that gets its next invocation, at a moment of it.
fn kill(actors: &Actors, function: &str, moment: Option<&Document>) -> Result<Act, Wrong> {
    actors.check(Kind::KillDuring).map_err(|detail| Wrong::field("/act", detail))?;
    if !actors.lambda.knows(function) {
        return Err(Wrong::field("/function", format!("there is no function {function:?}")));
    }
    let (lambda, function) = (actors.lambda.clone(), function.to_owned());
    let kind = match moment.map(Document::as_str) {
        None => return Ok(Box::new(move || json!({ "killed": lambda.kill(&function) }))),
        Some(Some("before")) => Kind::KillBefore,
        Some(Some("during")) => Kind::KillDuring,
        Some(Some("after")) => Kind::KillAfter,
        Some(_) => return Err(Wrong::field("/moment", "expected before, during or after")),
    };
    let faults = actors.faults.clone();
    Ok(Box::new(move || {
        faults.strike_next(kind, &function, INTO);
        json!({ "next": kind.name(), "function": function })
    }))
}

fn reach(actors: &Actors, access: &str) -> Result<Act, Wrong> {
    actors.check(Kind::DatabaseRefuse).map_err(|detail| Wrong::field("/act", detail))?;
    let Some(access) = Access::named(access) else {
        return Err(Wrong::field("/access", "expected open, refuse or hang"));
    };
    let database = actors.database.clone();
    Ok(Box::new(move || {
        if let Some(database) = database {
            database.set(access);
        }
        json!({ "database": access.name() })
    }))
}

fn object(body: &[u8]) -> Result<Map<String, Document>, Wrong> {
    serde_json::from_slice(body).map_err(|cause| Wrong::field("", format!("expected a JSON object: {cause}")))
}

fn unknown_members(members: &Map<String, Document>, known: &[&str]) -> Vec<FieldError> {
    let unknown = members.keys().filter(|name| !known.contains(&name.as_str()));
    let known = known.join(", ");
    unknown.map(|name| error(&format!("/{name}"), &format!("unknown; there are {known}"))).collect()
}

fn error(pointer: &str, detail: &str) -> FieldError {
    FieldError { pointer: pointer.to_owned(), detail: detail.to_owned() }
}
