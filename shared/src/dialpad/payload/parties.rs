//! Who is on either side: what payloads of calls, messages and agents have in common.

use super::{member::Member, object::Object};
use crate::domain::call::{Direction, Target};

/// Which way it went.
pub(super) fn direction(object: &Object<'_>) -> Option<Direction> {
    match object.get("direction")?.text()?.trim().to_ascii_lowercase().as_str() {
        "inbound" | "incoming" | "in" => Some(Direction::Inbound),
        "outbound" | "outgoing" | "out" => Some(Direction::Outbound),
        _ => None,
    }
}

/// Whom it is for. Anything that says it is not a user is a group.
pub(super) fn target(object: &Object<'_>) -> Option<Target> {
    let read = |target: Object<'_>| {
        let is_group =
            target.get("type").and_then(Member::text).is_some_and(|kind| !kind.eq_ignore_ascii_case("user"));
        let name = target.get("name").and_then(Member::text);
        Some(Target { id: target.get("id")?.id().ok()?, is_user: !is_group, name })
    };
    let user = || {
        let id = object.first(&["user_id", "dialpad_user_id"], |member| member.id().ok());
        id.or_else(|| object.below("owner")?.get("id")?.id().ok())
    };
    object
        .below("target")
        .and_then(read)
        .or_else(|| user().map(|id| Target { id, is_user: true, name: None }))
}

/// The name of the party outside.
pub(super) fn contact_name(object: &Object<'_>) -> Option<String> {
    object
        .below("contact")
        .and_then(|contact| contact.get("name")?.text())
        .or_else(|| object.get("contact_name")?.text())
}
