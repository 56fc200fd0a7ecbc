//! The memory of each function, after a thousand invocations at least.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    bench::{
        Error, processes,
        report::{Goal, Line, Report, Unit::Megabytes},
        stage::{PATIENCE, Stage},
    },
    timing::Point,
};

const AT_ONCE: usize = 16;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let count = stage.size(1_000, 5);
    let (app, mut socket) = stage.app("memory").await?;
    for _ in 0..count {
        // Each of them invokes webhook, processor and broadcaster.
        stage.deliver(&app, &mut socket).await?;
        socket.say(&json!({"action": "ping"})).await?;
        socket.next(PATIENCE).await?;
    }
    stage.ask("/api/calls", Some(&app.api_key), count, AT_ONCE).await?;
    invoke(stage, "migrator", &json!({"action": "verify"})).await?;

    let mut functions: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    let names = stage.template.binaries();
    for process in processes::below(stage.server.id()) {
        // The process table cuts names at 15 characters; ours are shorter.
        let memory = processes::memory(process.id).filter(|_| names.contains(&process.name));
        if let Some(memory) = memory {
            let (resident, peak) = functions.entry(process.name).or_default();
            *resident = resident.max(memory.resident);
            *peak = peak.max(memory.peak);
        }
    }
    if functions.is_empty() {
        report.note("this system does not tell what memory a process has");
    }
    let invocations = invocations(stage)?;
    for (name, (resident, peak)) in functions {
        let line = Line::new(format!("{name}, the most ever"), Megabytes, vec![peak]).goal(Goal::Most(64.0));
        report.add(line);
        let taken = invocations.get(&name).copied().unwrap_or_default();
        report
            .note(format!("{name}: {resident:.1} MB now, after {taken} invocations in all of its processes"));
    }
    Ok(())
}

async fn invoke(stage: &Stage, function: &str, event: &Value) -> Result<(), Error> {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    match stage.aws.send(Method::POST, &path, &[], event.to_string()).await?.status {
        StatusCode::OK => Ok(()),
        status => Err(Error::failed(format!("{function} was answered {status}"))),
    }
}

/// How often each function was invoked since the server was started.
fn invocations(stage: &Stage) -> Result<BTreeMap<String, usize>, Error> {
    let mut count = BTreeMap::new();
    for line in std::fs::read_to_string(&stage.timings)?.lines() {
        let mut words = line.split(' ').skip(1);
        if words.next() == Some(Point::Taken.as_str())
            && let Some(name) = words.next()
        {
            *count.entry(name.to_owned()).or_default() += 1;
        }
    }
    Ok(count)
}
