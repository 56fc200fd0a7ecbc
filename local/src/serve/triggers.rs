//! What calls the functions beside clients: queues and schedules.

use std::time::Duration;

use tokio::{sync::watch, task::JoinSet};

use super::Arguments;
use crate::{
    aws::{
        mapping::{self, Mapping},
        sqs::Sqs,
    },
    environment::Choices,
    lambda::Lambda,
    schedule,
    template::Template,
};

/// How often a scheduled function is called behind another Invoke API, where a sweep is one pass.
const REMOTE_RATE: Duration = Duration::from_secs(5);

/// Starts the event source mappings.
///
/// A mapping has as many invocations under way as there can be processes: more would only wait, with their messages'
/// visibility running out. A scheduled function keeps one process for its runs.
pub(super) fn start_mappings(
    arguments: &Arguments,
    template: &Template,
    region: &str,
    sqs: &Sqs,
    lambda: &Lambda,
    stop: &watch::Sender<bool>,
) {
    for definition in &template.queue_mappings {
        let is_scheduled = template.schedules.iter().any(|schedule| schedule.function == definition.function);
        let places = usize::from(arguments.max_processes).saturating_sub(usize::from(is_scheduled)).max(1);
        let mapping = Mapping {
            definition: definition.clone(),
            concurrency: definition.maximum_concurrency.map_or(places, |limit| limit.min(places)),
            region: region.to_owned(),
        };
        tokio::spawn(mapping::run(mapping, sqs.clone(), lambda.clone(), stop.subscribe()));
    }
}

/// Starts the schedules; dropping the answer ends them.
pub(super) fn start_schedules(
    template: &Template,
    lambda: &Lambda,
    region: &str,
    choices: Choices,
) -> JoinSet<()> {
    let mut schedules = JoinSet::new();
    for definition in &template.schedules {
        let rate = if choices.is_remote { REMOTE_RATE } else { definition.rate };
        schedules.spawn(schedule::run(definition.clone(), rate, lambda.clone(), region.to_owned()));
    }
    schedules
}

/// How often the scheduled functions look for work.
pub(super) fn poll_seconds(template: &Template, choices: Choices) -> String {
    let polls = template.schedules.iter().find_map(|schedule| {
        template.function(&schedule.function)?.environment.get("PROCESSOR_POLL_INTERVAL_SECONDS").cloned()
    });
    polls.filter(|_| !choices.is_remote).unwrap_or_else(|| REMOTE_RATE.as_secs().to_string())
}
