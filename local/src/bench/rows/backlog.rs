//! A backlog: how fast waiting events are applied, in many apps and in one, and whether unreadable ones hold the others up.

pub(super) mod batch;
mod seed;

use std::time::Instant;

use serde_json::json;
use uuid::Uuid;

use crate::bench::{
    Error,
    meter::{Meter, Spent},
    pgbench::{Pgbench, Run},
    processes,
    report::{
        Goal, Line, Report,
        Unit::{Megabytes, PerSecond},
    },
    stage::Stage,
    stats::number,
};
use seed::Seed;

/// Processors that work on messages at once, with two apps each: `local` keeps one of four for the schedule.
const WORKERS: usize = 6;
const BATCH: usize = 50;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (apps, events) = (stage.size(20, 2), stage.size(stage.backlog, 200));
    let rounds = if events > crate::bench::BACKLOG { 1 } else { stage.size(2, 1) };
    let in_one = stage.size(50_000, 200);
    let unreadable = stage.size(500, 10);
    let many = Seed { apps, events: events / apps, unreadable_every: None };
    let spoilt = Seed { unreadable_every: Some(events / unreadable), ..many };
    let one = Seed { apps: 1, events: in_one, unreadable_every: None };
    // The floor does a part of it: as long as a round takes, pgbench would only do the same for longer.
    let floor_of_many = batch::Floor { apps: WORKERS, events: stage.size(4_000, 100), batch: BATCH };
    let floor_of_one = batch::Floor { apps: 1, events: stage.size(10_000, 100), batch: BATCH };

    let mut figures: [Vec<f64>; 3] = Default::default();
    let mut floors: [Vec<Option<f64>>; 2] = Default::default();
    let mut spent = Spent::default();
    for _ in 0..rounds {
        floors[0].push(pgbench(stage, &floor_of_many).await?);
        figures[0].push(work_off(stage, &many, &mut spent).await?);
        figures[1].push(work_off(stage, &spoilt, &mut spent).await?);
        floors[1].push(pgbench(stage, &floor_of_one).await?);
        figures[2].push(work_off(stage, &one, &mut spent).await?);
    }
    let [in_many, with_unreadable, in_one_app] = figures;
    let [of_many, of_one] = floors.map(|floor| floor.into_iter().collect::<Option<Vec<f64>>>());
    let beside = |line: Line, floor: Option<Vec<f64>>| match floor {
        Some(floor) => line.beside("pgbench, the same batches", &floor),
        None => line,
    };
    if of_many.is_none() {
        report.note(Pgbench::MISSING);
    }
    let line = Line::new(format!("{events} events in {apps} apps"), PerSecond, in_many.clone());
    report.add(beside(line, of_many).goal(Goal::Least(5_000.0)));
    report.add(
        Line::new(format!("the same, {unreadable} of them unreadable"), PerSecond, with_unreadable)
            .beside("all readable", &in_many)
            .goal(Goal::LeastTimesFloor(0.9)),
    );
    let line = Line::new(format!("{in_one} events in one app"), PerSecond, in_one_app);
    report.add(beside(line, of_one).goal(Goal::Least(2_000.0)));
    if let Some(peak) = processor_memory(stage) {
        report.add(Line::new("a processor's memory, the most ever", Megabytes, vec![peak]));
    }
    report.spent(&spent);
    report.note(
        "a call has three events; pgbench does the processor's statements in the same transactions, without reading JSON, \
         folding, or the push queue; the original: 142/s",
    );
    Ok(())
}

/// Events a second from the first wake-up until none waits.
async fn work_off(stage: &mut Stage, seed: &Seed, spent: &mut Spent) -> Result<f64, Error> {
    let apps = stage.new_apps(seed.apps).await?;
    seed.fill(&stage.database, &apps, "now()").await?;
    let (meter, start) = (Meter::start(), Instant::now());
    for app in &apps {
        stage.send_message("EventQueue", &json!({"kind": "stored", "app_id": app})).await?;
    }
    stage.settled(&apps, seed.events * seed.apps).await?;
    let time = start.elapsed();
    meter.end(spent);
    let dead = dead(stage, &apps).await?;
    let expected = seed.unreadable(apps.len());
    if dead != expected {
        return Err(Error::failed(format!("{dead} events are dead, and {expected} are unreadable")));
    }
    // What is still to be pushed is not to disturb what is measured next.
    stage.drained("PushQueue").await?;
    Ok(number(seed.events * apps.len()) / time.as_secs_f64())
}

async fn dead(stage: &Stage, apps: &[Uuid]) -> Result<usize, Error> {
    let sql = "SELECT count(*) FROM webhook_events WHERE app_id = ANY ($1) AND dead_at IS NOT NULL";
    let count: i64 = stage.database.query_one(sql, &[&apps]).await?.get(0);
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Events a second.
async fn pgbench(stage: &mut Stage, floor: &batch::Floor) -> Result<Option<f64>, Error> {
    let apps = floor.prepare(stage).await?;
    let script = floor.script(&apps);
    let transactions = floor.events / floor.batch;
    let run = Run { name: "backlog", script: &script, clients: floor.apps, transactions };
    Ok(stage.pgbench.run(&run).await?.map(|rate| rate * number(floor.batch)))
}

fn processor_memory(stage: &Stage) -> Option<f64> {
    let all = processes::below(stage.server.id()).into_iter();
    let processors = all.filter(|process| process.name == "processor");
    processors.filter_map(|process| Some(processes::memory(process.id)?.peak)).reduce(f64::max)
}
