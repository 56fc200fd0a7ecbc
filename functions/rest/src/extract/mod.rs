//! What handlers take out of a request, refused with problems of ours: JSON bodies, query parameters, path parameters,
//! and the values they are made of.

mod json;
mod path;
mod query;
mod values;

pub(crate) use self::{
    json::{Json, OptionalJson, read},
    path::Path,
    query::{NoParameters, Query},
    values::{AppName, CrmUserId, DefaultRegion, DialpadUserId, GraceSeconds, Moment, PhoneNumber},
};

/// The most characters of a message that repeats what the client sent.
const MAX_DETAIL: usize = 300;

/// A message of a reasonable length.
fn shortened(message: &str) -> String {
    if message.chars().count() <= MAX_DETAIL {
        return message.to_owned();
    }
    let mut short: String = message.chars().take(MAX_DETAIL).collect();
    short.push_str("...");
    short
}
