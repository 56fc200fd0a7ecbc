//! A delivery and its frame on a socket: the whole way, step by step, beside the sum of what its parts must cost.

use std::time::Instant;

use super::backlog::batch;
use crate::{
    bench::{
        Error,
        floor::Insert,
        pgbench::{Pgbench, Run},
        report::{Goal, Line, Report, Unit::Milliseconds},
        stage::Stage,
        stats::Times,
        way::{Way, between},
    },
    timing::Point,
};

const STEPS: [&str; 7] = [
    "edge in",
    "webhook: verify, INSERT, message",
    "event queue",
    "processor: transaction, message",
    "push queue",
    "broadcaster: look-up, post",
    "socket",
];

/// Functions that are invoked on the way.
const INVOCATIONS: f64 = 3.0;
/// Requests to AWS on the way: two messages, one look-up, one post.
const REQUESTS: f64 = 4.0;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(7, 2), stage.size(100, 3));
    let (app, mut socket) = stage.app("frame").await?;
    let insert = Insert::new(&stage.database, app.app_id.0).await?;
    for _ in 0..stage.size(100, 2) {
        stage.deliver(&app, &mut socket).await?;
    }
    let queues = ["EventQueue", "PushQueue"].map(|queue| stage.template.queues[queue].name.clone());
    let points = [
        (Point::Taken, "webhook"),
        (Point::Sent, queues[0].as_str()),
        (Point::Taken, "processor"),
        (Point::Sent, queues[1].as_str()),
        (Point::Taken, "broadcaster"),
        (Point::Posted, stage.template.websocket.stage.as_str()),
    ];
    let points = points.map(|(point, name)| (point, name.to_owned()));
    let mut way = Way::follow(&stage.timings)?;
    let mut steps: [Vec<f64>; STEPS.len()] = Default::default();
    let (mut p50, mut p99, mut floors) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (mut frames, mut inserts, mut hellos, mut sends) =
            (Times::default(), Times::default(), Times::default(), Times::default());
        let mut ways: [Vec<f64>; STEPS.len()] = Default::default();
        for _ in 0..count {
            let payload = stage.ringing();
            inserts.push(insert.unnamed(&stage.database, &payload).await?);
            let start = Instant::now();
            stage.send_message("SpillDeadLetterQueue", &payload).await?;
            sends.push(start.elapsed());
            hellos.push(stage.ask("/hello", None, 1, 1).await?);
            let seen = stage.deliver(&app, &mut socket).await?;
            frames.push(seen.frame());
            let wanted: Vec<_> = points.iter().map(|(point, name)| (*point, name.as_str())).collect();
            if let Some(times) = way.steps(seen.sent, &wanted)? {
                let times = [&[seen.sent], &times[..], &[seen.framed]].concat();
                ways.iter_mut().zip(between(&times)).for_each(|(step, time)| step.push(time));
            }
        }
        p50.push(frames.percentile(50));
        p99.push(frames.percentile(99));
        steps.iter_mut().zip(&ways).for_each(|(step, way)| step.push(super::middle(way)));
        let batch = batch_of_one(stage, count).await?;
        floors.push(batch.map(|batch| {
            let [insert, hello, send] = [&inserts, &hellos, &sends].map(|times| times.percentile(50));
            insert + batch + INVOCATIONS * hello + REQUESTS * send
        }));
    }
    let mut figure = Line::new("frame p50", Milliseconds, p50);
    match floors.into_iter().collect::<Option<Vec<f64>>>() {
        Some(floors) => figure = figure.beside("sum of the floors", &floors),
        None => report.note(Pgbench::MISSING),
    }
    report.add(figure.goal(Goal::Most(15.0)));
    report.add(Line::new("frame p99", Milliseconds, p99).goal(Goal::Most(50.0)));
    report.note(
        "the floors: one INSERT, one batch of one event by pgbench, three do-nothing invocations through the edge, four \
         requests to the local AWS; the original: p50 2,280 ms, p99 4,980 ms",
    );
    report.add_steps(STEPS.into_iter().zip(steps));
    Ok(())
}

/// What the transaction of one event takes pgbench, in milliseconds.
async fn batch_of_one(stage: &mut Stage, count: usize) -> Result<Option<f64>, Error> {
    let floor = batch::Floor { apps: 1, events: count, batch: 1 };
    let apps = floor.prepare(stage).await?;
    let run = Run { name: "frame", script: &floor.script(&apps), clients: 1, transactions: count };
    Ok(stage.pgbench.run(&run).await?.map(|rate| 1000.0 / rate))
}
