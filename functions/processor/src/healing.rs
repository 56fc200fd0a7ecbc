//! Legs that fell silent: Dialpad is asked how they stand, and what was missed becomes events of their own.
//!
//! Dialpad is never hurried: each company has a budget below Dialpad's limit, and a refusal, a time-out or a broken
//! connection ends its round. A leg that was asked for in vain is due again in the next run.

mod turn;

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{StreamExt as _, stream};
use shared::{
    connection::{self, Dialpad},
    dialpad::{
        payload,
        reconciled::{self, Known},
    },
    invoke::{FoundCall, Invoker, RefusalKind},
    store::{
        self,
        inbox::{Accepted, NewEvent},
        reconciling::{self, SilentLeg},
    },
    telemetry::{Chain, Metric},
};
use tokio::time::Instant;
use tracing::{info, warn};

use self::turn::{A_MINUTE, ask_again_at, rounds};
use crate::{traces::Traces, worker::Processor};

/// How many legs one run asks for at most, over all companies.
const A_RUN: i64 = 120;
/// How many companies are asked at once.
const AT_ONCE: usize = 4;
/// No leg is asked for after this much of a run. What was begun is never cut off: it may be exchanging tokens, and Dialpad
/// takes some 40 seconds at worst.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// How long nobody else asks for a leg that somebody is asking for, and that is due again if he does not come back.
const CLAIM: TimeDelta = TimeDelta::seconds(50);

/// Who asks Dialpad, and after what silence.
#[derive(Clone, Copy)]
struct Asking<'a> {
    invoker: &'a Invoker,
    silence: TimeDelta,
}

/// Asks for the legs that are due. A failure is no reason not to process events.
pub(crate) async fn heal(processor: &Processor) {
    let (Some(invoker), Some(silence)) = (&processor.dialpad, processor.config.reconcile_after) else {
        return;
    };
    let asking = Asking { invoker, silence };
    let begin_until = Instant::now() + BEGIN_WITHIN;
    match due(processor, silence).await {
        Ok(legs) => {
            stream::iter(rounds(legs))
                .for_each_concurrent(AT_ONCE, |round| {
                    Box::pin(ask_for_all(processor, asking, round, begin_until))
                })
                .await;
        }
        Err(error) => {
            warn!(component = "Dialpad", error = %Chain(&error), "silent legs not looked for");
        }
    }
}

async fn due(processor: &Processor, silence: TimeDelta) -> store::Result<Vec<SilentLeg>> {
    let now = processor.clock.now();
    let db = processor.store.system().await?;
    let of_each = i64::try_from(A_MINUTE).unwrap_or(i64::MAX);
    reconciling::silent(&*db, now - silence, now, of_each, A_RUN).await
}

/// Asks for the legs of one company, one after the other, until there are none or Dialpad does not answer.
async fn ask_for_all(processor: &Processor, asking: Asking<'_>, round: Vec<SilentLeg>, begin_until: Instant) {
    for leg in round {
        if Instant::now() > begin_until {
            return;
        }
        let (app_id, call_id) = (leg.app_id, leg.call_id);
        match ask_for(processor, asking, &leg).await {
            Ok(0) => {}
            Ok(_) => {
                if let Err(error) = processor.work_on(app_id, &Traces::default(), begin_until).await {
                    warn!(component = "Processor", %app_id, error = %Chain(&error), "app left for the next look");
                }
            }
            Err(error) => {
                warn!(component = "Dialpad", %app_id, %call_id, error = %Chain(&error), "not asked, the next run tries again");
                return;
            }
        }
    }
}

/// Asks for a leg and stores what was missed; gives the number of events.
async fn ask_for(
    processor: &Processor,
    asking: Asking<'_>,
    leg: &SilentLeg,
) -> Result<usize, connection::Error> {
    let (store, clock) = (&processor.store, &*processor.clock);
    let now = clock.now();
    let is_ours = {
        let db = store.app(leg.app_id).await?;
        db.commit_with(reconciling::claim(&*db, leg, now, now + CLAIM)).await?
    };
    if !is_ours {
        return Ok(0);
    }
    let dialpad = Dialpad { store, invoker: asking.invoker, clock };
    let known = Known { call_id: leg.call_id, status: Some(leg.status), last_at: Some(leg.last_at) };
    // In boxes: nested as they are, these futures are more than the compiler can lay out at once.
    let payloads = match Box::pin(dialpad.show_call(leg.app_id, leg.call_id)).await {
        Ok(FoundCall { call }) => reconciled::missed(&known, call.as_ref()),
        Err(error) if is_about_this_leg(&error) => {
            warn!(component = "Dialpad", app_id = %leg.app_id, call_id = %leg.call_id, error = %Chain(&error), "asked in vain");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let missed: Vec<_> = payloads
        .iter()
        // Whatever is made of an answer is an object.
        .filter_map(|payload| payload::inspect(&payload.to_string()).ok())
        .collect();

    let now = clock.now();
    let tx = store.app(leg.app_id).await?;
    let mut stored = 0;
    for delivery in &missed {
        let event = NewEvent { app_id: leg.app_id, delivery, received_at: now };
        if let Accepted::New(event_id) =
            reconciling::accept_unless_told(&*tx, event, leg.call_id, Some(leg.updated_at)).await?
        {
            stored += 1;
            info!(component = "Dialpad", app_id = %leg.app_id, %event_id, call_id = %leg.call_id, state = delivery.event_type, "reconciled");
        }
    }
    let again_at = ask_again_at(leg, asking.silence, now);
    tx.commit_with(reconciling::answered(&*tx, leg.app_id, leg.call_id, again_at)).await?;
    processor.metrics.add(Metric::Reconciled, stored);
    Ok(stored)
}

/// Whether the next leg may have another answer.
fn is_about_this_leg(error: &connection::Error) -> bool {
    let connection::Error::Invoke(error) = error else { return false };
    matches!(error.kind(), Some(RefusalKind::Forbidden | RefusalKind::Invalid | RefusalKind::NotFound))
}
