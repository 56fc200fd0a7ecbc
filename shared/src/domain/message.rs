//! Text messages: what Dialpad says of one ([`MessageEvent`]), what it is by all that was said ([`Message`]), and what
//! clients are told.
//!
//! As with calls, the row depends on nothing but the set of its events: they are put in order by Dialpad's clock, and of
//! each member the newest value counts that is known.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{
    call::{Direction, Target},
    client_event::EventName,
    ids::DialpadId,
};

/// What one delivery says of one message. Everything but the id and the time may be missing, and a missing value never
/// erases a known one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvent {
    /// The message.
    pub message_id: DialpadId,
    /// When Dialpad emitted the event (`event_timestamp`).
    pub at: DateTime<Utc>,
    /// Breaks ties between events of one moment in the same way whatever order they came in.
    pub tie_break: Vec<u8>,
    /// Who wrote to whom.
    pub direction: Option<Direction>,
    /// The number that wrote.
    pub from_number: Option<String>,
    /// The number that was written to; the first of several.
    pub to_number: Option<String>,
    /// The user or group whose number it was written from, or to.
    pub target: Option<Target>,
    /// The user who wrote on behalf of a group.
    pub sender_id: Option<DialpadId>,
    /// The name of the party outside.
    pub contact_name: Option<String>,
    /// What it says; only where the subscription's key may read it.
    pub text: Option<String>,
    /// Whether something is attached.
    pub mms: Option<bool>,
    /// What is attached.
    pub mms_url: Option<String>,
    /// How far it got.
    pub status: Option<Status>,
    /// Why it got no further.
    pub delivery_result: Option<String>,
    /// When it was written.
    pub sent_at: Option<DateTime<Utc>>,
}

/// How far a message got, in Dialpad's words, in lower case: an open set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(String);

impl Status {
    /// A word; `None` if there is none.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        (!word.is_empty()).then_some(Self(word))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which of two of one moment comes later.
    fn rank(&self) -> u8 {
        match self.as_str() {
            "pending" => 0,
            "delivered" | "undelivered" | "failed" => 2,
            // Sent, `success` as the API has it, and what is not known here.
            _ => 1,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message by all that was said of it: the row of `messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Dialpad's id.
    pub message_id: DialpadId,
    /// Who wrote to whom.
    pub direction: Option<Direction>,
    /// The number that wrote.
    pub from_number: Option<String>,
    /// The number that was written to.
    pub to_number: Option<String>,
    /// What it says.
    pub text: Option<String>,
    /// Whether something is attached.
    pub mms: bool,
    /// What is attached.
    pub mms_url: Option<String>,
    /// How far it got.
    pub status: Option<Status>,
    /// Why it got no further.
    pub delivery_result: Option<String>,
    /// The user who wrote or got it; none on what a group got.
    pub user_id: Option<DialpadId>,
    /// The name of the group that wrote or got it.
    pub group_name: Option<String>,
    /// The name of the party outside.
    pub contact_name: Option<String>,
    /// When it was written; where Dialpad does not say, when it was first heard of.
    pub sent_at: Option<DateTime<Utc>>,
}

/// Something clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What they are told.
    pub event: EventName,
    /// When it happened, by Dialpad's clock.
    pub at: DateTime<Utc>,
    /// The message as it stood right after it, by all that is known up to then.
    pub message: Message,
}

/// Folds the events of one message, of which `before` were applied before, and tells what is news. `None`: there are no
/// events.
///
/// - A message is announced once, when it is first known who wrote to whom; afterwards each change of its status is told.
/// - Nothing is told of an event that was applied before, and nothing that is older than one: a late event changes the
///   row, and never moves a message backwards.
#[must_use]
pub fn fold(before: &[MessageEvent], new: &[MessageEvent]) -> Option<(Message, Vec<Moment>)> {
    let was_announced = before.iter().any(|event| event.direction.is_some());
    let newest = before.iter().max_by_key(|event| place(event));
    let mut events: Vec<&MessageEvent> = before.iter().chain(new).collect();
    events.sort_by_key(|event| (place(event), &event.tie_break));
    let mut known: Option<Message> = None;
    let (mut is_announced, mut moments) = (false, Vec::new());
    for event in events {
        let status = known.as_ref().and_then(|message| message.status.clone());
        let message = known.take().unwrap_or_else(|| Message::new(event)).with(event);
        let name = match message.direction {
            Some(direction) if !is_announced => Some(match direction {
                Direction::Inbound => EventName::MessageReceived,
                Direction::Outbound => EventName::MessageSent,
            }),
            Some(_) if message.status != status => Some(EventName::MessageStatus),
            Some(_) | None => None,
        };
        if let Some(name) = name {
            let is_late = newest.is_some_and(|newest| place(event) <= place(newest));
            let is_repeated = name != EventName::MessageStatus || is_late;
            if !(was_announced && is_repeated) {
                moments.push(Moment { event: name, at: event.at, message: message.clone() });
            }
            is_announced = true;
        }
        known = Some(message);
    }
    known.map(|message| (message, moments))
}

/// The place of an event among those of its message.
fn place(event: &MessageEvent) -> (DateTime<Utc>, Option<u8>, Option<&Status>) {
    (event.at, event.status.as_ref().map(Status::rank), event.status.as_ref())
}

impl Message {
    fn new(first: &MessageEvent) -> Self {
        Self {
            message_id: first.message_id,
            direction: None,
            from_number: None,
            to_number: None,
            text: None,
            mms: false,
            mms_url: None,
            status: None,
            delivery_result: None,
            user_id: None,
            group_name: None,
            contact_name: None,
            sent_at: Some(first.at),
        }
    }

    /// With what a newer event says.
    fn with(self, event: &MessageEvent) -> Self {
        fn newer<T: Clone>(new: Option<&T>, known: Option<T>) -> Option<T> {
            new.cloned().or(known)
        }
        let (user, group) = match &event.target {
            Some(target) if target.is_user => (Some(target.id), None),
            Some(target) => (event.sender_id, target.name.as_ref()),
            None => (event.sender_id, None),
        };
        let mms_url = newer(event.mms_url.as_ref(), self.mms_url);
        Self {
            message_id: self.message_id,
            direction: event.direction.or(self.direction),
            from_number: newer(event.from_number.as_ref(), self.from_number),
            to_number: newer(event.to_number.as_ref(), self.to_number),
            text: newer(event.text.as_ref(), self.text),
            mms: event.mms.unwrap_or(self.mms) || mms_url.is_some(),
            mms_url,
            status: newer(event.status.as_ref(), self.status),
            delivery_result: newer(event.delivery_result.as_ref(), self.delivery_result),
            user_id: user.or(self.user_id),
            group_name: newer(group, self.group_name),
            contact_name: newer(event.contact_name.as_ref(), self.contact_name),
            sent_at: event.sent_at.or(self.sent_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, status: &str) -> MessageEvent {
        MessageEvent {
            message_id: DialpadId(1),
            at: DateTime::from_timestamp_millis(at).unwrap(),
            tie_break: Vec::new(),
            direction: Some(Direction::Outbound),
            from_number: None,
            to_number: None,
            target: None,
            sender_id: None,
            contact_name: None,
            text: None,
            mms: None,
            mms_url: None,
            status: Status::parse(status),
            delivery_result: None,
            sent_at: None,
        }
    }

    /// Applies batches one after the other; gives the row, and what was told.
    fn applied(batches: &[&[MessageEvent]]) -> (Message, Vec<(EventName, String)>) {
        let (mut before, mut told, mut row) = (Vec::new(), Vec::new(), None);
        for batch in batches {
            let (message, moments) = fold(&before, batch).unwrap();
            let word = |moment: Moment| {
                (moment.event, moment.message.status.map(|status| status.to_string()).unwrap_or_default())
            };
            told.extend(moments.into_iter().map(word));
            before.extend_from_slice(batch);
            row = Some(message);
        }
        (row.unwrap(), told)
    }

    #[test]
    fn a_message_is_announced_once_and_each_new_status_is_told() {
        let events = [event(1, "pending"), event(2, "sent"), event(3, "sent"), event(4, "delivered")];
        let expected = [
            (EventName::MessageSent, "pending".to_owned()),
            (EventName::MessageStatus, "sent".to_owned()),
            (EventName::MessageStatus, "delivered".to_owned()),
        ];
        let one_by_one: Vec<&[MessageEvent]> = events.chunks(1).collect();
        assert_eq!(applied(&one_by_one).1, expected);
        assert_eq!(applied(&[&events]).1, expected);
        let repeated: Vec<&[MessageEvent]> = events.chunks(1).chain(events.chunks(2)).collect();
        assert_eq!(applied(&repeated).1, expected);
    }

    #[test]
    fn a_late_event_fills_the_row_and_tells_nothing() {
        let late = MessageEvent { text: Some("Hi".to_owned()), ..event(1, "pending") };
        let (row, told) = applied(&[&[event(5, "delivered")], &[late], &[event(3, "sent")]]);
        assert_eq!((row.text.as_deref(), row.status), (Some("Hi"), Status::parse("delivered")));
        assert_eq!(told, [(EventName::MessageSent, "delivered".to_owned())]);
    }

    #[test]
    fn of_one_moment_the_further_status_wins_in_any_order() {
        let events = [event(1, "pending"), event(1, "sent"), event(1, "undelivered")];
        for [one, two, three] in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let (row, told) =
                applied(&[&[events[one].clone()], &[events[two].clone()], &[events[three].clone()]]);
            assert_eq!(row.status, Status::parse("Undelivered "));
            assert_eq!(told.last().map(|(_, status)| status.as_str()), Some("undelivered"));
        }
    }

    #[test]
    fn a_missing_value_erases_nothing() {
        let full = MessageEvent {
            from_number: Some("+14155550101".to_owned()),
            to_number: Some("+14155550150".to_owned()),
            target: Some(Target { id: DialpadId(5), is_user: false, name: Some("Desk".to_owned()) }),
            sender_id: Some(DialpadId(7)),
            contact_name: Some("Robin".to_owned()),
            text: Some("Hi".to_owned()),
            mms_url: Some("https://e.com/a.jpg".to_owned()),
            delivery_result: Some("accepted".to_owned()),
            sent_at: DateTime::from_timestamp_millis(1),
            ..event(2, "sent")
        };
        let empty = MessageEvent { direction: None, mms: Some(false), ..event(3, "") };
        let (row, told) = applied(&[std::slice::from_ref(&full), std::slice::from_ref(&empty)]);
        assert_eq!(told.len(), 1);
        assert_eq!((row.user_id, row.group_name.as_deref()), (Some(DialpadId(7)), Some("Desk")));
        assert!(row.mms && row.text.is_some() && row.contact_name.is_some() && row.delivery_result.is_some());
        assert_eq!((row.sent_at, row.status.clone()), (full.sent_at, Status::parse("sent")));
        assert_eq!(applied(&[&[empty], &[full]]).0, row);
    }

    #[test]
    fn nothing_is_told_until_it_is_known_who_wrote_to_whom() {
        let nameless = MessageEvent { direction: None, ..event(5, "pending") };
        let inbound = MessageEvent { direction: Some(Direction::Inbound), ..event(1, "pending") };
        let (_, told) = applied(&[&[nameless], &[inbound]]);
        assert_eq!(told, [(EventName::MessageReceived, "pending".to_owned())]);
        assert_eq!(fold(&[], &[]), None);
    }
}
