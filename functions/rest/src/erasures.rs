//! Erasure: a person asks to be forgotten, and an operator names the number.

mod steps;

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use shared::{
    dialpad::erasure::Number,
    domain::ids::AppId,
    store::{audit, erasures::Erased},
};
use utoipa::ToSchema;

use self::steps::Course;
use crate::{
    Deps,
    auth::Operator,
    error::Result,
    extract::{Json, NoParameters, Path, Query},
    reply::Data,
    schema,
};

/// Whom to forget.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureRequest {
    /// The phone number; spaces, hyphens and brackets do not matter.
    #[schema(schema_with = schema::erasable)]
    number: Erasable,
}

/// A number that can be somebody's.
struct Erasable(Number);

impl<'de> Deserialize<'de> for Erasable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Number::parse(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("must be a phone number of 7 to 15 digits"))
    }
}

/// How many rows of each table named the person and do so no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Erasure {
    /// Calls that were asked for.
    call_requests: u64,
    calls: u64,
    voicemails: u64,
    messages: u64,
    /// Stored deliveries of Dialpad's.
    webhook_events: u64,
    /// Frames of the event log.
    client_events: u64,
    /// Whether it came to its end. If not, repeat the request: it goes on where it stopped.
    complete: bool,
}

/// Takes a person out of an app: the number, the names, what was written or said, and where it can be heard, in every
/// table, in stored deliveries and in the event log. It goes on for some seconds: where an app has millions of events it may
/// have to be repeated until it is complete. After that, doing it again changes nothing.
#[utoipa::path(post, operation_id = "erase_number", path = "/internal/apps/{app_id}/erasures", tag = "Apps",
    params(("app_id" = Uuid, Path)), request_body = ErasureRequest, security(("operator" = [])),
    responses((status = 200, body = Data<Erasure>)))]
pub(crate) async fn create(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    Json(ErasureRequest { number: Erasable(number) }): Json<ErasureRequest>,
) -> Result<axum::Json<Data<Erasure>>> {
    let (erased, complete) = Course::begin(&deps, app_id, &number).await?.go().await?;
    let tx = deps.store.app(app_id).await?;
    let hash = hexadecimal(&number.hash(app_id));
    let detail = serde_json::json!({ "number_hash": hash, "erased": erased, "complete": complete });
    let now = deps.clock.now();
    tx.commit_with(audit::record(&*tx, app_id, "number.erased", &detail, &operator.request_id, now)).await?;

    let Erased { call_requests, calls, voicemails, messages, webhook_events, client_events } = erased;
    tracing::info!(
        component = "Retention", %app_id, request_id = operator.request_id, call_requests, calls, voicemails, messages, webhook_events,
        client_events, complete, "number erased"
    );
    Ok(Data::json(Erasure {
        call_requests,
        calls,
        voicemails,
        messages,
        webhook_events,
        client_events,
        complete,
    }))
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
