//! Erasure: a person asks to be forgotten, and an operator names the number.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use shared::{
    dialpad::erasure::{Number, erase},
    domain::ids::AppId,
    store::{
        audit,
        erasures::{self, Erased, Text},
    },
};
use utoipa::ToSchema;

use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
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
}

/// Takes a person out of an app: the number, the names, what was written or said, and where it can be heard, in every
/// table, in stored deliveries and in the event log. Doing it again changes nothing.
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
    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    if !erasures::lock(&*tx, app_id).await? {
        return Err(Error::NotFound("app"));
    }
    let payloads = without(erasures::payloads(&*tx, app_id, number.digits()).await?, &number);
    let frames = without(erasures::frames(&*tx, app_id, number.digits()).await?, &number);
    let erased = Erased {
        webhook_events: erasures::replace_payloads(&*tx, app_id, &payloads).await?,
        client_events: erasures::replace_frames(&*tx, app_id, &frames).await?,
        ..erasures::rows(&*tx, app_id, number.digits()).await?
    };
    let hash = number.hash(app_id);
    erasures::remember(&*tx, app_id, &hash, now).await?;
    let detail = serde_json::json!({ "number_hash": hexadecimal(&hash), "erased": erased });
    audit::record(&*tx, app_id, "number.erased", &detail, &operator.request_id, now).await?;
    tx.commit().await?;

    let Erased { call_requests, calls, voicemails, messages, webhook_events, client_events } = erased;
    tracing::info!(
        component = "Retention", %app_id, request_id = operator.request_id, call_requests, calls, voicemails, messages, webhook_events,
        client_events, "number erased"
    );
    Ok(Data::json(Erasure { call_requests, calls, voicemails, messages, webhook_events, client_events }))
}

/// The texts that name the person, as they are without.
fn without(texts: Vec<Text>, number: &Number) -> Vec<Text> {
    let erased = |Text { id, json }| erase(&json, number).map(|json| Text { id, json });
    texts.into_iter().filter_map(erased).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
