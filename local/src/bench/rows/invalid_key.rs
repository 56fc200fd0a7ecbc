//! A request with a key that is nobody's: it costs the same among one app and among ten thousand.

use std::time::Instant;

use axum::http::{Method, StatusCode};

use crate::{
    bench::{
        Error,
        report::{Goal, Line, Report, Unit::Milliseconds},
        stage::Stage,
        stats::Times,
        way::Trips,
    },
    timing,
};

/// Apps with a key each. The keys' ids are of the same length as real ones.
const APPS: &str = "WITH made AS (INSERT INTO apps (name) SELECT 'one of many' FROM generate_series(1, $1::bigint) RETURNING id)
    INSERT INTO api_keys (app_id, key_id, key_hash, key_hint)
    SELECT id, left(md5(id::text), 12), sha256(uuid_send(id)), 'app_none...none' FROM made";

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(5, 2), stage.size(300, 3));
    let many = i64::try_from(stage.size(10_000, 100)).unwrap_or_default();
    let app = stage.client.make_app("invalid-key").await?;
    // A key whose checksum is right, and whose id is not found.
    stage
        .database
        .execute("UPDATE api_keys SET key_id = left(md5(key_id), 12) WHERE app_id = $1", &[&app.app_id.0])
        .await?;
    let mut trips = Trips::follow(&stage.timings, "rest")?;
    refused(stage, &app.api_key, count, &mut trips).await?;
    let mut few_apps = Vec::new();
    for _ in 0..rounds {
        few_apps.push(refused(stage, &app.api_key, count, &mut trips).await?);
    }
    let apps: i64 = stage.database.query_one("SELECT count(*) FROM apps", &[]).await?.get(0);
    stage.database.execute(APPS, &[&many]).await?;
    stage.database.batch_execute("ANALYZE apps, api_keys").await?;
    let mut many_apps = Vec::new();
    for _ in 0..rounds {
        many_apps.push(refused(stage, &app.api_key, count, &mut trips).await?);
    }
    report.add(
        Line::new(format!("refused among {} apps, p50", apps + many), Milliseconds, many_apps)
            .beside(format!("among {apps}"), &few_apps)
            .goal(Goal::MostTimesFloor(1.2)),
    );
    report.add_steps(trips.steps(["edge in", "rest: look for the key, refuse", "edge out"]));
    report.note("one after the other and not in turn: the apps are made in between");
    Ok(())
}

async fn refused(stage: &Stage, api_key: &str, count: usize, trips: &mut Trips) -> Result<f64, Error> {
    let mut times = Times::default();
    for _ in 0..count {
        let (sent, start) = (timing::now(), Instant::now());
        let answer =
            stage.client.send(Method::GET, "/api/calls?limit=1", &[("x-app-api-key", api_key)], "").await?;
        times.push(start.elapsed());
        trips.note(sent)?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Err(Error::failed(format!("an unknown key was answered {}", answer.status)));
        }
    }
    Ok(times.percentile(50))
}
