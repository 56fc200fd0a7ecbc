//! How the webhook and the subscriptions of an app should be, compared with how they are. Pure: what Dialpad lists comes
//! in, what differs and what would mend it comes out.

use serde_json::{Map, Value, json};
use shared::{
    domain::ids::DialpadId,
    invoke::{Drift, Endpoint, Scope, Subscription},
};

use crate::members;

/// The call states that are subscribed to. `all` would bring supervision, too, which is not for agents.
pub(crate) const CALL_STATES: [&str; 20] = [
    "calling",
    "preanswer",
    "queued",
    "ringing",
    "connected",
    "hold",
    "parked",
    "merged",
    "hangup",
    "missed",
    "blocked",
    "voicemail",
    "voicemail_uploaded",
    "transcription",
    "recording",
    "admin_recording",
    "call_transcription",
    "recap_summary",
    "recap_action_items",
    "dispositions",
];

/// Kinds of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Call,
    Sms,
    AgentStatus,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Call, Self::Sms, Self::AgentStatus];

    /// Its name here and in Dialpad's paths.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Sms => "sms",
            Self::AgentStatus => "agent_status",
        }
    }

    /// A subscription as it should be.
    pub(crate) fn wanted(self, webhook_id: DialpadId, scope: Scope) -> Value {
        let mut wanted = match self {
            Self::Call => json!({ "call_states": CALL_STATES, "group_calls_only": false }),
            Self::Sms => json!({ "direction": "all", "status": true, "include_internal": true }),
            Self::AgentStatus => json!({ "agent_type": "callcenter" }),
        };
        wanted["endpoint_id"] = webhook_id.0.into();
        wanted["enabled"] = true.into();
        if let (Scope::Office(office), Self::Call | Self::Sms) = (scope, self) {
            wanted["target_type"] = "office".into();
            wanted["target_id"] = office.0.into();
        }
        wanted
    }

    /// What a subscription lacks: a name and words for each.
    fn lacks(self, found: &Map<String, Value>) -> Vec<(&'static str, String)> {
        let is = |member: &str, value: bool| found.get(member).and_then(Value::as_bool) == Some(value);
        let mut lacks = Vec::new();
        if !is("enabled", true) {
            lacks.push(("disabled", "It is switched off, so nothing is delivered.".to_owned()));
        }
        match self {
            Self::Call => {
                let states = found.get("call_states").and_then(Value::as_array);
                let has = |state: &str| states.is_some_and(|states| states.iter().any(|own| own == state));
                let missing: Vec<&str> = CALL_STATES.into_iter().filter(|state| !has(state)).collect();
                if !missing.is_empty() && !has("all") {
                    let detail = format!("These states are not delivered: {}.", missing.join(", "));
                    lacks.push(("states_missing", detail));
                }
                if is("group_calls_only", true) {
                    lacks.push(("group_calls_only", "Calls to single users are not delivered.".to_owned()));
                }
            }
            Self::Sms => {
                if found.get("direction").and_then(Value::as_str) != Some("all") {
                    lacks.push((
                        "direction_differs",
                        "Messages of one direction are not delivered.".to_owned(),
                    ));
                }
                if !is("status", true) {
                    lacks.push((
                        "status_missing",
                        "The delivery of sent messages is not reported.".to_owned(),
                    ));
                }
            }
            Self::AgentStatus => {}
        }
        lacks
    }
}

/// A webhook as Dialpad lists it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Webhook {
    pub(crate) id: DialpadId,
    pub(crate) hook_url: String,
    secret: Option<String>,
}

impl Webhook {
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: members::id(&value["id"])?,
            hook_url: value["hook_url"].as_str()?.to_owned(),
            secret: value["signature"]["secret"].as_str().map(str::to_owned),
        })
    }
}

/// A subscription as Dialpad lists it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) kind: Kind,
    pub(crate) id: DialpadId,
    webhook: Option<Webhook>,
    members: Map<String, Value>,
}

impl Listed {
    pub(crate) fn read(kind: Kind, value: Value) -> Option<Self> {
        let (id, webhook) = (members::id(&value["id"])?, Webhook::read(&value["webhook"]));
        let Value::Object(members) = value else { return None };
        Some(Self { kind, id, webhook, members })
    }

    fn fits(&self, scope: Scope) -> bool {
        let member = |name: &str| self.members.get(name).unwrap_or(&Value::Null);
        let (target, id) = (member("target_type").as_str(), members::id(member("target_id")));
        match (scope, self.kind) {
            (_, Kind::AgentStatus) => true,
            (Scope::Company, Kind::Call | Kind::Sms) => id.is_none(),
            (Scope::Office(office), Kind::Call | Kind::Sms) => target == Some("office") && id == Some(office),
        }
    }
}

/// What is to be done about a subscription.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Create(Kind),
    Update(Kind, DialpadId),
    Delete(Kind, DialpadId),
}

/// What is there, what differs, and what would mend it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    /// The webhook that is the app's.
    pub(crate) webhook: Option<Webhook>,
    /// Whether its address or secret has to be set.
    pub(crate) webhook_differs: bool,
    /// Webhooks that deliver a second copy to the same address.
    pub(crate) superfluous: Vec<DialpadId>,
    /// The subscriptions that deliver to the app's address.
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) steps: Vec<Step>,
    pub(crate) drift: Vec<Drift>,
}

impl Comparison {
    fn differs(&mut self, what: &str, code: &str, detail: impl Into<String>, id: Option<DialpadId>) {
        self.drift.push(Drift { what: what.to_owned(), code: code.to_owned(), detail: detail.into(), id });
    }
}

/// Compares. The app's webhook is the one that was made for it, else one with its address.
pub(crate) fn compare(endpoint: &Endpoint, webhooks: &[Webhook], listed: &[Listed]) -> Comparison {
    let mut comparison = Comparison::default();
    let own = webhooks.iter().find(|webhook| Some(webhook.id) == endpoint.webhook_id);
    let mut same_address = webhooks.iter().filter(|webhook| webhook.hook_url == endpoint.hook_url);
    let webhook = own.or_else(|| same_address.clone().min_by_key(|webhook| webhook.id)).cloned();
    compare_webhook(&mut comparison, endpoint, webhook.as_ref());
    let own_id = webhook.as_ref().map(|webhook| webhook.id);
    comparison.webhook = webhook;
    for other in same_address.by_ref().filter(|webhook| Some(webhook.id) != own_id) {
        comparison.superfluous.push(other.id);
        comparison.differs(
            "webhook",
            "duplicate",
            "A second webhook has the same address; with it each event comes twice.",
            Some(other.id),
        );
    }
    for kind in Kind::ALL {
        compare_subscriptions(&mut comparison, endpoint, own_id, kind, listed);
    }
    comparison
}

fn compare_webhook(comparison: &mut Comparison, endpoint: &Endpoint, webhook: Option<&Webhook>) {
    let Some(webhook) = webhook else {
        let detail = "There is no webhook, so nothing is delivered.";
        return comparison.differs("webhook", "missing", detail, None);
    };
    if webhook.hook_url != endpoint.hook_url {
        let detail = format!("It delivers to another address than {}.", endpoint.hook_url);
        comparison.differs("webhook", "hook_url_differs", detail, Some(webhook.id));
    }
    match webhook.secret.as_deref().map(str::trim_end) {
        Some(secret) if secret == endpoint.secret.expose() => {}
        Some(_) => comparison.differs(
            "webhook",
            "secret_differs",
            "It signs with another secret than the app's current one.",
            Some(webhook.id),
        ),
        None => {
            comparison.differs("webhook", "unsigned", "It does not sign its deliveries.", Some(webhook.id));
        }
    }
    comparison.webhook_differs = !comparison.drift.is_empty();
}

fn compare_subscriptions(
    comparison: &mut Comparison,
    endpoint: &Endpoint,
    own_id: Option<DialpadId>,
    kind: Kind,
    listed: &[Listed],
) {
    let is_ours = |subscription: &&Listed| {
        let webhook = subscription.webhook.as_ref();
        subscription.kind == kind
            && webhook
                .is_some_and(|webhook| Some(webhook.id) == own_id || webhook.hook_url == endpoint.hook_url)
    };
    let mut ours: Vec<&Listed> = listed.iter().filter(is_ours).collect();
    // The one that needs the least is kept.
    ours.sort_by_key(|one| {
        let is_elsewhere = one.webhook.as_ref().map(|webhook| webhook.id) != own_id;
        (!one.fits(endpoint.scope), is_elsewhere, kind.lacks(&one.members).len(), one.id)
    });
    comparison.subscriptions.extend(ours.iter().map(|one| Subscription {
        kind: kind.as_str().to_owned(),
        id: one.id,
        enabled: one.members.get("enabled").and_then(Value::as_bool) == Some(true),
    }));
    let kept = ours.first().filter(|first| first.fits(endpoint.scope));
    match kept {
        None => {
            comparison.differs(kind.as_str(), "missing", "There is no subscription of this kind.", None);
            comparison.steps.push(Step::Create(kind));
        }
        Some(kept) => {
            let mut lacks = kind.lacks(&kept.members);
            if kept.webhook.as_ref().map(|webhook| webhook.id) != own_id {
                lacks.push(("foreign_webhook", "It delivers through another webhook.".to_owned()));
            }
            if !lacks.is_empty() {
                comparison.steps.push(Step::Update(kind, kept.id));
            }
            for (code, detail) in lacks {
                comparison.differs(kind.as_str(), code, detail, Some(kept.id));
            }
        }
    }
    for other in ours.iter().skip(usize::from(kept.is_some())) {
        comparison.steps.push(Step::Delete(kind, other.id));
        let (code, detail) = if other.fits(endpoint.scope) {
            ("duplicate", "It delivers each event a second time.")
        } else {
            ("other_target", "It is for another target than the one that was provisioned.")
        };
        comparison.differs(kind.as_str(), code, detail, Some(other.id));
    }
}

#[cfg(test)]
mod tests {
    use shared::invoke::Hidden;

    use super::*;

    const URL: &str = "https://cti.example/webhooks/dialpad/1";

    fn endpoint(scope: Scope) -> Endpoint {
        let webhook_id = Some(DialpadId(10));
        Endpoint { hook_url: URL.to_owned(), secret: Hidden::new("s"), webhook_id, scope }
    }

    fn webhook(id: i64, hook_url: &str, secret: &str) -> Webhook {
        Webhook::read(&json!({"id": id.to_string(), "hook_url": hook_url, "signature": {"secret": secret}}))
            .unwrap()
    }

    fn subscription(kind: Kind, id: i64, change: &Value) -> Listed {
        let mut value = kind.wanted(DialpadId(10), Scope::Company);
        value["id"] = id.to_string().into();
        value["webhook"] = json!({"id": "10", "hook_url": URL, "signature": {"secret": "s"}});
        for (name, member) in change.as_object().unwrap() {
            value[name] = member.clone();
        }
        Listed::read(kind, value).unwrap()
    }

    fn all_well() -> Vec<Listed> {
        (20..).zip(Kind::ALL).map(|(id, kind)| subscription(kind, id, &json!({}))).collect()
    }

    fn codes(comparison: &Comparison) -> Vec<String> {
        comparison.drift.iter().map(|drift| format!("{}.{}", drift.what, drift.code)).collect()
    }

    #[test]
    fn what_is_as_wanted_needs_nothing() {
        let found = compare(&endpoint(Scope::Company), &[webhook(10, URL, "s")], &all_well());
        assert_eq!((codes(&found), &found.steps, found.webhook_differs), (vec![], &vec![], false));
        assert_eq!(found.subscriptions.len(), 3);
    }

    #[test]
    fn nothing_at_all_is_made() {
        let found = compare(&endpoint(Scope::Company), &[webhook(3, "https://other.example", "x")], &[]);
        assert_eq!(codes(&found), ["webhook.missing", "call.missing", "sms.missing", "agent_status.missing"]);
        assert_eq!(found.steps, Kind::ALL.map(Step::Create));
        assert_eq!(found.webhook, None);
    }

    #[test]
    fn a_webhook_that_was_changed_is_named() {
        let of = |webhook| compare(&endpoint(Scope::Company), &[webhook], &all_well());
        assert_eq!(codes(&of(webhook(10, "https://other.example", "s"))), ["webhook.hook_url_differs"]);
        assert_eq!(codes(&of(webhook(10, URL, "old"))), ["webhook.secret_differs"]);
        let unsigned = Webhook::read(&json!({"id": 10, "hook_url": URL})).unwrap();
        let unsigned = of(unsigned);
        assert_eq!((codes(&unsigned), unsigned.webhook_differs), (vec!["webhook.unsigned".to_owned()], true));
    }

    #[test]
    fn a_subscription_that_delivers_less_is_updated() {
        for (kind, change, code) in [
            (Kind::Call, json!({"enabled": false}), "call.disabled"),
            (Kind::Call, json!({"call_states": ["hangup"]}), "call.states_missing"),
            (Kind::Call, json!({"group_calls_only": true}), "call.group_calls_only"),
            (Kind::Sms, json!({"direction": "inbound"}), "sms.direction_differs"),
            (Kind::Sms, json!({"status": null}), "sms.status_missing"),
            (Kind::AgentStatus, json!({"enabled": null}), "agent_status.disabled"),
        ] {
            let mut listed = all_well();
            listed.retain(|one| one.kind != kind);
            listed.push(subscription(kind, 30, &change));
            let found = compare(&endpoint(Scope::Company), &[webhook(10, URL, "s")], &listed);
            assert_eq!(
                (codes(&found), found.steps),
                (vec![code.to_owned()], vec![Step::Update(kind, DialpadId(30))])
            );
        }
        let mut listed = all_well();
        listed[0] = subscription(Kind::Call, 30, &json!({"call_states": ["all"]}));
        assert_eq!(codes(&compare(&endpoint(Scope::Company), &[webhook(10, URL, "s")], &listed)), [""; 0]);
    }

    #[test]
    fn a_second_copy_and_another_target_are_deleted() {
        let mut listed = all_well();
        listed.push(subscription(Kind::Call, 30, &json!({})));
        listed.push(subscription(Kind::Sms, 31, &json!({"target_type": "user", "target_id": "9"})));
        let webhooks = [webhook(10, URL, "s"), webhook(11, URL, "s")];
        let found = compare(&endpoint(Scope::Company), &webhooks, &listed);
        assert_eq!(codes(&found), ["webhook.duplicate", "call.duplicate", "sms.other_target"]);
        assert_eq!(
            found.steps,
            [Step::Delete(Kind::Call, DialpadId(30)), Step::Delete(Kind::Sms, DialpadId(31))]
        );
        assert_eq!(found.superfluous, [DialpadId(11)]);
    }

    #[test]
    fn an_office_has_subscriptions_of_its_own() {
        let found = compare(&endpoint(Scope::Office(DialpadId(5))), &[webhook(10, URL, "s")], &all_well());
        assert_eq!(codes(&found), ["call.missing", "call.other_target", "sms.missing", "sms.other_target"]);
        let target = json!({"target_type": "office", "target_id": "5"});
        let listed = [
            subscription(Kind::Call, 40, &target),
            subscription(Kind::Sms, 41, &target),
            subscription(Kind::AgentStatus, 42, &json!({})),
        ];
        let found = compare(&endpoint(Scope::Office(DialpadId(5))), &[webhook(10, URL, "s")], &listed);
        assert_eq!(codes(&found), [""; 0]);
    }

    #[test]
    fn what_other_programs_of_the_company_made_is_left_alone() {
        let foreign = json!({"webhook": {"id": "77", "hook_url": "https://other.example"}});
        let mut listed = all_well();
        listed.push(subscription(Kind::Call, 50, &foreign));
        let webhooks = [webhook(10, URL, "s"), webhook(77, "https://other.example", "y")];
        let found = compare(&endpoint(Scope::Company), &webhooks, &listed);
        assert_eq!((codes(&found), found.steps), (vec![], vec![]));
    }
}
