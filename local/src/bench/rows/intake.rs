//! How many deliveries a second are taken.
//!
//! At `handle`: the webhook's library with the real database and queue, two processes with eight deliveries under way each,
//! as pgbench has two threads with eight clients each. Through the edge: everything, with the processors at work behind it.

use serde_json::{Value, json};
use shared::domain::ids::AppId;

use crate::bench::{
    Error,
    floor::Insert,
    meter::{Meter, Spent},
    pgbench::{Pgbench, Run},
    report::{Goal, Line, Report, Unit::PerSecond},
    stage::Stage,
    stats::number,
};

const AT_ONCE: usize = 16;
/// What the original took through its edge.
const ORIGINAL: f64 = 1089.0;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(5, 2), stage.size(6_000, 32));
    let (app, socket) = stage.app("intake").await?;
    drop(socket);
    let app_id = app.app_id.0;
    let insert = Insert::new(&stage.database, app_id).await?;
    let script = insert.script(&stage.ringing());
    let (mut handled, mut floors, mut through_edge) = (Vec::new(), Vec::new(), Vec::new());
    let mut spent = Spent::default();
    for round in 0..=rounds {
        // Round 0 opens the connections.
        let count = if round == 0 { AT_ONCE } else { count };
        let orders = orders(stage, app.app_id, app.webhook_secret.expose(), count);
        let rate = at_handle(stage, &orders, count)?;
        let run =
            Run { name: "intake", script: &script, clients: AT_ONCE, transactions: (count / AT_ONCE).max(1) };
        let floor = stage.pgbench.run(&run).await?;
        // No message woke the processor for those.
        stage.send_message("EventQueue", &json!({"kind": "stored", "app_id": app_id})).await?;
        stage.settled(&[app_id], count).await?;
        let payloads: Vec<Value> = (0..count / 2).map(|_| stage.ringing()).collect();
        let (meter, start) = (Meter::start(), std::time::Instant::now());
        let end = stage.deliver_all(&app, &payloads, AT_ONCE).await?;
        if round > 0 {
            meter.end(&mut spent);
        }
        stage.settled(&[app_id], count).await?;
        if round > 0 {
            handled.push(rate);
            floors.push(floor);
            through_edge.push(number(payloads.len()) / (end - start).as_secs_f64());
        }
    }
    let mut line = Line::new("at handle, 16 at once", PerSecond, handled);
    match floors.into_iter().collect::<Option<Vec<f64>>>() {
        Some(floors) => {
            line = line.beside("pgbench, the same INSERT", &floors).goal(Goal::LeastTimesFloor(0.6));
        }
        None => report.note(Pgbench::MISSING),
    }
    report.add(line);
    report
        .add(Line::new("through the edge, 16 at once", PerSecond, through_edge).goal(Goal::Least(ORIGINAL)));
    report.spent(&spent);
    report.note("through the edge is what is said of the processors; the original: 1,089/s through its edge");
    Ok(())
}

/// An equal part for each helper.
fn orders(stage: &mut Stage, app_id: AppId, secret: &str, count: usize) -> Vec<Value> {
    let helpers = crate::bench::load::Load::PROCESSES;
    (0..helpers)
        .map(|_| {
            let payloads: Vec<Value> = (0..count / helpers).map(|_| stage.ringing()).collect();
            json!({"order": "deliver", "app_id": app_id, "secret": secret, "payloads": payloads, "at_once": AT_ONCE / helpers})
        })
        .collect()
}

/// All helpers at once; the slowest decides.
fn at_handle(stage: &mut Stage, orders: &[Value], count: usize) -> Result<f64, Error> {
    let load = stage.load()?;
    // The helpers block, and nothing else is to happen meanwhile.
    tokio::task::block_in_place(|| {
        for (helper, order) in load.iter_mut().zip(orders) {
            helper.order(order)?;
        }
        let mut slowest: f64 = 0.0;
        let mut done = 0;
        for helper in load.iter_mut() {
            let outcome = helper.outcome()?;
            slowest = slowest.max(outcome.seconds);
            done += outcome.done;
        }
        if done != count {
            return Err(Error::failed(format!("{done} of {count} deliveries were taken")));
        }
        Ok(number(done) / slowest)
    })
}
