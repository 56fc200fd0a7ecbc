//! Frames to all sockets of an app, by the client and with the concurrency of the broadcaster, and nothing around them.

use std::{collections::HashMap, time::Instant};

use futures_util::{StreamExt as _, stream};
use lambda_http::Error;
use serde::Deserialize;
use shared::{
    clock::{Clock as _, SystemClock},
    domain::ids::AppId,
    push::{Delivery, Pusher},
    registry::Registry,
};

use crate::Outcome;

/// Which frame, and to whom.
#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    app_id: AppId,
    frame: String,
    /// How many posts are under way at once; none: only look the sockets up, for the next order.
    at_once: Option<usize>,
}

/// Posts, and remembers who is connected.
pub(crate) struct Poster {
    registry: Registry,
    pusher: Pusher,
    sockets: HashMap<AppId, Vec<String>>,
}

impl Poster {
    pub(crate) fn new(registry: Registry, pusher: Pusher) -> Self {
        Self { registry, pusher, sockets: HashMap::new() }
    }

    /// Carries it out.
    pub(crate) async fn run(&mut self, order: &Order) -> Result<Outcome, Error> {
        let Some(at_once) = order.at_once else {
            let connections = self.registry.of_app(order.app_id, SystemClock.now()).await?;
            let sockets: Vec<_> = connections.into_iter().map(|connection| connection.id).collect();
            let done = sockets.len();
            self.sockets.insert(order.app_id, sockets);
            return Ok(Outcome { done, ..Outcome::default() });
        };
        let sockets = self.sockets.get(&order.app_id).map_or(&[][..], Vec::as_slice);
        let started = Instant::now();
        let posts: Vec<bool> = stream::iter(sockets)
            .map(async |id| matches!(self.pusher.post(id, &order.frame).await, Ok(Delivery::Delivered)))
            .buffer_unordered(at_once)
            .collect()
            .await;
        let done = posts.iter().filter(|delivered| **delivered).count();
        Ok(Outcome { seconds: started.elapsed().as_secs_f64(), done, failed: posts.len() - done })
    }
}
