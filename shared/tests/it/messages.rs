//! Text messages in any order, repeated, in batches of any size: the same row, and a story that only goes forward.

use chrono::DateTime;
use proptest::prelude::*;
use shared::domain::{
    call::Direction,
    client_event::EventName,
    ids::DialpadId,
    message::{MessageEvent, Status, fold},
};

use crate::calls::few_cases;

fn event() -> impl Strategy<Value = MessageEvent> {
    let words = ["pending", "sent", "success", "delivered", "undelivered", "failed", "new", ""];
    let direction = [None, Some(Direction::Inbound), Some(Direction::Outbound)];
    (
        1..6_i64,
        proptest::sample::select(words.to_vec()),
        proptest::sample::select(direction.to_vec()),
        proptest::option::of("[ab]"),
        any::<u8>(),
    )
        .prop_map(|(at, status, direction, text, tie_break)| MessageEvent {
            message_id: DialpadId(1),
            at: DateTime::from_timestamp_millis(at).unwrap(),
            tie_break: [&[tie_break], text.as_deref().unwrap_or_default().as_bytes()].concat(),
            direction,
            from_number: text.clone(),
            to_number: None,
            target: None,
            sender_id: (tie_break % 3 == 0).then_some(DialpadId(i64::from(tie_break) + 1)),
            contact_name: None,
            mms: None,
            mms_url: None,
            status: Status::parse(status),
            delivery_result: None,
            sent_at: None,
            text,
        })
}

proptest! {
    #![proptest_config(few_cases())]

    #[test]
    fn any_order_and_any_batches_end_in_the_same_row(
        (events, shuffled) in proptest::collection::vec(event(), 1..8)
            .prop_flat_map(|events| (Just(events.clone()), Just([events.clone(), events].concat()).prop_shuffle())),
        sizes in proptest::collection::vec(1..4_usize, 16),
    ) {
        // Two that nothing tells apart are one.
        let mut distinct = events.clone();
        distinct.sort_by(|one, other| format!("{one:?}").cmp(&format!("{other:?}")));
        distinct.dedup_by(|one, other| {
            (one.at, &one.status, &one.tie_break) == (other.at, &other.status, &other.tie_break)
        });
        prop_assume!(distinct.len() == events.len());

        let (expected, _) = fold(&[], &events).unwrap();
        let (mut before, mut told, mut row) = (Vec::new(), Vec::new(), None);
        let mut rest = shuffled.as_slice();
        for size in sizes {
            let (batch, others) = rest.split_at(size.min(rest.len()));
            rest = others;
            if let Some((message, moments)) = fold(&before, batch) {
                row = Some(message);
                told.extend(moments);
            }
            before.extend_from_slice(batch);
        }
        prop_assert!(rest.is_empty());
        prop_assert_eq!(row, Some(expected.clone()));
        let announced = told.iter().filter(|moment| moment.event != EventName::MessageStatus).count();
        prop_assert_eq!(announced, usize::from(expected.direction.is_some()));
        prop_assert!(told.is_empty() || told[0].event != EventName::MessageStatus);
        let statuses: Vec<_> = told.iter().skip(1).map(|moment| moment.at).collect();
        prop_assert!(statuses.is_sorted(), "{:?}", told);
    }
}
