//! Frames of text messages.

use std::collections::HashMap;

use shared::domain::{
    frame::MessageFrame,
    ids::DialpadId,
    message::{Moment, Status},
};
use uuid::Uuid;

use super::{Log, json};
use crate::{
    plan::{Messages, Rows},
    traces::About,
};

/// Writes what a batch tells of text messages.
pub(super) fn write(log: &mut Log<'_>, messages: &Messages, rows: &Rows<'_>) {
    let ids: HashMap<DialpadId, Uuid> =
        rows.messages.iter().map(|(id, message)| (message.message_id, *id)).collect();
    for Moment { event, at, message } in messages.changes.iter().flat_map(|change| &change.news) {
        let Some(message_id) = ids.get(&message.message_id) else { continue };
        let about = About::Message(message.message_id);
        log.add(*event, about, *at, message.user_id, |envelope, crm_user, texts| {
            let mut frame = MessageFrame {
                envelope,
                message_id: *message_id,
                dialpad_message_id: message.message_id,
                direction: message.direction,
                from_number: texts.cut(message.from_number.as_deref()),
                to_number: texts.cut(message.to_number.as_deref()),
                text: texts.cut(message.text.as_deref()),
                mms: message.mms,
                mms_url: texts.cut(message.mms_url.as_deref()),
                status: texts.cut(message.status.as_ref().map(Status::as_str)),
                delivery_result: texts.cut(message.delivery_result.as_deref()),
                user_id: message.user_id,
                group: texts.cut(message.group_name.as_deref()),
                target_crm_user: crm_user,
                contact_name: texts.cut(message.contact_name.as_deref()),
                truncated: false,
            };
            frame.truncated = texts.were_cut;
            json(&frame)
        });
    }
}
