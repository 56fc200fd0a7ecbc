//! Text messages, as an app reads them.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use shared::{
    domain::{call::Direction, ids::DialpadId, time::Timestamp},
    store::messages::{self, Filter},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Deps,
    auth::AppCaller,
    error::{Error, Result},
    extract::{CrmUserId, DialpadUserId, Moment, NoParameters, Path, PhoneNumber, Query},
    numbers,
    page::{List, list_query},
    reply::Data,
    schema,
};

/// A text message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    id: Uuid,
    #[schema(value_type = String)]
    dialpad_message_id: DialpadId,
    /// What all messages between the same two numbers have in common.
    #[schema(required)]
    thread_id: Option<Uuid>,
    #[schema(schema_with = schema::nullable_direction)]
    direction: Option<Direction>,
    #[schema(required)]
    from_number: Option<String>,
    #[schema(required)]
    to_number: Option<String>,
    #[schema(required)]
    text: Option<String>,
    /// Whether something is attached.
    mms: bool,
    /// What is attached.
    #[schema(required)]
    mms_url: Option<String>,
    /// How far it got, in Dialpad's words: `pending`, `sent`, `delivered`, `undelivered`, `failed`.
    #[schema(required)]
    status: Option<String>,
    /// Why it got no further, in Dialpad's words.
    #[schema(required)]
    delivery_result: Option<String>,
    #[schema(value_type = Option<String>, required)]
    dialpad_user_id: Option<DialpadId>,
    /// The CRM user that Dialpad user is mapped to now.
    #[schema(required)]
    crm_user_id: Option<String>,
    /// The group whose number it was written from, or to.
    #[schema(required)]
    group: Option<String>,
    /// The name of the party outside.
    #[schema(required)]
    contact_name: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    sent_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<messages::Message> for Message {
    fn from(message: messages::Message) -> Self {
        Self {
            id: message.id,
            dialpad_message_id: message.dialpad_message_id,
            thread_id: message.thread_id,
            direction: message.direction,
            from_number: message.from_number,
            to_number: message.to_number,
            text: message.text,
            mms: message.mms,
            mms_url: message.mms_url,
            status: message.status,
            delivery_result: message.delivery_result,
            dialpad_user_id: message.dialpad_user_id,
            crm_user_id: message.crm_user_id,
            group: message.group_name,
            contact_name: message.contact_name,
            sent_at: message.sent_at.map(Timestamp),
            created_at: message.created_at.into(),
            updated_at: message.updated_at.into(),
        }
    }
}

list_query! {
    /// Which messages.
    MessagesQuery {
        /// All messages between the two numbers of a message.
        thread_id: Uuid,
        #[param(value_type = Option<schema::CallDirection>, inline)]
        direction: Direction,
        /// The number that wrote. Written in any way; without its country's code it is one of the app's default region.
        #[param(value_type = Option<schema::Number>, inline)]
        from: PhoneNumber,
        /// The number that was written to.
        #[param(value_type = Option<schema::Number>, inline)]
        to: PhoneNumber,
        /// A number on either side.
        #[param(value_type = Option<schema::Number>, inline)]
        number: PhoneNumber,
        /// Written or got by this Dialpad user.
        #[param(value_type = Option<schema::DialpadUserId>, inline)]
        dialpad_user_id: DialpadUserId,
        /// Written or got by a Dialpad user of this CRM user.
        #[param(value_type = Option<schema::CrmUserId>, inline)]
        crm_user_id: CrmUserId,
        /// How far it got, in Dialpad's words.
        status: String,
        /// Sent then or later.
        #[param(value_type = Option<String>, format = DateTime)]
        sent_after: Moment,
        /// Sent before.
        #[param(value_type = Option<String>, format = DateTime)]
        sent_before: Moment,
    }
}

/// Lists the app's messages, newest first.
#[utoipa::path(get, operation_id = "list_messages", path = "/api/messages", tag = "Messages", params(MessagesQuery),
    security(("app_key" = [])), responses((status = 200, body = List<Message>)))]
pub(crate) async fn list(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(query): Query<MessagesQuery>,
) -> Result<axum::Json<List<Message>>> {
    let request = query.page()?;
    let [from_number, to_number, number] = numbers::spelled(
        &deps,
        caller.app_id,
        [("from", query.from), ("to", query.to), ("number", query.number)],
    )
    .await?;
    let filter = Filter {
        thread_id: query.thread_id,
        direction: query.direction,
        from_number,
        to_number,
        number,
        dialpad_user_id: query.dialpad_user_id.map(|id| id.0),
        crm_user_id: query.crm_user_id.map(|id| id.0),
        status: query.status,
        sent_after: query.sent_after.map(|moment| moment.0),
        sent_before: query.sent_before.map(|moment| moment.0),
    };
    let db = deps.store.tenant(caller.app_id).await?;
    let page = messages::list(&*db, caller.app_id, &filter, &request).await?.ok_or(Error::NotFound("app"))?;
    Ok(axum::Json(List::new(page, &request, Message::from)))
}

/// Shows a message.
#[utoipa::path(get, operation_id = "show_message", path = "/api/messages/{id}", tag = "Messages",
    params(("id" = String, Path, description = "Our id of the message, or Dialpad's.")), security(("app_key" = [])),
    responses((status = 200, body = Data<Message>)))]
pub(crate) async fn show(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Path(id): Path<String>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Data<Message>>> {
    let (own, dialpad) = (Uuid::try_parse(&id).ok(), id.parse().ok());
    let db = deps.store.tenant(caller.app_id).await?;
    let message =
        messages::find(&*db, caller.app_id, own, dialpad).await?.ok_or(Error::NotFound("message"))?;
    Ok(Data::json(message.into()))
}
