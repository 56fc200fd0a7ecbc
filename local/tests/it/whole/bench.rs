//! Every row of the bench can be measured. Whether its figures are good is no test's business: a machine may be busy.

use std::process::Command;

use serde_json::Value;

/// These start servers of their own, which takes longer than all the others together.
const SLOW: [&str; 2] = ["start", "sockets"];

fn bench(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_local")).arg("bench").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

#[test]
fn every_row_says_its_figures_beside_what_they_are_compared_with() {
    let (_, list) = bench(&["--list"]);
    let rows: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    let quick: Vec<&str> = rows.iter().copied().filter(|row| !SLOW.contains(row)).collect();
    assert_eq!(quick.len(), rows.len() - SLOW.len(), "{list}");

    let file = std::env::temp_dir().join(format!("bench-test-{}.json", std::process::id()));
    let (is_done, text) = bench(&[&["--quick", "--json", file.to_str().unwrap()], &quick[..]].concat());
    assert!(is_done, "{text}");
    let figures: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(file).unwrap();

    let measured: Vec<&str> =
        figures["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(measured, quick);
    for row in figures["rows"].as_array().unwrap() {
        let lines = row["lines"].as_array().unwrap();
        assert!(!lines.is_empty(), "{row}");
        for line in lines {
            assert!(line["figure"]["median"].as_f64().is_some_and(|median| median > 0.0), "{line}");
        }
    }
    for row in ["answer", "frame", "resume", "calls-page", "lookup", "invalid-key"] {
        let row = figures["rows"].as_array().unwrap().iter().find(|found| found["name"] == row).unwrap();
        let steps = row["steps"].as_array().unwrap();
        assert!(
            !steps.is_empty() && steps.iter().all(|step| step["milliseconds"]["median"].is_f64()),
            "{row}"
        );
    }
}

#[test]
fn a_row_that_does_not_exist_is_named() {
    let (is_done, text) = bench(&["anwser"]);
    assert!(!is_done && text.contains("no row is called anwser"), "{text}");
}
