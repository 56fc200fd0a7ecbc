//! The function `dialpad`: what it is asked and what it answers, and how it is invoked.
//!
//! It alone has the client secret and the key that tokens are encrypted with. Tokens come and go sealed; who asks keeps
//! them in the database and cannot read them.

mod message;
pub use message::{
    Action, Answer, Authorization, CallPage, Change, Drift, Endpoint, FoundCall, Inspection, NewCall,
    Refusal, RefusalKind, Request, Span, Subscription,
};

pub use crate::domain::company::{Company, Connection, Hidden, Scope, Tokens};

#[cfg(feature = "invoke")]
mod client;
#[cfg(feature = "invoke")]
pub use client::{Error, Invoker};
