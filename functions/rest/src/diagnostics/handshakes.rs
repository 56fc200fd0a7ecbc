//! Sockets that are refused: what is wrong with the app and its keys, and what its clients did wrong within the last day.

use shared::{
    domain::{handshake::Reason, time::Timestamp},
    store::{diagnosis::Facts, refusals::Refusals},
};

use super::{Check, Verdict, curl, curl_with};

/// How long other servers of the app may go on with the key before.
const CHANGE_OVER: &str = "{\"grace_seconds\":86400}";

/// Where the app is to be asked.
pub(super) struct Places<'a> {
    /// The app itself, for operators.
    pub(super) app: &'a str,
    /// The HTTP API.
    pub(super) http: &'a str,
    /// The socket.
    pub(super) socket: &'a str,
}

pub(super) fn check(facts: &Facts, refused: &[Refusals], places: &Places<'_>) -> Check {
    // An app that is active again refuses nobody for that.
    let refused: Vec<_> = refused.iter().filter(|one| one.reason != Reason::AppInactive).collect();
    let (verdict, detail, command) = if !facts.is_active {
        let detail = "The app is not active: its keys are refused with 403.".to_owned();
        (Verdict::Failed, detail, Some(curl_with("PATCH", places.app, "{\"is_active\":true}")))
    } else if facts.live_keys == 0 {
        let command = curl("POST", &format!("{}/api-key", places.app));
        (Verdict::Failed, "The app has no key that works.".to_owned(), Some(command))
    } else if let Some(newest) = refused.first() {
        let each: Vec<String> = refused.iter().map(|one| told(one)).collect();
        let detail = format!("Handshakes were refused within the last day: {}.", each.join("; "));
        (Verdict::Warning, detail, Some(mending(newest.reason, places)))
    } else {
        let detail = format!(
            "The app has {} working API key(s). Send one without quotes, as x-app-api-key or ?api_key=.",
            facts.live_keys
        );
        (Verdict::Ok, detail, None)
    };
    Check { issue: "WebSocket connection rejected with 401 Unauthorized", verdict, detail, command }
}

/// How often, when last, and why, with the word that also stands in the log.
fn told(refused: &Refusals) -> String {
    let why = match refused.reason {
        Reason::QuotedKey => "the key came in quotation marks",
        Reason::MalformedKey => "the key is mistyped or cut off",
        Reason::WrongKey => "the key is none of the app's",
        Reason::DeadKey => "the key was revoked or rotated",
        Reason::KeyInUrl => "the key stood in the address, which this deployment does not take",
        Reason::AppInactive => "the app was not active",
        Reason::UserId => "the user_id cannot be one",
    };
    let (count, reason, last) = (refused.count, refused.reason.as_str(), Timestamp(refused.last_at));
    format!("{count} x {reason} ({why}), last at {last}")
}

/// What ends refusals for this reason.
fn mending(reason: Reason, places: &Places<'_>) -> String {
    let Places { app, http, socket } = places;
    match reason {
        Reason::QuotedKey => format!("wscat -c '{socket}' -H \"x-app-api-key: $API_KEY\""),
        Reason::UserId => format!("wscat -c '{socket}?user_id=...' -H \"x-app-api-key: $API_KEY\""),
        Reason::KeyInUrl => format!("curl -X POST '{http}/api/ws-tickets' -H \"x-app-api-key: $API_KEY\""),
        Reason::MalformedKey | Reason::WrongKey | Reason::DeadKey | Reason::AppInactive => {
            curl_with("POST", &format!("{app}/api-key"), CHANGE_OVER)
        }
    }
}
