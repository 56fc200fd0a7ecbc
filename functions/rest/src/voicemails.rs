//! Voicemails: operators list, read and delete those of any app, an app those of its own.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::{
    domain::{
        ids::{AppId, DialpadId},
        time::{Timestamp, seconds},
    },
    store::{Client, Transaction, page::Request, voicemails},
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    Deps,
    auth::{AppCaller, Operator},
    error::{Error, Result},
    extract::{DialpadUserId, Json, Moment, NoParameters, Path, Query},
    page::{List, list_query},
    reply::{Data, Done},
    schema,
};

/// Where a voicemail stands in the CRM.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VoicemailStatus {
    /// Nobody has heard it.
    Unread,
    /// Somebody has.
    Read,
    /// It is put away.
    Archived,
}

impl VoicemailStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Read => "read",
            Self::Archived => "archived",
        }
    }
}

/// A voicemail.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Voicemail {
    id: Uuid,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    /// Dialpad's id of the leg it was left on.
    #[schema(value_type = Option<String>, required)]
    dialpad_call_id: Option<DialpadId>,
    /// Our id of that leg, if it is known.
    #[schema(required)]
    call_id: Option<Uuid>,
    /// Null for a message left to a group.
    #[schema(value_type = Option<String>, required)]
    dialpad_user_id: Option<DialpadId>,
    /// The CRM user that Dialpad user is mapped to now.
    #[schema(required)]
    crm_user_id: Option<String>,
    /// The group it was left to, null for a user's.
    #[schema(required)]
    group: Option<String>,
    #[schema(required)]
    from_number: Option<String>,
    #[schema(required)]
    to_number: Option<String>,
    #[schema(required)]
    contact_name: Option<String>,
    #[schema(required)]
    recording_url: Option<String>,
    /// What it says, once Dialpad has written it down.
    #[schema(required)]
    transcript: Option<String>,
    #[schema(required)]
    duration_seconds: Option<i64>,
    #[schema(value_type = VoicemailStatus)]
    status: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Voicemail {
    pub(crate) fn new(app_id: AppId, voicemail: voicemails::Voicemail) -> Self {
        Self {
            id: voicemail.id,
            app_id,
            dialpad_call_id: voicemail.dialpad_call_id,
            call_id: voicemail.call_id,
            dialpad_user_id: voicemail.dialpad_user_id,
            crm_user_id: voicemail.crm_user_id,
            group: voicemail.group_name,
            from_number: voicemail.from_number,
            to_number: voicemail.to_number,
            contact_name: voicemail.contact_name,
            recording_url: voicemail.recording_url,
            transcript: voicemail.transcript,
            duration_seconds: voicemail.duration_ms.map(seconds),
            status: voicemail.status,
            created_at: voicemail.created_at.into(),
            updated_at: voicemail.updated_at.into(),
        }
    }
}

impl Voicemail {
    /// The name that came with it, and since when it is known.
    pub(crate) fn name(&self) -> Option<(Timestamp, &str)> {
        Some((self.created_at, self.contact_name.as_deref()?))
    }
}

list_query! {
    /// Which voicemails.
    VoicemailsQuery {
        /// Left to this Dialpad user.
        #[param(value_type = Option<schema::DialpadUserId>, inline)]
        dialpad_user_id: DialpadUserId,
        /// Stored then or later.
        #[param(value_type = Option<String>, format = DateTime)]
        received_after: Moment,
        /// Stored before.
        #[param(value_type = Option<String>, format = DateTime)]
        received_before: Moment,
        #[param(inline)]
        status: VoicemailStatus,
    }
}

impl VoicemailsQuery {
    fn filter(&self) -> voicemails::Filter {
        voicemails::Filter {
            dialpad_user_id: self.dialpad_user_id.map(|id| id.0),
            received_after: self.received_after.map(|moment| moment.0),
            received_before: self.received_before.map(|moment| moment.0),
            status: self.status.map(VoicemailStatus::as_str),
            number: None,
        }
    }
}

type Listed = axum::Json<List<Voicemail>>;
type Shown = axum::Json<Data<Voicemail>>;

async fn read_list(
    db: &Client,
    app_id: AppId,
    filter: &voicemails::Filter,
    request: &Request,
) -> Result<Listed> {
    let page = voicemails::list(db, app_id, filter, request).await?.ok_or(Error::NotFound("app"))?;
    Ok(axum::Json(List::new(page, request, |voicemail| Voicemail::new(app_id, voicemail))))
}

async fn read_one(db: &Client, app_id: AppId, id: Uuid) -> Result<Shown> {
    let voicemail = voicemails::find(db, app_id, id).await?.ok_or(Error::NotFound("voicemail"))?;
    Ok(Data::json(Voicemail::new(app_id, voicemail)))
}

async fn remove(
    deps: &Deps,
    db: Transaction,
    app_id: AppId,
    id: Uuid,
    actor: &str,
    request_id: &str,
) -> Result<axum::Json<Done>> {
    let delete = voicemails::delete(&*db, app_id, id, actor, request_id, deps.clock.now());
    if !db.commit_with(delete).await? {
        return Err(Error::NotFound("voicemail"));
    }
    tracing::info!(component = "Voicemail", %app_id, voicemail_id = %id, request_id, actor, "deleted");
    Ok(Done::json("Voicemail deleted"))
}

/// Lists the voicemails of an app, newest first.
#[utoipa::path(get, operation_id = "list_voicemails_of_app", path = "/internal/apps/{app_id}/voicemails", tag = "Voicemails",
    params(("app_id" = Uuid, Path), VoicemailsQuery), security(("operator" = [])),
    responses((status = 200, body = List<Voicemail>)))]
pub(crate) async fn list_of_app(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path(app_id): Path<AppId>,
    Query(query): Query<VoicemailsQuery>,
) -> Result<Listed> {
    let request = query.page()?;
    read_list(&*deps.store.app(app_id).await?, app_id, &query.filter(), &request).await
}

/// Shows a voicemail of an app.
#[utoipa::path(get, operation_id = "show_voicemail_of_app", path = "/internal/apps/{app_id}/voicemails/{voicemail_id}", tag = "Voicemails",
    params(("app_id" = Uuid, Path), ("voicemail_id" = Uuid, Path)), security(("operator" = [])),
    responses((status = 200, body = Data<Voicemail>)))]
pub(crate) async fn show_of_app(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path((app_id, id)): Path<(AppId, Uuid)>,
    _: Query<NoParameters>,
) -> Result<Shown> {
    read_one(&*deps.store.app(app_id).await?, app_id, id).await
}

/// Deletes a voicemail of an app.
#[utoipa::path(delete, operation_id = "delete_voicemail_of_app", path = "/internal/apps/{app_id}/voicemails/{voicemail_id}", tag = "Voicemails",
    params(("app_id" = Uuid, Path), ("voicemail_id" = Uuid, Path)), security(("operator" = [])),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete_of_app(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path((app_id, id)): Path<(AppId, Uuid)>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Done>> {
    let db = deps.store.app(app_id).await?;
    remove(&deps, db, app_id, id, "operator", &operator.request_id).await
}

/// Lists the app's voicemails, newest first.
#[utoipa::path(get, operation_id = "list_voicemails", path = "/api/voicemails", tag = "Voicemails", params(VoicemailsQuery),
    security(("app_key" = [])), responses((status = 200, body = List<Voicemail>)))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(query): Query<VoicemailsQuery>,
) -> Result<Listed> {
    let request = query.page()?;
    read_list(&*deps.store.tenant(caller.app_id).await?, caller.app_id, &query.filter(), &request).await
}

/// Shows a voicemail of the app.
#[utoipa::path(get, operation_id = "show_voicemail", path = "/api/voicemails/{id}", tag = "Voicemails", params(("id" = Uuid, Path)),
    security(("app_key" = [])), responses((status = 200, body = Data<Voicemail>)))]
pub(crate) async fn show(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Path(id): Path<Uuid>,
    _: Query<NoParameters>,
) -> Result<Shown> {
    read_one(&*deps.store.tenant(caller.app_id).await?, caller.app_id, id).await
}

/// What is to be changed of a voicemail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoicemailChange {
    status: VoicemailStatus,
}

/// Marks a voicemail of the app.
#[utoipa::path(patch, operation_id = "change_voicemail", path = "/api/voicemails/{id}", tag = "Voicemails", params(("id" = Uuid, Path)),
    request_body = VoicemailChange, security(("app_key" = [])), responses((status = 200, body = Data<Voicemail>)))]
pub(crate) async fn change(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Path(id): Path<Uuid>,
    _: Query<NoParameters>,
    Json(VoicemailChange { status }): Json<VoicemailChange>,
) -> Result<Shown> {
    let (app_id, status) = (caller.app_id, status.as_str());
    let db = deps.store.tenant(app_id).await?;
    let changed = db.commit_with(voicemails::set_status(&*db, app_id, id, status, deps.clock.now())).await?;
    let voicemail = changed.ok_or(Error::NotFound("voicemail"))?;
    tracing::info!(component = "Voicemail", %app_id, voicemail_id = %id, request_id = caller.request_id, status, "marked");
    Ok(Data::json(Voicemail::new(app_id, voicemail)))
}

/// Deletes a voicemail of the app.
#[utoipa::path(delete, operation_id = "delete_voicemail", path = "/api/voicemails/{id}", tag = "Voicemails", params(("id" = Uuid, Path)),
    security(("app_key" = [])), responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Path(id): Path<Uuid>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Done>> {
    let db = deps.store.tenant(caller.app_id).await?;
    remove(&deps, db, caller.app_id, id, "app", &caller.request_id).await
}

/// Whose unread voicemails are counted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnreadQuery {
    /// Only those left to this Dialpad user.
    #[param(value_type = Option<schema::DialpadUserId>, inline)]
    dialpad_user_id: Option<DialpadUserId>,
}

/// How many voicemails are unread.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnreadCount {
    unread: i64,
}

/// Counts the app's unread voicemails.
#[utoipa::path(get, operation_id = "count_unread_voicemails", path = "/api/voicemails/unread-count", tag = "Voicemails", params(UnreadQuery),
    security(("app_key" = [])), responses((status = 200, body = Data<UnreadCount>)))]
pub(crate) async fn unread_count(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(query): Query<UnreadQuery>,
) -> Result<axum::Json<Data<UnreadCount>>> {
    let db = deps.store.tenant(caller.app_id).await?;
    let unread = voicemails::unread(&*db, caller.app_id, query.dialpad_user_id.map(|id| id.0)).await?;
    Ok(Data::json(UnreadCount { unread }))
}
