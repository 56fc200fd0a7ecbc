//! One event to a thousand sockets of an app.
//!
//! From the message in the push queue to the last socket's frame, beside the broadcaster's own SDK client posting the same
//! frame to the same sockets, as many at once, to the last socket's frame too. No socket may be left out.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use shared::domain::ids::AppId;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    bench::{
        Error,
        meter::{Meter, Spent},
        report::{Goal, Line, Report, Unit::Milliseconds},
        stage::{PATIENCE, Stage},
    },
    client::Socket,
};

/// As many as the broadcaster posts at once.
const AT_ONCE: usize = 128;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(11, 2), stage.size(1_000, 12));
    let app = stage.client.make_app("fanout").await?;
    let query = format!("api_key={}", app.api_key);
    let sockets: Vec<Socket> = stream::iter(0..count)
        .map(|_| stage.client.connect(&query))
        .buffer_unordered(32)
        .try_collect()
        .await?;
    let mut followers = Followers::new(sockets);
    let look_up = json!({"order": "post", "app_id": app.app_id, "frame": "", "at_once": null});
    order(stage, &look_up)?;
    let known = finish(stage)?;
    if known != count {
        return Err(Error::failed(format!("{known} of {count} sockets are registered")));
    }
    let (mut figures, mut floors, mut spent) = (Vec::new(), Vec::new(), Spent::default());
    for round in 0..=rounds {
        let frame = frame(app.app_id, round);
        let start = Instant::now();
        order(stage, &json!({"order": "post", "app_id": app.app_id, "frame": frame, "at_once": AT_ONCE}))?;
        let floor = followers.all_got_one().await? - start;
        finish(stage)?;

        let entry = json!({"seq": round, "id": Uuid::now_v7(), "audience": null, "frame": frame});
        let message = json!({"app_id": app.app_id, "events": [entry]});
        let (meter, start) = (Meter::start(), Instant::now());
        stage.send_message("PushQueue", &message).await?;
        let figure = followers.all_got_one().await? - start;
        // The first round opens connections.
        if round > 0 {
            meter.end(&mut spent);
            floors.push(floor.as_secs_f64() * 1000.0);
            figures.push(figure.as_secs_f64() * 1000.0);
        }
    }
    report.add(
        Line::new(format!("one event to {count} sockets"), Milliseconds, figures)
            .beside("the SDK client, 128 at once", &floors)
            .goal(Goal::MostTimesFloor(1.5)),
    );
    report.spent(&spent);
    report.note("from the message in the push queue to the last frame; no socket was left out");
    Ok(())
}

fn order(stage: &mut Stage, order: &Value) -> Result<(), Error> {
    stage.load()?[0].order(order)
}

fn finish(stage: &mut Stage) -> Result<usize, Error> {
    let load = &mut stage.load()?[0];
    tokio::task::block_in_place(|| Ok(load.outcome()?.done))
}

/// A frame as long as that of a call.
fn frame(app_id: AppId, round: usize) -> String {
    json!({
        "event": "call.ring", "id": Uuid::now_v7(), "seq": round, "app_id": app_id,
        "occurred_at": "2026-03-02T17:00:01.068Z", "timestamp": "2026-03-02T17:00:01.100Z",
        "call_id": "1234567890123456", "call": Uuid::now_v7(), "version": 1, "direction": "inbound",
        "from_number": "+14155550150", "to_number": "+14155550101", "status": "ringing",
        "user_id": "5600000000000001", "target_crm_user": null, "contact_name": "Jo Client",
    })
    .to_string()
}

/// The sockets, each followed by a task of its own.
struct Followers {
    count: usize,
    frames: mpsc::UnboundedReceiver<usize>,
}

impl Followers {
    fn new(sockets: Vec<Socket>) -> Self {
        let (got, frames) = mpsc::unbounded_channel();
        let count = sockets.len();
        for (number, mut socket) in sockets.into_iter().enumerate() {
            let got = got.clone();
            tokio::spawn(async move {
                while socket.next(PATIENCE * 10).await.is_ok() && got.send(number).is_ok() {}
            });
        }
        Self { count, frames }
    }

    /// Waits until each socket got a frame, and says when the last one did.
    async fn all_got_one(&mut self) -> Result<Instant, Error> {
        let mut has_got = vec![false; self.count];
        for done in 0..self.count {
            match tokio::time::timeout(PATIENCE, self.frames.recv()).await {
                Ok(Some(number)) if !has_got[number] => has_got[number] = true,
                Ok(Some(_)) => return Err(Error::failed("a socket got a frame twice")),
                Ok(None) | Err(_) => {
                    return Err(Error::failed(format!("{done} of {} sockets got the frame", self.count)));
                }
            }
        }
        Ok(Instant::now())
    }
}
