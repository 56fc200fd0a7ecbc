//! Pages of a long list: the first, and the thousandth.

use std::time::Instant;

use shared::store::{
    calls::{self, Filter},
    page::{Cursor, Request, Start},
};

use crate::{
    bench::{
        Error,
        history::History,
        plan::Explained,
        report::{Goal, Line, Report, Unit::Milliseconds},
        stage::Stage,
        stats::Times,
        way::Trips,
    },
    timing,
};

const LIMIT: usize = 50;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count, page) = (stage.size(7, 2), stage.size(60, 3), stage.size(1_000, 10));
    let history = stage.history().await?;
    let cursor = cursor_of(stage, &history, page).await?;
    let first = Start::Newest;
    let after = cursor.parse::<Cursor>().map_err(|_| Error::failed("a cursor cannot be read"))?;
    let starts = [first, Start::After(after), Start::Offset(10_000)];
    let base = format!("/api/calls?limit={LIMIT}");
    let paths = [base.clone(), format!("{base}&cursor={cursor}"), format!("{base}&offset=10000")];
    let mut figures: [Vec<f64>; 3] = Default::default();
    let mut floors: [Vec<f64>; 3] = Default::default();
    let mut trips = Trips::follow(&stage.timings, "rest")?;
    for _ in 0..rounds {
        let (mut answers, mut queries) = (vec![Times::default(); 3], vec![Times::default(); 3]);
        for _ in 0..count {
            for (index, (path, start)) in paths.iter().zip(starts).enumerate() {
                let started = Instant::now();
                query(&stage.database, &history, start).await?;
                queries[index].push(started.elapsed());
                let (sent, started) = (timing::now(), Instant::now());
                stage.get(path, &history.app.api_key).await?;
                answers[index].push(started.elapsed());
                if index == 0 {
                    trips.note(sent)?;
                }
            }
        }
        figures.iter_mut().zip(&answers).for_each(|(figure, times)| figure.push(times.percentile(50)));
        floors.iter_mut().zip(&queries).for_each(|(floor, times)| floor.push(times.percentile(50)));
    }
    let names =
        ["page 1 p50".to_owned(), format!("page {page} by cursor p50"), "offset 10,000 p50".to_owned()];
    for (name, (figure, floor)) in names.iter().zip(figures.iter().zip(&floors)) {
        report.add(Line::new(name, Milliseconds, figure.clone()).beside("the same query", floor));
    }
    report.add(
        Line::new(format!("page {page}, is it flat?"), Milliseconds, figures[1].clone())
            .beside("page 1", &figures[0])
            .goal(Goal::MostTimesFloor(1.5)),
    );
    report.add_steps(trips.steps(["page 1: edge in", "rest: key, query, JSON", "edge out"]));
    report.note(format!("{} calls of one app among 100, {LIMIT} a page", history.calls));
    explain(stage, &history, [(1, starts[0]), (page, starts[1])], report).await
}

async fn query(database: &tokio_postgres::Client, history: &History, start: Start) -> Result<(), Error> {
    let limit = i64::try_from(LIMIT).unwrap_or_default();
    let request = Request { limit, start, with_total: false };
    let list = calls::list(database, history.app.app_id, &Filter::default(), &request).await?;
    if list.is_some() { Ok(()) } else { Err(Error::failed("the app is gone")) }
}

/// Turns the pages one after the other, as a client does.
async fn cursor_of(stage: &Stage, history: &History, page: usize) -> Result<String, Error> {
    let mut path = format!("/api/calls?limit={LIMIT}");
    let mut cursor = String::new();
    for _ in 1..page {
        let answer = stage.get(&path, &history.app.api_key).await?;
        answer["pagination"]["next_cursor"]
            .as_str()
            .ok_or_else(|| Error::failed("the list ends too early"))?
            .clone_into(&mut cursor);
        path = format!("/api/calls?limit={LIMIT}&cursor={cursor}");
    }
    Ok(cursor)
}

async fn explain(
    stage: &Stage,
    history: &History,
    pages: [(usize, Start); 2],
    report: &mut Report,
) -> Result<(), Error> {
    let Some(session) = Explained::connect(&stage.server.addresses.database_url).await? else {
        report.note("the server has no auto_explain, so there is no plan");
        return Ok(());
    };
    for (page, start) in pages {
        query(&session.client, history, start).await?;
        report.note(format!("plan of page {page}:\n      {}", session.last()));
    }
    Ok(())
}
