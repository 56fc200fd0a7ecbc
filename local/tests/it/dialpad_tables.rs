//! The tables of `docs/dialpad.md`: made by the fold itself, so that the page says what the code does.
//!
//! `UPDATE_DOCS=1 cargo test -p local dialpad_tables` writes them anew.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use chrono::TimeDelta;
use clap::ValueEnum as _;
use local::simulate::Scenario;
use serde_json::{Value, json};
use shared::domain::call::{Conversation, Moment, State, conversations, fold};

use crate::simulate::{calls, now};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dialpad.md");

/// One snapshot of a leg, so many seconds into the call.
fn says(target: &str, seconds: i64, state: &str, more: &Value) -> Value {
    let at = (now() + TimeDelta::seconds(seconds)).timestamp_millis();
    let mut payload = json!({
        "call_id": 1, "state": state, "event_timestamp": at, "direction": "inbound",
        "date_started": now().timestamp_millis(),
        "external_number": "+14155550150", "target": { "id": 7, "type": target },
    });
    for (name, value) in more.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload
}

/// How a leg may stand when something happens: the column's head, and what happened before.
fn situations() -> Vec<(&'static str, &'static str, Vec<Value>)> {
    let plain = |target, states: &[&str]| {
        let seconds = 1..;
        let payloads = seconds.zip(states).map(|(seconds, state)| says(target, seconds, state, &json!({})));
        payloads.collect::<Vec<_>>()
    };
    vec![
        ("user: first seen", "user", plain("user", &[])),
        ("ringing", "user", plain("user", &["ringing"])),
        ("talking", "user", plain("user", &["ringing", "connected"])),
        ("on hold", "user", plain("user", &["ringing", "connected", "hold"])),
        ("over", "user", plain("user", &["ringing", "connected", "hangup"])),
        ("group: first seen", "call_center", plain("call_center", &[])),
        ("waiting", "call_center", plain("call_center", &["queued"])),
        ("over", "call_center", plain("call_center", &["queued", "hangup"])),
    ]
}

/// What is told of a state in this situation, by the code that the processor uses.
fn told(target: &str, before: &[Value], state: &State) -> String {
    let fold_of = |payloads: &[Value]| fold(&calls(payloads));
    let mut payloads = before.to_vec();
    let more = if *state == State::Transcription {
        json!({ "transcription_text": "Hello" })
    } else if *state == State::Recording {
        json!({ "recording_details": [{ "url": "https://r.example", "recording_type": "callrecording" }] })
    } else {
        json!({})
    };
    payloads.push(says(target, 10, state.as_str(), &more));
    let known = fold_of(before).moments.len();
    let names: Vec<String> = fold_of(&payloads).moments[known..].iter().map(name).collect();
    if names.is_empty() { "·".to_owned() } else { names.join(", ") }
}

fn name(moment: &Moment) -> String {
    let name = serde_json::to_value(moment.event).unwrap();
    format!("`{}`", name.as_str().unwrap())
}

fn table_of_states() -> String {
    let situations = situations();
    let mut table = String::from("| Dialpad's state |");
    for (head, ..) in &situations {
        write!(table, " {head} |").unwrap();
    }
    writeln!(table, "\n|---|{}", "---|".repeat(situations.len())).unwrap();
    for state in State::KNOWN.iter().chain([&State::Gone, &State::parse("any other")]) {
        write!(table, "| {} |", state.as_str()).unwrap();
        for (_, target, before) in &situations {
            write!(table, " {} |", told(target, before, state)).unwrap();
        }
        table.push('\n');
    }
    table
}

fn table_of_scenarios() -> String {
    let mut table = String::from(
        "| Scenario | Dialpad delivers | Clients are told | Legs in the end |\n|---|---|---|---|\n",
    );
    for scenario in Scenario::all() {
        let payloads = scenario.payloads(now());
        let mut conversations = conversations(calls(&payloads));
        let Some(events) = conversations.pop() else { continue };
        assert!(conversations.is_empty(), "{scenario:?} is one conversation");
        let conversation = fold(&events);
        writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            scenario.to_possible_value().unwrap().get_name(),
            payloads.iter().map(delivered).collect::<Vec<_>>().join(" › "),
            conversation.moments.iter().map(name).collect::<Vec<_>>().join(" "),
            in_the_end(&conversation),
        )
        .unwrap();
    }
    table
}

/// Which samples and scenarios a state comes in, told by the reader that the processor uses: a state that comes in none is
/// one that no test has seen, and so no line of this table. States that are not known are one line.
fn table_of_cases() -> String {
    let samples = samples().into_iter().map(|(number, payloads)| (format!("`{number}`"), 0, payloads));
    let scenarios = Scenario::all().map(|scenario| {
        let name = scenario.to_possible_value().unwrap().get_name().to_owned();
        (format!("`{name}`"), 1, scenario.payloads(now()))
    });
    let mut cases: BTreeMap<usize, [Vec<String>; 2]> = BTreeMap::new();
    for (name, column, payloads) in samples.chain(scenarios) {
        for event in calls(&payloads) {
            let names = &mut cases.entry(event.state.rank()).or_default()[column];
            if !names.contains(&name) {
                names.push(name.clone());
            }
        }
    }
    let mut table = String::from("| Dialpad's state | Samples | Scenarios |\n|---|---|---|\n");
    for state in State::KNOWN.iter().chain([&State::parse("any other")]) {
        let [samples, scenarios] =
            cases.get(&state.rank()).unwrap_or_else(|| panic!("no sample or scenario has {state}"));
        writeln!(table, "| {state} | {} | {} |", samples.join(" "), scenarios.join(" ")).unwrap();
    }
    table
}

/// The sample sequences, by the numbers of their files.
fn samples() -> BTreeMap<String, Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/it/samples");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let numbered = files.filter_map(|file| {
        let name = file.file_name().into_string().unwrap();
        let number = name.split('_').next().filter(|number| number.parse::<u8>().is_ok())?.to_owned();
        Some((number, serde_json::from_str(&std::fs::read_to_string(file.path()).unwrap()).unwrap()))
    });
    numbered.collect()
}

fn delivered(payload: &Value) -> String {
    let state = payload["state"].as_str().unwrap();
    if payload["target"]["type"] == "user" { state.to_owned() } else { format!("*{state}*") }
}

fn in_the_end(conversation: &Conversation) -> String {
    let legs = conversation.legs.iter().map(|leg| {
        let outcome = leg.outcome.map_or("none", |outcome| outcome.as_str());
        format!("{}: {outcome}", leg.status.as_str())
    });
    legs.collect::<Vec<_>>().join(", ")
}

/// Compares what stands between the table's marks, or writes it.
fn check(table: &str, generated: &str) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (start, end) = (format!("<!-- {table} -->\n\n"), format!("\n<!-- end of {table} -->"));
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("docs/dialpad.md: no {start}"));
    let (written, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/dialpad.md: no {end}"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, [before, &start, generated, &end, after].concat()).unwrap();
        return;
    }
    for (written, generated) in written.lines().zip(generated.lines()) {
        assert_eq!(written, generated, "docs/dialpad.md; UPDATE_DOCS=1 writes it anew");
    }
    assert_eq!(written, generated, "docs/dialpad.md; UPDATE_DOCS=1 writes it anew");
}

#[test]
fn the_page_says_what_clients_are_told_of_each_state_and_each_scenario() {
    check("states", &table_of_states());
    check("scenarios", &table_of_scenarios());
}

#[test]
fn each_state_and_one_that_nobody_knows_comes_in_a_sample_or_a_scenario() {
    check("cases", &table_of_cases());
}
