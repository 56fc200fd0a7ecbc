//! A socket that comes back after a thousand events.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::{
    bench::{
        Error,
        meter::{Meter, Spent},
        report::{Line, Report, Unit::Milliseconds},
        stage::{PATIENCE, Stage},
        stats::Times,
        way::Trips,
    },
    client::Socket,
    timing,
};

/// As long as the frame of a call; all of them handed over.
const FILL: &str = "INSERT INTO client_events (app_id, seq, id, audience, frame, created_at, handed_over_at)
    SELECT $1, n, gen_random_uuid(), NULL,
           jsonb_build_object('event', 'call.ring', 'id', gen_random_uuid(), 'seq', n, 'app_id', $1::uuid, 'call_id', n::text,
               'from_number', '+14155550150', 'to_number', '+14155550101', 'status', 'ringing', 'version', 1,
               'call', gen_random_uuid(), 'direction', 'inbound', 'contact_name', 'Jo Client',
               'occurred_at', now(), 'timestamp', now(), 'user_id', '5600000000000001')::text,
           now(), now()
    FROM generate_series(1, $2::bigint) AS n";

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(5, 2), stage.size(40, 2));
    let events = i64::try_from(stage.size(1_000, 200)).unwrap_or_default();
    let (app, mut socket) = stage.app("resume").await?;
    let app_id = app.app_id.0;
    stage.database.execute(FILL, &[&app_id, &events]).await?;
    stage
        .database
        .execute("UPDATE app_streams SET last_seq = $2 WHERE app_id = $1", &[&app_id, &events])
        .await?;
    let (mut p50, mut p99, mut floor_p50) = (Vec::new(), Vec::new(), Vec::new());
    let (mut pages, mut spent) = (0, Spent::default());
    let mut trips = Trips::follow(&stage.timings, "websocket")?;
    for _ in 0..rounds {
        let (mut resumes, mut floors) = (Times::default(), Times::default());
        for _ in 0..count {
            floors.push(read(&stage.database, app_id, events).await?);
            let (meter, start) = (Meter::start(), Instant::now());
            pages = resume(&mut socket, events, &mut trips).await?;
            resumes.push(start.elapsed());
            meter.end(&mut spent);
        }
        p50.push(resumes.percentile(50));
        p99.push(resumes.percentile(99));
        floor_p50.push(floors.percentile(50));
    }
    report.add(Line::new("resume p50", Milliseconds, p50).beside("read from the database", &floor_p50));
    report.add(Line::new("resume p99", Milliseconds, p99));
    report.spent(&spent);
    report.add_steps(trips.steps([
        "a page: edge in",
        "websocket: who it is, query, JSON",
        "edge out, socket",
    ]));
    report.note(format!(
        "{events} events come in {pages} pages of at most 32 KiB, one asked for after the other"
    ));
    Ok(())
}

/// Asks page after page; gives back how many there were.
async fn resume(socket: &mut Socket, events: i64, trips: &mut Trips) -> Result<usize, Error> {
    let (mut after, mut pages) = (0, 0);
    while after < events {
        let sent = timing::now();
        socket.say(&json!({"action": "resume", "after": after})).await?;
        let page = socket.next(PATIENCE).await?;
        trips.note(sent)?;
        let seq = page["seq"].as_i64().filter(|seq| *seq > after && page["recovered"] == true);
        after = seq.ok_or_else(|| Error::failed(format!("a resume was answered {page}")))?;
        pages += 1;
    }
    Ok(pages)
}

/// All of them in one query.
async fn read(database: &tokio_postgres::Client, app_id: Uuid, events: i64) -> Result<Duration, Error> {
    let sql = "SELECT seq, id, audience, frame FROM client_events WHERE app_id = $1 AND seq > 0 ORDER BY seq";
    let statement = database.prepare(sql).await?;
    let start = Instant::now();
    let rows = database.query(&statement, &[&app_id]).await?;
    let time = start.elapsed();
    match i64::try_from(rows.len()) {
        Ok(found) if found == events => Ok(time),
        _ => Err(Error::failed("the log has not the events it was given")),
    }
}
