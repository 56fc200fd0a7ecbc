//! The rows, one file each.

mod answer;
mod backlog;
mod batch_map;
mod burst;
mod call;
mod calls_page;
mod edge;
mod fanout;
mod fold;
mod frame;
mod intake;
mod invalid_key;
mod lookup;
mod memory;
mod resume;
mod retention;
mod sockets;
mod spawn;
mod start;

use super::{Error, report::Report, stage::Stage, stats::Spread};

/// Every row and what it measures, in the order in which they are measured: those that leave much behind come late.
pub(super) const ALL: [(&str, &str); 19] = [
    ("answer", "a delivery and its answer, warm, one at a time, beside one INSERT"),
    ("frame", "a delivery and its frame on a socket, beside the floors of its parts, step by step"),
    (
        "intake",
        "deliveries a second, 16 at once, to the webhook's library and through the edge, beside pgbench",
    ),
    ("burst", "1,000 deliveries over 16 connections: until the last is answered, and until its frame"),
    ("fanout", "one event to 1,000 sockets, beside the same SDK client posting the same frame"),
    ("resume", "a socket that resumes 1,000 events, beside reading them from the database"),
    ("batch-map", "10,000 user mappings in one call, beside the same statement"),
    ("edge", "a function that does nothing, through the edge and through cargo lambda watch"),
    ("calls-page", "GET /api/calls, page 1 and page 1,000 of 1,000,000 calls, beside the same query"),
    ("lookup", "GET /api/lookup on the same data, beside the same queries"),
    ("call", "GET /api/calls/{id} a second over 16 connections, beside GET /"),
    (
        "fold",
        "events read and folded a second on one core, of calls of 7 and of 200 events, beside reading their JSON",
    ),
    ("backlog", "100,000 waiting events in 20 apps, in one app, and with 500 unreadable, beside pgbench"),
    (
        "retention",
        "tables after 21 days of writing and deleting: what is due, deleted a second, and the size",
    ),
    ("invalid-key", "a request with an unknown key, among 1 app and among 10,000"),
    ("memory", "each function's memory after 1,000 invocations and the rows before"),
    ("spawn", "each function from its start until it asks for work, beside a hello world"),
    ("start", "the server from its start until it is ready, with an existing database"),
    ("sockets", "10,000 idle sockets: the memory of the server"),
];

/// Measures the row of this name.
pub(super) async fn measure(name: &'static str, stage: &mut Stage) -> Result<Report, Error> {
    let mut report = Report::new(name);
    let into = &mut report;
    match name {
        "answer" => Box::pin(answer::measure(stage, into)).await,
        "frame" => Box::pin(frame::measure(stage, into)).await,
        "intake" => Box::pin(intake::measure(stage, into)).await,
        "burst" => Box::pin(burst::measure(stage, into)).await,
        "fanout" => Box::pin(fanout::measure(stage, into)).await,
        "resume" => Box::pin(resume::measure(stage, into)).await,
        "batch-map" => Box::pin(batch_map::measure(stage, into)).await,
        "edge" => Box::pin(edge::measure(stage, into)).await,
        "calls-page" => Box::pin(calls_page::measure(stage, into)).await,
        "lookup" => Box::pin(lookup::measure(stage, into)).await,
        "call" => Box::pin(call::measure(stage, into)).await,
        "fold" => {
            fold::measure(stage, into);
            Ok(())
        }
        "backlog" => Box::pin(backlog::measure(stage, into)).await,
        "retention" => Box::pin(retention::measure(stage, into)).await,
        "invalid-key" => Box::pin(invalid_key::measure(stage, into)).await,
        "memory" => Box::pin(memory::measure(stage, into)).await,
        "spawn" => Box::pin(spawn::measure(stage, into)).await,
        "start" => Box::pin(start::measure(stage, into)).await,
        "sockets" => Box::pin(sockets::measure(stage, into)).await,
        unknown => Err(Error::NoRow(unknown.to_owned())),
    }?;
    Ok(report)
}

/// The middle one of these.
fn middle(values: &[f64]) -> f64 {
    Spread::of(values).median
}
