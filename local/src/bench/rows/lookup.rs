//! Who is that number? On the data of the long list.

use std::time::Instant;

use shared::store::{calls, messages, page::Request, voicemails};
use tokio::try_join;

use crate::{
    bench::{
        Error,
        history::History,
        report::{Line, Report, Unit::Milliseconds},
        stage::Stage,
        stats::Times,
        way::Trips,
    },
    timing,
};

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(7, 2), stage.size(100, 3));
    let history = stage.history().await?;
    let (mut p50, mut p99, mut floor_p50) = (Vec::new(), Vec::new(), Vec::new());
    let mut trips = Trips::follow(&stage.timings, "rest")?;
    for round in 0..rounds {
        let (mut answers, mut queries) = (Times::default(), Times::default());
        for turn in 0..count {
            // Another number each time, so that no answer is in any cache of ours or of Postgres's for free.
            let number = History::number((round * count + turn) * 7919);
            let started = Instant::now();
            query(&stage.database, &history, &number).await?;
            queries.push(started.elapsed());
            let path = format!("/api/lookup?number={}", number.replace('+', "%2B"));
            let (sent, started) = (timing::now(), Instant::now());
            stage.get(&path, &history.app.api_key).await?;
            answers.push(started.elapsed());
            trips.note(sent)?;
        }
        p50.push(answers.percentile(50));
        p99.push(answers.percentile(99));
        floor_p50.push(queries.percentile(50));
    }
    report.add(Line::new("lookup p50", Milliseconds, p50).beside("the same queries", &floor_p50));
    report.add(Line::new("lookup p99", Milliseconds, p99));
    report.add_steps(trips.steps(["edge in", "rest: key, four queries at once, JSON", "edge out"]));
    Ok(())
}

/// What the endpoint asks, sent in the same way: without waiting in between.
async fn query(database: &tokio_postgres::Client, history: &History, number: &str) -> Result<(), Error> {
    let (app_id, newest, number) = (history.app.app_id, Request::newest(5), Some(number.to_owned()));
    let in_calls = calls::Filter { number: number.clone(), ..calls::Filter::default() };
    let in_voicemails = voicemails::Filter { number: number.clone(), ..voicemails::Filter::default() };
    let in_messages = messages::Filter { number: number.clone(), ..messages::Filter::default() };
    let number = number.unwrap_or_default();
    try_join!(
        calls::list(database, app_id, &in_calls, &newest),
        voicemails::list(database, app_id, &in_voicemails, &newest),
        messages::list(database, app_id, &in_messages, &newest),
        calls::owner(database, app_id, &number),
    )?;
    Ok(())
}
