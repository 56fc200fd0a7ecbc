//! The events of a function: HTTP routes, queues and schedules.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::{
    Error, HttpRoute, Queue, QueueMapping, Schedule,
    reader::{Reader, shape},
};

/// The longest that an HTTP API waits for a function.
const HTTP_MOST: Duration = Duration::from_secs(30);

/// What the events of the functions add up to.
#[derive(Default)]
pub(super) struct Events {
    pub(super) http_routes: Vec<HttpRoute>,
    pub(super) queue_mappings: Vec<QueueMapping>,
    pub(super) schedules: Vec<Schedule>,
}

/// Reads the `Events` of the function `id` into `found`.
pub(super) fn read(
    reader: &Reader<'_>,
    id: &str,
    function: &str,
    properties: &Value,
    queues: &BTreeMap<String, Queue>,
    found: &mut Events,
) -> Result<(), Error> {
    let events = properties.get("Events").and_then(Value::as_object);
    for (name, event) in events.into_iter().flatten() {
        let at = format!("{id}.Events.{name}");
        let properties = &event["Properties"];
        match event.get("Type").and_then(Value::as_str).unwrap_or_default() {
            "HttpApi" => found.http_routes.push(http_route(reader, function, properties)?),
            "SQS" => {
                let mapping = queue_mapping(reader, function, properties)?;
                if !queues.contains_key(&mapping.queue) {
                    return Err(shape(&at, "its queue does not exist"));
                }
                if is_enabled(reader, properties)? {
                    found.queue_mappings.push(mapping);
                }
            }
            "Schedule" | "ScheduleV2" => {
                if is_enabled(reader, properties)? {
                    found.schedules.push(schedule(reader, &at, name, function, properties)?);
                }
            }
            other => return Err(shape(&at, &format!("events of type {other:?} are not known locally"))),
        }
    }
    Ok(())
}

fn http_route(reader: &Reader<'_>, function: &str, properties: &Value) -> Result<HttpRoute, Error> {
    let method = reader.text(properties, "Method")?.map(|method| method.to_ascii_uppercase());
    Ok(HttpRoute {
        method: method.filter(|method| method != "ANY" && method != "X-AMAZON-APIGATEWAY-ANY-METHOD"),
        path: reader.text(properties, "Path")?.unwrap_or_else(|| "$default".to_owned()),
        function: function.to_owned(),
        timeout: reader.integration_timeout(properties, HTTP_MOST)?,
    })
}

fn queue_mapping(reader: &Reader<'_>, function: &str, properties: &Value) -> Result<QueueMapping, Error> {
    let arn = reader.text(properties, "Queue")?.unwrap_or_default();
    let types = reader.property(properties, "FunctionResponseTypes")?.unwrap_or_default();
    let scaling = reader.property(properties, "ScalingConfig")?.unwrap_or_default();
    let whole = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
    Ok(QueueMapping {
        queue: reader.queue_of(&arn)?,
        function: function.to_owned(),
        batch_size: whole(reader.number(properties, "BatchSize")?).unwrap_or(10).max(1),
        batch_window: Duration::from_secs(
            reader.number(properties, "MaximumBatchingWindowInSeconds")?.unwrap_or(0),
        ),
        report_batch_item_failures: types
            .as_array()
            .is_some_and(|types| types.iter().any(|name| name == "ReportBatchItemFailures")),
        maximum_concurrency: whole(reader.number(&scaling, "MaximumConcurrency")?),
    })
}

fn schedule(
    reader: &Reader<'_>,
    at: &str,
    name: &str,
    function: &str,
    properties: &Value,
) -> Result<Schedule, Error> {
    let expression = reader
        .text(properties, "Schedule")?
        .or(reader.text(properties, "ScheduleExpression")?)
        .ok_or_else(|| shape(at, "it has no schedule"))?;
    let rate = rate(&expression).ok_or_else(|| shape(at, &format!("{expression:?} is no rate(…)")))?;
    let input = reader.text(properties, "Input")?.map(|input| serde_json::from_str(&input)).transpose();
    let input = input.map_err(|_| shape(at, "its input is no JSON"))?;
    Ok(Schedule { name: name.to_owned(), function: function.to_owned(), rate, input })
}

fn is_enabled(reader: &Reader<'_>, properties: &Value) -> Result<bool, Error> {
    let enabled = reader.text(properties, "Enabled")?.is_none_or(|enabled| enabled == "true");
    let state = reader.text(properties, "State")?.is_none_or(|state| state == "ENABLED");
    Ok(enabled && state)
}

fn rate(expression: &str) -> Option<Duration> {
    let inner = expression.trim().strip_prefix("rate(")?.strip_suffix(')')?;
    let (number, unit) = inner.split_once(' ')?;
    let seconds = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.trim().parse::<u64>().ok().filter(|number| *number > 0)? * seconds))
}
