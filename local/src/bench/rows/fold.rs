//! Events read and folded a second on one core, as the processor does it between its statements, beside reading them as JSON.

use std::{hint::black_box, time::Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;
use shared::{
    dialpad::payload::call_event,
    domain::call::{CallEvent, fold, news},
};

use crate::{
    bench::{
        report::{Line, Report, Unit::PerSecond},
        stage::Stage,
        stats::per_second,
    },
    simulate::{Scenario, Setting},
};

/// Agents of a call centre whose legs make 200 events of one call.
const AGENTS: usize = 97;

pub(super) fn measure(stage: &Stage, report: &mut Report) {
    let (rounds, events) = (stage.size(11, 2), stage.size(200_000, 400));
    let start = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    for (scenario, agents, length) in [(Scenario::Transfer, 2, 7), (Scenario::Queue, AGENTS, 200)] {
        let payloads = scenario.played(Setting { start, speed: 1.0, agents });
        let texts: Vec<String> = payloads.iter().take(length).map(Value::to_string).collect();
        let calls = (events / length).max(1);
        let (mut both, mut folds, mut floors) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            floors.push(rate(calls, texts.len(), || {
                for text in &texts {
                    black_box(serde_json::from_str::<Value>(text).is_ok());
                }
            }));
            both.push(rate(calls, texts.len(), || tell(&read(&texts, start))));
            let known = read(&texts, start);
            folds.push(rate(calls, texts.len(), || tell(&known)));
        }
        let what = format!("read and folded, calls of {length} events");
        report.add(Line::new(what, PerSecond, both).beside("their JSON, read", &floors));
        report.add(Line::new(format!("folded, calls of {length} events"), PerSecond, folds));
    }
}

fn read(texts: &[String], now: DateTime<Utc>) -> Vec<CallEvent> {
    texts.iter().filter_map(|text| call_event("", text, now).ok().flatten()).collect()
}

/// Folds a conversation and says what is new of it.
fn tell(events: &[CallEvent]) {
    black_box(news(&[], &fold(black_box(events))));
}

/// Events a second, of so many calls.
fn rate(calls: usize, events: usize, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        work();
    }
    per_second(calls * events, start.elapsed())
}
