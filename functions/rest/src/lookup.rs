//! Who is that number? What a CRM shows when a call comes in, in one round trip to the database.

use std::sync::Arc;

use axum::extract::State;
use futures_util::try_join;
use serde::{Deserialize, Serialize};
use shared::{
    domain::{ids::DialpadId, time::Timestamp},
    store::{calls, messages, page::Request, voicemails},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Deps,
    auth::AppCaller,
    calls::Call,
    error::{Error, Result},
    extract::{PhoneNumber, Query},
    messages::Message,
    numbers,
    page::List,
    reply::Data,
    schema,
    voicemails::Voicemail,
};

/// How much of each kind is shown.
const SHOWN: i64 = 5;

/// Which number.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LookupQuery {
    /// Written in any way; without its country's code it is one of the app's default region.
    #[param(value_type = schema::Number, inline)]
    number: PhoneNumber,
}

/// What is known of a number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Known {
    /// The number as calls have it.
    number: String,
    /// The name that came with the newest call or voicemail that has one.
    #[schema(required)]
    contact_name: Option<String>,
    /// Who spoke with the number last.
    #[schema(required)]
    owner: Option<Owner>,
    /// The newest calls, at most 5.
    calls: Vec<Call>,
    /// The newest voicemails, at most 5.
    voicemails: Vec<Voicemail>,
    /// The newest messages, at most 5.
    messages: Vec<Message>,
}

/// Who spoke with a number last.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Owner {
    #[schema(value_type = String)]
    dialpad_user_id: DialpadId,
    /// The CRM user that Dialpad user is mapped to now.
    #[schema(required)]
    crm_user_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    connected_at: Timestamp,
}

/// Tells what the app knows of a number: its last calls, voicemails and messages, its name, and who spoke with it.
#[utoipa::path(get, operation_id = "lookup", path = "/api/lookup", tag = "Calls", params(LookupQuery),
    security(("app_key" = [])), responses((status = 200, body = Data<Known>)))]
pub(crate) async fn lookup(
    State(deps): State<Arc<Deps>>,
    caller: AppCaller,
    Query(LookupQuery { number }): Query<LookupQuery>,
) -> Result<axum::Json<Data<Known>>> {
    let (app_id, newest) = (caller.app_id, Request::newest(SHOWN));
    let [of_number] = numbers::spelled(&deps, app_id, [("number", Some(number))]).await?;
    let number = of_number.clone().unwrap_or_default();
    let in_calls = calls::Filter { number: of_number.clone(), ..calls::Filter::default() };
    let in_voicemails = voicemails::Filter { number: of_number.clone(), ..voicemails::Filter::default() };
    let in_messages = messages::Filter { number: of_number, ..messages::Filter::default() };
    let db = deps.store.tenant(app_id).await?;
    // Sent one after the other without waiting for the answers.
    let (calls, voicemails, messages, owner) = try_join!(
        calls::list(&*db, app_id, &in_calls, &newest),
        voicemails::list(&*db, app_id, &in_voicemails, &newest),
        messages::list(&*db, app_id, &in_messages, &newest),
        calls::owner(&*db, app_id, &number),
    )?;
    let nothing = || Error::NotFound("app");
    let calls = List::new(calls.ok_or_else(nothing)?.page, &newest, Call::from).into_parts().0;
    let voicemails = voicemails.ok_or_else(nothing)?;
    let voicemails =
        List::new(voicemails, &newest, |voicemail| Voicemail::new(app_id, voicemail)).into_parts().0;
    let messages = List::new(messages.ok_or_else(nothing)?, &newest, Message::from).into_parts().0;
    Ok(Data::json(Known {
        number,
        contact_name: contact_name(&calls, &voicemails),
        owner: owner.map(|owner| Owner {
            dialpad_user_id: owner.dialpad_user_id,
            crm_user_id: owner.crm_user_id,
            connected_at: owner.connected_at.into(),
        }),
        calls,
        voicemails,
        messages,
    }))
}

fn contact_name(calls: &[Call], voicemails: &[Voicemail]) -> Option<String> {
    let named = calls.iter().filter_map(Call::name).chain(voicemails.iter().filter_map(Voicemail::name));
    named.max_by_key(|(since, _)| *since).map(|(_, name)| name.to_owned())
}
