//! Click to call: an app has a user's own Dialpad dial.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::{
    auth::secret_hash,
    connection,
    domain::{
        ids::{AppId, DialpadId, new_id},
        time::Timestamp,
    },
    invoke::{self, Hidden, NewCall},
    store::{
        call_requests::{self, Begun, CallRequest, ResultingCall, Status},
        mappings,
    },
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::AppCaller,
    dialpad::dialpad,
    error::{Error, NotDialled, Result},
    extract::{CrmUserId, DialpadUserId, Json, NoParameters, Path, PhoneNumber, Query},
    numbers,
    reply::Data,
    schema,
};

/// The longest text that an app may attach to a call.
const MOST_CUSTOM_DATA: usize = 1000;

/// A call that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedCall {
    /// Whose application dials; this or `crm_user_id`.
    #[schema(schema_with = schema::dialpad_id_or_null, required = false)]
    dialpad_user_id: Option<DialpadUserId>,
    /// The CRM user who is mapped to that Dialpad user.
    #[schema(schema_with = schema::crm_user_id_or_null, required = false)]
    crm_user_id: Option<CrmUserId>,
    /// The number to dial, written in any way; without its country's code it is one of the app's default region.
    #[schema(schema_with = schema::number)]
    to: PhoneNumber,
    /// A text of the app's own, which comes back with the call.
    #[schema(max_length = 1000, pattern = r"^[^\x00]*$")]
    custom_data: Option<String>,
}

/// A call that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallRequest)]
pub(crate) struct CallRequestView {
    id: Uuid,
    #[schema(value_type = String)]
    dialpad_user_id: DialpadId,
    /// None when it was erased.
    #[schema(required)]
    to: Option<String>,
    /// `in_flight`, `requested` (the user's application dials), `failed`, or `unknown` (Dialpad did not answer).
    #[schema(example = "requested")]
    status: &'static str,
    /// The call that came of it, once Dialpad has told of it.
    #[schema(required)]
    call: Option<Call>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// The call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RequestedCall)]
struct Call {
    id: Uuid,
    #[schema(value_type = String)]
    dialpad_call_id: DialpadId,
    status: String,
}

impl CallRequestView {
    fn new(request: CallRequest, call: Option<ResultingCall>) -> Self {
        Self {
            id: request.id,
            dialpad_user_id: request.dialpad_user_id,
            to: request.to_number,
            status: request.status.as_str(),
            call: call.map(|call| Call {
                id: call.id,
                dialpad_call_id: call.dialpad_call_id,
                status: call.status,
            }),
            created_at: request.created_at.into(),
        }
    }
}

/// Has a user's own Dialpad application dial. With an `Idempotency-Key` a repeat within 24 hours dials nothing and gets the
/// same answer.
#[utoipa::path(post, operation_id = "request_call", path = "/api/call-requests", tag = "Calls", request_body = WantedCall, security(("app_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Keeps a repeat from dialling twice.")),
    responses((status = 202, body = Data<CallRequestView>, headers(("Location" = String, description = "The request."))),
        (status = 409, description = "No company is connected, or the same key is in flight."),
        (status = 429, description = "The user has dialled five times within a minute.")))]
pub(crate) async fn request(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    headers: HeaderMap,
    _: Query<NoParameters>,
    Json(wanted): Json<WantedCall>,
) -> Result<Response> {
    let (app_id, now) = (caller.app_id, deps.clock.now());
    let key = idempotency_key(&headers)?;
    let WantedCall { dialpad_user_id, crm_user_id, to, custom_data: data } = wanted;
    if data.as_ref().is_some_and(|data| data.chars().count() > MOST_CUSTOM_DATA) {
        return Err(Error::invalid(
            "/custom_data",
            format!("must have at most {MOST_CUSTOM_DATA} characters"),
        ));
    }
    let dialpad = dialpad(&deps)?;
    let to = dialled(&deps, app_id, to).await?;
    let user_id = user(&deps, app_id, dialpad_user_id, crm_user_id).await?;
    let id = new_id();
    // Of what was meant, not of its spelling: a repeat may name the same user otherwise.
    let body_hash = secret_hash(&json!([user_id, to, data]).to_string()).to_vec();
    let custom_data = json!({ "cti_request": id, "data": data }).to_string();
    let new = CallRequest {
        id,
        dialpad_user_id: user_id,
        to_number: Some(to.clone()),
        custom_data: Some(custom_data.clone()),
        status: Status::InFlight,
        body_hash,
        created_at: now,
    };

    let db = deps.store.tenant(app_id).await?;
    let begun = call_requests::begin(&*db, app_id, &new, key.as_deref()).await?;
    db.commit().await?;
    match begun {
        Begun::New => {}
        Begun::Repeated(before) => return repeated(before),
        Begun::OtherBody => return Err(NotDialled::KeyReused.into()),
        Begun::TooMany { retry_after } => return Err(NotDialled::TooOften { retry_after }.into()),
    }

    let call = NewCall { user_id, to: Hidden::new(to), custom_data };
    let outcome = dialpad.call(app_id, &call).await;
    let status = match &outcome {
        Ok(()) => Status::Requested,
        Err(connection::Error::Invoke(error)) if error.may_be_done() => Status::Unknown,
        Err(_) => Status::Failed,
    };
    let db = deps.store.tenant(app_id).await?;
    db.commit_with(call_requests::finish(&*db, app_id, id, status, deps.clock.now())).await?;
    tracing::info!(component = "Call", %app_id, request_id = caller.request_id, status = status.as_str(), "call requested");
    outcome?;
    Ok(accepted(CallRequest { status, ..new }))
}

/// Shows a call that was asked for, and what came of it.
#[utoipa::path(get, operation_id = "show_call_request", path = "/api/call-requests/{id}", tag = "Calls", params(("id" = Uuid, Path)),
    security(("app_key" = [])), responses((status = 200, body = Data<CallRequestView>)))]
pub(crate) async fn show(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Path(id): Path<Uuid>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<CallRequestView>>> {
    let db = deps.store.tenant(caller.app_id).await?;
    let (request, call) =
        call_requests::find(&*db, caller.app_id, id).await?.ok_or(Error::NotFound("call request"))?;
    Ok(Data::json(CallRequestView::new(request, call)))
}

fn accepted(request: CallRequest) -> Response {
    let location = format!("/api/call-requests/{}", request.id);
    let body = Data::json(CallRequestView::new(request, None));
    (StatusCode::ACCEPTED, [(LOCATION, location)], body).into_response()
}

/// The answer that the first request with the key got.
fn repeated(before: CallRequest) -> Result<Response> {
    match before.status {
        Status::InFlight => Err(NotDialled::KeyInFlight.into()),
        Status::Requested => Ok(accepted(before)),
        Status::Unknown | Status::Failed => {
            Err(invoke::Error::Failed("nobody heard of it".to_owned()).into())
        }
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    match key.to_str().map(str::trim) {
        Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Error::invalid("Idempotency-Key", "must be 1 to 255 visible letters without spaces")),
    }
}

/// The number as Dialpad wants it.
async fn dialled(deps: &Deps, app_id: AppId, to: PhoneNumber) -> Result<String> {
    let [to] = numbers::spelled(deps, app_id, [("/to", Some(to))]).await?;
    to.filter(|to| to.starts_with('+'))
        .ok_or_else(|| Error::invalid("/to", "must be a number that can be dialled, as +14155550160"))
}

/// The Dialpad user who is to dial.
async fn user(
    deps: &Deps,
    app_id: AppId,
    dialpad_user: Option<DialpadUserId>,
    crm_user: Option<CrmUserId>,
) -> Result<DialpadId> {
    match (dialpad_user, crm_user) {
        (Some(DialpadUserId(id)), None) => Ok(id),
        (None, Some(CrmUserId(crm_user))) => {
            let db = deps.store.tenant(app_id).await?;
            let newest = mappings::of_crm_user(&*db, app_id, &crm_user, 1).await?;
            newest.first().map(|mapping| mapping.dialpad_user_id).ok_or_else(|| {
                Error::invalid(
                    "/crm_user_id",
                    "is mapped to no Dialpad user; map it, or give dialpad_user_id",
                )
            })
        }
        (None, None) => Err(Error::invalid("/dialpad_user_id", "is required, or crm_user_id")),
        (Some(_), Some(_)) => Err(Error::invalid("/crm_user_id", "must not be given with dialpad_user_id")),
    }
}
