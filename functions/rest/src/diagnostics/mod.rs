//! Why does it not work? The four common issues of the guide, each checked on an app's own rows and sockets, with the
//! command that mends what is wrong; and whether deliveries contradict each other.

mod handshakes;

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use shared::{
    domain::{ids::AppId, time::Timestamp},
    registry::Connection,
    store::{
        diagnosis::{self, Facts},
        refusals,
    },
};
use utoipa::ToSchema;

use crate::{
    Deps,
    auth::{Operator, PublicUrl},
    error::{Error, Result},
    extract::{NoParameters, Path, Query},
    tickets::socket_url,
};

/// A delivery that waits longer than this, in seconds, waits for more than its turn.
const LONG_WAIT: i64 = 60;

/// How an app is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Diagnosis {
    /// Always true.
    success: bool,
    #[schema(value_type = Uuid)]
    app_id: AppId,
    checks: Vec<Check>,
}

/// A common issue, and whether this app has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// What people see.
    issue: &'static str,
    verdict: Verdict,
    /// What was found.
    detail: String,
    /// What mends it, for a shell; null where nothing needs mending.
    #[schema(required)]
    command: Option<String>,
}

/// Whether an app has an issue.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It has not.
    Ok,
    /// Perhaps, or in part.
    Warning,
    /// It has.
    Failed,
}

/// Checks an app for the common issues: rejected sockets, missing voicemails, events not targeted, dropped connections,
/// deliveries that contradict each other.
#[utoipa::path(get, operation_id = "diagnose_app", path = "/internal/apps/{app_id}/diagnostics", tag = "Apps",
    params(("app_id" = Uuid, Path)), security(("operator" = [])), responses((status = 200, body = Diagnosis)))]
pub(crate) async fn diagnose(
    State(deps): State<Arc<Deps>>,
    _: Operator,
    url: PublicUrl,
    Path(app_id): Path<AppId>,
    _: Query<NoParameters>,
) -> Result<axum::Json<Diagnosis>> {
    let now = deps.clock.now();
    let db = deps.store.app(app_id).await?;
    let facts = diagnosis::facts(&*db, app_id, now).await?.ok_or(Error::NotFound("app"))?;
    let refused = refusals::recent(&*db, app_id, now).await?;
    let connections = match &deps.registry {
        Some(registry) => Some(registry.of_app(app_id, now).await?),
        None => None,
    };
    let socket = socket_url(&deps.config, &url);
    let PublicUrl(http) = &url;
    let app = format!("{http}/internal/apps/{app_id}");
    let places = handshakes::Places { app: &app, http, socket: &socket };
    let checks = vec![
        handshakes::check(&facts, &refused, &places),
        missing_voicemails(&facts, &app, &format!("{http}/webhooks/dialpad/{app_id}")),
        untargeted_events(&facts, &app),
        dropped_connections(connections.as_deref(), http),
        conflicting_deliveries(&facts, &app),
    ];
    Ok(axum::Json(Diagnosis { success: true, app_id, checks }))
}

fn missing_voicemails(facts: &Facts, app: &str, webhook: &str) -> Check {
    let waits = facts.oldest_pending_seconds.filter(|seconds| *seconds > LONG_WAIT);
    let (verdict, detail, command) = match facts.last_delivery_at {
        _ if !facts.takes_deliveries => {
            let command = Some(curl("POST", &format!("{app}/webhook-secret")));
            (
                Verdict::Failed,
                "The app has no webhook secret, so every delivery is refused.".to_owned(),
                command,
            )
        }
        None => {
            let detail = format!(
                "Dialpad has never delivered anything. Register {webhook} with the app's webhook secret."
            );
            // Says again what to register, with a new secret; the one before goes on for a day.
            (Verdict::Failed, detail, Some(curl("POST", &format!("{app}/webhook-secret"))))
        }
        Some(_) if facts.dead > 0 => {
            let detail = format!("{} deliveries could not be read.", facts.dead);
            (Verdict::Warning, detail, Some(curl("GET", &format!("{app}/webhook-events?state=dead"))))
        }
        Some(_) if waits.is_some() => {
            let detail = format!("The oldest delivery waits for {} seconds.", waits.unwrap_or_default());
            (Verdict::Warning, detail, Some(curl("GET", &format!("{app}/webhook-events?state=pending"))))
        }
        Some(last) => {
            let detail = format!(
                "{} of the deliveries tell of a voicemail, {} voicemails are there; the last delivery came at {}.",
                facts.voicemail_deliveries,
                facts.voicemails,
                Timestamp(last)
            );
            (Verdict::Ok, detail, None)
        }
    };
    Check { issue: "Voicemails not being created", verdict, detail, command }
}

fn untargeted_events(facts: &Facts, app: &str) -> Check {
    let command = |user: &str| {
        let body = format!("{{\"dialpad_user_id\":\"{user}\",\"crm_user_id\":\"...\"}}");
        Some(curl_with("POST", &format!("{app}/users/map"), &body))
    };
    let (verdict, detail, command) = match facts.unmapped.first() {
        Some(user) => {
            let users: Vec<String> = facts.unmapped.iter().map(ToString::to_string).collect();
            let detail =
                format!("These Dialpad users had calls this week and are not mapped: {}.", users.join(", "));
            let verdict = if facts.mappings == 0 { Verdict::Failed } else { Verdict::Warning };
            (verdict, detail, command(&user.to_string()))
        }
        None if facts.mappings == 0 => {
            let detail = "No Dialpad user is mapped: events go to every connection of the app.".to_owned();
            (Verdict::Warning, detail, command("..."))
        }
        None => (Verdict::Ok, format!("{} Dialpad users are mapped.", facts.mappings), None),
    };
    Check { issue: "User mappings exist but WebSocket events not targeted", verdict, detail, command }
}

fn dropped_connections(connections: Option<&[Connection]>, url: &str) -> Check {
    let rule = "Sockets are closed after 10 minutes without a frame and after 2 hours: \
                send {\"action\":\"ping\"} every 5 minutes, and connect again.";
    let (verdict, detail) = match connections {
        None => (Verdict::Warning, format!("Who is connected is not known here. {rule}")),
        Some([]) => (Verdict::Warning, format!("No socket is open. {rule}")),
        Some(open) => (Verdict::Ok, format!("{} socket(s) are open. {rule}", open.len())),
    };
    let command = matches!(verdict, Verdict::Warning)
        .then(|| curl("GET", &format!("{url}/internal/monitoring/websocket/stats")));
    Check { issue: "WebSocket connection drops frequently", verdict, detail, command }
}

fn conflicting_deliveries(facts: &Facts, app: &str) -> Check {
    let (verdict, detail, command) = if facts.conflicting == 0 {
        (Verdict::Ok, "No delivery contradicts an earlier one.".to_owned(), None)
    } else {
        let detail = format!(
            "{} deliveries are kept aside and not applied: each says something else than an earlier one of the same \
             state at the same time.",
            facts.conflicting
        );
        (Verdict::Warning, detail, Some(curl("GET", &format!("{app}/webhook-events?state=conflicting"))))
    };
    Check { issue: "Deliveries contradicting each other", verdict, detail, command }
}

/// A command line; the secret stays in the operator's shell.
fn curl(method: &str, url: &str) -> String {
    format!("curl -X {method} '{url}' -H \"Authorization: Bearer $INTERNAL_API_SECRET\"")
}

/// The same with a body.
fn curl_with(method: &str, url: &str, body: &str) -> String {
    format!("{} -H 'content-type: application/json' -d '{body}'", curl(method, url))
}
