//! User mappings: which CRM user a Dialpad user is. Operators make them one by one or in batches.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    domain::{
        ids::{AppId, DialpadId},
        time::Timestamp,
    },
    problem::FieldError,
    store::{
        apps,
        mappings::{self, Counts, Name},
    },
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::Operator,
    error::{Error, Result},
    extract::{CrmUserId, DialpadUserId, Json, NoParameters, Path, Query, read},
    page::{List, list_query},
    reply::{Data, Done},
    schema,
};

/// The most mappings in one batch.
const MAX_BATCH: usize = 10_000;

/// The most mistakes of a batch that are named.
const MAX_ERRORS: usize = 100;

/// The most Dialpad users of one CRM user that are shown.
const MAX_OF_CRM_USER: i64 = 1_000;

/// A mapping.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Mapping {
    id: Uuid,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    #[schema(value_type = String)]
    dialpad_user_id: DialpadId,
    crm_user_id: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Mapping {
    fn new(app_id: AppId, mapping: mappings::Mapping) -> Self {
        Self {
            id: mapping.id,
            app_id,
            dialpad_user_id: mapping.dialpad_user_id,
            crm_user_id: mapping.crm_user_id,
            created_at: mapping.created_at.into(),
            updated_at: mapping.updated_at.into(),
        }
    }
}

/// Who is who.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMapping {
    /// A positive 64-bit integer, or its digits as a string.
    #[schema(schema_with = schema::dialpad_user_id_or_number)]
    dialpad_user_id: DialpadUserId,
    #[schema(schema_with = schema::crm_user_id)]
    crm_user_id: CrmUserId,
}

/// A mapping, and what was done to have it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutMapping {
    success: bool,
    message: &'static str,
    data: Mapping,
}

/// Maps a Dialpad user to a CRM user, whether or not it was mapped before.
#[utoipa::path(post, operation_id = "map_user", path = "/internal/apps/{app_id}/users/map", tag = "User mappings",
    params(("app_id" = Uuid, Path)), request_body = NewMapping, security(("operator" = [])),
    responses(
        (status = 200, description = "It was mapped before.", body = PutMapping),
        (status = 201, body = PutMapping, headers(("Location" = String, description = "The mapping."))),
    ))]
pub(crate) async fn map(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    Json(NewMapping { dialpad_user_id: DialpadUserId(user), crm_user_id: CrmUserId(crm_user) }): Json<
        NewMapping,
    >,
) -> Result<Response> {
    let (counts, mapping) = put(&deps, &operator, app_id, &[(user, crm_user.as_str())]).await?;
    let mapping = mapping.ok_or(Error::NotFound("mapping"))?;
    let message = match counts {
        Counts { created: 1.., .. } => "User mapping created",
        Counts { updated: 1.., .. } => "User mapping updated",
        Counts { .. } => "User mapping unchanged",
    };
    let reply = axum::Json(PutMapping { success: true, message, data: Mapping::new(app_id, mapping) });
    if counts.created == 0 {
        return Ok(reply.into_response());
    }
    let location = format!("/internal/apps/{app_id}/users/mappings/dialpad/{user}");
    Ok((StatusCode::CREATED, [(LOCATION, location)], reply).into_response())
}

/// Puts mappings in one transaction; gives what was done and the first of them.
async fn put(
    deps: &Deps,
    operator: &Operator,
    app_id: AppId,
    wanted: &[(DialpadId, &str)],
) -> Result<(Counts, Option<mappings::Mapping>)> {
    let now = deps.clock.now();
    let tx = deps.store.app(app_id).await?;
    apps::lock(&*tx, app_id).await?.ok_or(Error::NotFound("app"))?;
    let counts = mappings::put(&*tx, app_id, wanted, &operator.request_id, now).await?;
    let first = match wanted.first() {
        Some((user, _)) => mappings::of_dialpad_user(&*tx, app_id, *user).await?,
        None => None,
    };
    tx.commit().await?;
    let Counts { created, updated, unchanged } = counts;
    let request_id = &operator.request_id;
    tracing::info!(component = "UserMapping", %app_id, request_id, created, updated, unchanged, "mapped");
    Ok((counts, first))
}

/// Mappings to be put together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// At most 10,000, no Dialpad user twice.
    #[schema(value_type = Vec<NewMapping>, max_items = 10_000)]
    mappings: Vec<Value>,
}

/// What a batch did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    success: bool,
    message: String,
    /// How many mappings were given.
    count: usize,
    /// Dialpad users that were not mapped before.
    created: i64,
    /// Dialpad users that were mapped to somebody else.
    updated: i64,
    /// Mappings that stood there already.
    unchanged: i64,
}

/// Maps many users at once: all of them, or none if one is wrong.
#[utoipa::path(post, operation_id = "batch_map_users", path = "/internal/apps/{app_id}/users/batch-map", tag = "User mappings",
    params(("app_id" = Uuid, Path)), request_body = Batch, security(("operator" = [])),
    responses((status = 200, body = BatchResult)))]
pub(crate) async fn batch_map(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
    Json(batch): Json<Batch>,
) -> Result<axum::Json<BatchResult>> {
    let wanted = check(&batch.mappings).map_err(Error::Invalid)?;
    let pairs: Vec<_> =
        wanted.iter().map(|wanted| (wanted.dialpad_user_id.0, wanted.crm_user_id.0.as_str())).collect();
    let (Counts { created, updated, unchanged }, _) = put(&deps, &operator, app_id, &pairs).await?;
    let count = pairs.len();
    Ok(axum::Json(BatchResult {
        success: true,
        message: format!("Batch mapped {count} users"),
        count,
        created,
        updated,
        unchanged,
    }))
}

/// The mappings of a batch, or what is wrong with it.
fn check(batch: &[Value]) -> Result<Vec<NewMapping>, Vec<FieldError>> {
    let error = |pointer: String, detail: String| FieldError { pointer, detail };
    if batch.len() > MAX_BATCH {
        return Err(vec![error("/mappings".to_owned(), format!("must have at most {MAX_BATCH} elements"))]);
    }
    let (mut wanted, mut errors, mut seen) = (Vec::with_capacity(batch.len()), Vec::new(), HashMap::new());
    for (index, value) in batch.iter().enumerate() {
        let pointer = format!("/mappings/{index}");
        match read::<NewMapping>(value, &pointer) {
            Err(wrong) => errors.push(wrong),
            Ok(mapping) => {
                if let Some(first) = seen.insert(mapping.dialpad_user_id, index) {
                    let detail = format!("is the same as in /mappings/{first}");
                    errors.push(error(format!("{pointer}/dialpad_user_id"), detail));
                }
                wanted.push(mapping);
            }
        }
        if errors.len() == MAX_ERRORS {
            break;
        }
    }
    if errors.is_empty() { Ok(wanted) } else { Err(errors) }
}

list_query! {
    /// Which page of the mappings.
    MappingsQuery {}
}

/// Lists the mappings of an app, newest first.
#[utoipa::path(get, operation_id = "list_mappings", path = "/internal/apps/{app_id}/users/mappings", tag = "User mappings",
    params(("app_id" = Uuid, Path), MappingsQuery), security(("operator" = [])),
    responses((status = 200, body = List<Mapping>)))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path(app_id): Path<AppId>,
    Query(query): Query<MappingsQuery>,
) -> Result<axum::Json<List<Mapping>>> {
    let request = query.page()?;
    let db = deps.store.app(app_id).await?;
    let page = mappings::list(&*db, app_id, &request).await?.ok_or(Error::NotFound("app"))?;
    Ok(axum::Json(List::new(page, &request, |mapping| Mapping::new(app_id, mapping))))
}

/// Shows the mapping of a Dialpad user.
#[utoipa::path(get, operation_id = "show_mapping_of_dialpad_user", path = "/internal/apps/{app_id}/users/mappings/dialpad/{dialpad_user_id}", tag = "User mappings",
    params(("app_id" = Uuid, Path), ("dialpad_user_id" = String, Path)), security(("operator" = [])),
    responses((status = 200, body = Data<Mapping>)))]
pub(crate) async fn of_dialpad_user(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path((app_id, user)): Path<(AppId, DialpadId)>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<Mapping>>> {
    let db = deps.store.app(app_id).await?;
    let mapping = mappings::of_dialpad_user(&*db, app_id, user).await?.ok_or(Error::NotFound("mapping"))?;
    Ok(Data::json(Mapping::new(app_id, mapping)))
}

/// The mappings of a CRM user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CrmUserMappings {
    success: bool,
    /// The one that was changed last.
    data: Mapping,
    /// All of them: a CRM user may be several Dialpad users.
    all: Vec<Mapping>,
}

/// Shows the mappings of a CRM user.
///
/// Its id may have slashes, which API Gateway decodes before a function sees the path.
#[utoipa::path(get, operation_id = "show_mappings_of_crm_user", path = "/internal/apps/{app_id}/users/mappings/crm/{*crm_user_id}", tag = "User mappings",
    params(("app_id" = Uuid, Path), ("crm_user_id" = String, Path)), security(("operator" = [])),
    responses((status = 200, body = CrmUserMappings)))]
pub(crate) async fn of_crm_user(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    Path((app_id, crm_user)): Path<(AppId, String)>,
    _: Query<NoParameters>,
) -> Result<axum::Json<CrmUserMappings>> {
    let db = deps.store.app(app_id).await?;
    let found = mappings::of_crm_user(&*db, app_id, &crm_user, MAX_OF_CRM_USER).await?;
    let newest = found.first().cloned().ok_or(Error::NotFound("mapping"))?;
    Ok(axum::Json(CrmUserMappings {
        success: true,
        data: Mapping::new(app_id, newest),
        all: found.into_iter().map(|mapping| Mapping::new(app_id, mapping)).collect(),
    }))
}

/// Deletes a mapping.
#[utoipa::path(delete, operation_id = "delete_mapping", path = "/internal/apps/{app_id}/users/mappings/{mapping_id}", tag = "User mappings",
    params(("app_id" = Uuid, Path), ("mapping_id" = Uuid, Path)), security(("operator" = [])),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path((app_id, id)): Path<(AppId, Uuid)>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Done>> {
    remove(&deps, &operator, app_id, Name::Own(id)).await
}

/// Deletes the mapping of a Dialpad user.
#[utoipa::path(delete, operation_id = "delete_mapping_of_dialpad_user", path = "/internal/apps/{app_id}/users/mappings/dialpad/{dialpad_user_id}",
    tag = "User mappings", params(("app_id" = Uuid, Path), ("dialpad_user_id" = String, Path)),
    security(("operator" = [])), responses((status = 200, body = Done)))]
pub(crate) async fn delete_of_dialpad_user(
    State(deps): State<Arc<Deps>>,
    operator: Operator,
    Path((app_id, user)): Path<(AppId, DialpadId)>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Done>> {
    remove(&deps, &operator, app_id, Name::DialpadUser(user)).await
}

async fn remove(deps: &Deps, operator: &Operator, app_id: AppId, name: Name) -> Result<axum::Json<Done>> {
    let db = deps.store.app(app_id).await?;
    let delete = mappings::delete(&*db, app_id, name, &operator.request_id, deps.clock.now());
    if !db.commit_with(delete).await? {
        return Err(Error::NotFound("mapping"));
    }
    tracing::info!(component = "UserMapping", %app_id, request_id = operator.request_id, "mapping deleted");
    Ok(Done::json("Mapping deleted"))
}
