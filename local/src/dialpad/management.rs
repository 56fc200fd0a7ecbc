//! The management API: webhooks, subscriptions, who one is, calls.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Asked, Fake, deliver, limits, oauth, refused,
    state::{Company, Subscription, Webhook},
};

/// How many of a list are on a page.
const PAGE: usize = 5;

pub(super) fn answer(fake: &Fake, asked: &Asked) -> Response {
    let (company, answer) = {
        let mut memory = fake.memory();
        let Some(company) = oauth::company(&memory, asked) else {
            return refused(StatusCode::UNAUTHORIZED, "The token is not valid.");
        };
        if let Some(wait) = memory.limits.count(company, &asked.operation.id, asked.parameter("id")) {
            let said = refused(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded.");
            return limits::with_retry_after(said, Some(wait));
        }
        let new_id = memory.id();
        let Some(of) = memory.companies.get_mut(&company) else {
            return refused(StatusCode::UNAUTHORIZED, "The company is gone.");
        };
        (company, act(of, company, asked, new_id))
    };
    match answer {
        Ok(answer) => {
            if asked.operation.id == "users.initiate_call" {
                deliver::dial(fake, company, asked);
            }
            Json(answer).into_response()
        }
        Err((status, words)) => refused(status, words),
    }
}

type Outcome = Result<Value, (StatusCode, &'static str)>;

const NOT_FOUND: (StatusCode, &str) = (StatusCode::NOT_FOUND, "There is none of this id.");

fn act(of: &mut Company, company: i64, asked: &Asked, new_id: i64) -> Outcome {
    let text = |member: &str| asked.body[member].as_str().map(str::to_owned);
    match asked.operation.id.as_str() {
        "users.get" => {
            let id = asked.parameter("id");
            let is_known = id == "me" || id == of.user_id.to_string();
            let user = json!({
                "id": of.user_id.to_string(), "company_id": company.to_string(), "office_id": of.office_id.to_string(),
                "emails": ["ada@acme.example"], "is_admin": true, "state": "active",
            });
            if is_known { Ok(user) } else { Err(NOT_FOUND) }
        }
        "company.get" => {
            Ok(json!({ "id": company.to_string(), "name": format!("Company {company}"), "country": "us" }))
        }
        "users.initiate_call" => {
            let number = text("phone_number").unwrap_or_default();
            if number
                .strip_prefix('+')
                .is_some_and(|digits| digits.len() >= 7 && digits.parse::<u64>().is_ok())
            {
                Ok(
                    json!({ "device": { "id": "device-1", "type": "native", "user_id": asked.parameter("id") } }),
                )
            } else {
                Err((StatusCode::BAD_REQUEST, "phone_number is not in e164 format."))
            }
        }
        "call.get_call_info" => of.calls.get(&asked.id()).cloned().ok_or(NOT_FOUND),
        "call.list" => Ok(page(asked, concluded(of, asked))),
        "webhooks.list" => {
            Ok(page(asked, of.webhooks.iter().map(|(id, webhook)| shown(*id, webhook)).collect()))
        }
        "webhooks.create" => {
            let webhook = Webhook { hook_url: text("hook_url").unwrap_or_default(), secret: text("secret") };
            let answer = shown(new_id, &webhook);
            of.webhooks.insert(new_id, webhook);
            Ok(answer)
        }
        "webhook.update" => {
            let webhook = of.webhooks.get_mut(&asked.id()).ok_or(NOT_FOUND)?;
            webhook.hook_url = text("hook_url").unwrap_or_else(|| webhook.hook_url.clone());
            webhook.secret = text("secret").or_else(|| webhook.secret.clone());
            Ok(shown(asked.id(), webhook))
        }
        "webhooks.delete" => {
            let webhook = of.webhooks.remove(&asked.id()).ok_or(NOT_FOUND)?;
            of.subscriptions.retain(|_, subscription| subscription.webhook != asked.id());
            Ok(shown(asked.id(), &webhook))
        }
        _ => subscriptions(of, asked, new_id),
    }
}

/// The calls that are over and began within the time that was asked for, newest first.
fn concluded(of: &Company, asked: &Asked) -> Vec<Value> {
    let milliseconds = |call: &Value, name: &str| {
        let time = &call[name];
        time.as_i64().or_else(|| time.as_str()?.parse().ok())
    };
    let bound = |name: &str| asked.parameter(name).parse::<i64>().ok();
    let (after, before) = (bound("started_after"), bound("started_before"));
    let mut calls: Vec<(i64, &Value)> = of
        .calls
        .values()
        .filter(|call| milliseconds(call, "date_ended").is_some())
        .filter_map(|call| Some((milliseconds(call, "date_started")?, call)))
        .filter(|(began, _)| {
            after.is_none_or(|after| *began > after) && before.is_none_or(|before| *began < before)
        })
        .collect();
    calls.sort_by_key(|(began, _)| std::cmp::Reverse(*began));
    calls.into_iter().map(|(_, call)| call.clone()).collect()
}

fn subscriptions(of: &mut Company, asked: &Asked, new_id: i64) -> Outcome {
    let kind = asked.operation.path.split('/').nth(4).unwrap_or_default().to_owned();
    let verb = asked.operation.id.rsplit('.').next().unwrap_or_default();
    match verb {
        "list" => {
            let found = of.subscriptions.iter().filter(|(_, one)| one.kind == kind);
            Ok(page(asked, found.map(|(id, one)| subscription(of, *id, one)).collect()))
        }
        "create" => {
            let mut members = asked.body.as_object().cloned().unwrap_or_default();
            let webhook =
                endpoint(of, &mut members)?.ok_or((StatusCode::BAD_REQUEST, "endpoint_id is missing."))?;
            members.entry("enabled").or_insert(Value::Bool(true));
            of.subscriptions.insert(new_id, Subscription { kind, webhook, members });
            Ok(subscription(of, new_id, &of.subscriptions[&new_id]))
        }
        "update" => {
            let mut members = asked.body.as_object().cloned().unwrap_or_default();
            let webhook = endpoint(of, &mut members)?;
            let one =
                of.subscriptions.get_mut(&asked.id()).filter(|one| one.kind == kind).ok_or(NOT_FOUND)?;
            one.members.extend(members);
            one.webhook = webhook.unwrap_or(one.webhook);
            Ok(subscription(of, asked.id(), &of.subscriptions[&asked.id()]))
        }
        _ => {
            let one = of.subscriptions.remove(&asked.id()).filter(|one| one.kind == kind).ok_or(NOT_FOUND)?;
            Ok(subscription(of, asked.id(), &one))
        }
    }
}

/// The webhook that a body names; it must be the company's.
fn endpoint(
    of: &Company,
    members: &mut Map<String, Value>,
) -> Result<Option<i64>, (StatusCode, &'static str)> {
    let Some(id) = members.remove("endpoint_id").and_then(|id| id.as_i64()) else { return Ok(None) };
    if of.webhooks.contains_key(&id) { Ok(Some(id)) } else { Err(NOT_FOUND) }
}

/// 64-bit numbers are printed as strings.
fn shown(id: i64, webhook: &Webhook) -> Value {
    let mut shown = json!({ "id": id.to_string(), "hook_url": webhook.hook_url });
    if let Some(secret) = &webhook.secret {
        shown["signature"] = json!({ "algo": "HS256", "type": "jwt", "secret": secret });
    }
    shown
}

fn subscription(of: &Company, id: i64, one: &Subscription) -> Value {
    let mut shown_members = one.members.clone();
    if let Some(target) = shown_members.get("target_id").and_then(Value::as_i64) {
        shown_members.insert("target_id".to_owned(), target.to_string().into());
    }
    let mut answer = Value::Object(shown_members);
    answer["id"] = id.to_string().into();
    if let Some(webhook) = of.webhooks.get(&one.webhook) {
        answer["webhook"] = shown(one.webhook, webhook);
    }
    answer
}

/// A page of a list; an empty one is `{}`.
fn page(asked: &Asked, items: Vec<Value>) -> Value {
    let from: usize = asked.parameter("cursor").parse().unwrap_or(0);
    let next = from + PAGE;
    let mut answer = json!({});
    if items.len() > next {
        answer["cursor"] = next.to_string().into();
    }
    let items: Vec<Value> = items.into_iter().skip(from).take(PAGE).collect();
    if !items.is_empty() {
        answer["items"] = items.into();
    }
    answer
}
