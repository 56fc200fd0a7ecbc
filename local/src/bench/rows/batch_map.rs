//! Ten thousand user mappings in one call: made, all changed, and all as they are.

use std::time::Instant;

use axum::http::{Method, StatusCode};
use chrono::Utc;
use serde_json::json;
use shared::{
    clock::{Clock as _, SystemClock},
    domain::ids::DialpadId,
    store::mappings,
};

use crate::{
    bench::{
        Error,
        report::{Line, Report, Unit::Milliseconds},
        stage::Stage,
    },
    client::App,
};

const KINDS: [(&str, &str); 3] = [("made", "a"), ("all changed", "b"), ("all as they are", "b")];

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(5, 2), stage.size(10_000, 50));
    let mut figures: [Vec<f64>; KINDS.len()] = Default::default();
    let mut floors: [Vec<f64>; KINDS.len()] = Default::default();
    for _ in 0..rounds {
        let app = stage.client.make_app("batch-map").await?;
        let floor = stage.client.make_app("batch-map floor").await?;
        for (kind, (_, name)) in KINDS.into_iter().enumerate() {
            floors[kind].push(put(stage, &floor, count, name).await?);
            figures[kind].push(post(stage, &app, count, name).await?);
        }
    }
    for ((what, _), (figure, floor)) in KINDS.into_iter().zip(figures.into_iter().zip(floors)) {
        let what = format!("{count} mappings, {what}");
        report.add(Line::new(what, Milliseconds, figure).beside("the same statement", &floor));
    }
    Ok(())
}

/// Through the edge, in milliseconds.
async fn post(stage: &Stage, app: &App, count: usize, name: &str) -> Result<f64, Error> {
    let mappings: Vec<_> = (1..=count)
        .map(|user| json!({"dialpad_user_id": user.to_string(), "crm_user_id": format!("{name}-{user}")}))
        .collect();
    let body = json!({ "mappings": mappings }).to_string();
    let path = format!("/internal/apps/{}/users/batch-map", app.app_id);
    let start = Instant::now();
    let answer =
        stage.client.send(Method::POST, &path, &[("content-type", "application/json")], body).await?;
    let time = start.elapsed();
    match answer.status {
        StatusCode::OK => Ok(time.as_secs_f64() * 1000.0),
        status => Err(Error::failed(format!("a batch was answered {status} {}", answer.detail()))),
    }
}

/// The statement alone, in milliseconds.
async fn put(stage: &Stage, app: &App, count: usize, name: &str) -> Result<f64, Error> {
    let names: Vec<String> = (1..=count).map(|user| format!("{name}-{user}")).collect();
    let users = (1_i64..).map(DialpadId).zip(names.iter().map(String::as_str));
    let mappings: Vec<_> = users.collect();
    let now: chrono::DateTime<Utc> = SystemClock.now();
    let start = Instant::now();
    mappings::put(&stage.database, app.app_id, &mappings, "bench", now).await?;
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}
