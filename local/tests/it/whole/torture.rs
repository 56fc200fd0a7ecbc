//! A short torture, as a person runs it; longer ones are run by hand.

use std::time::Duration;

use tokio::process::Command;

/// Postgres starts, functions are perhaps built, and in the end clients have time to catch up.
const PATIENCE: Duration = Duration::from_mins(10);

/// Runs `torture` with these arguments: whether it succeeded, and what it printed and said.
async fn torture(arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    let run = command.arg("torture").args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, run).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// The number in the row of this name.
fn count(table: &str, name: &str) -> u64 {
    let row = table.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    row.unwrap_or_else(|| panic!("there is no row {name:?} in\n{table}"))
}

#[tokio::test]
async fn a_short_torture_finds_nothing_lost_doubled_or_wrong() {
    let arguments =
        ["--minutes", "0.4", "--seed", "2", "--apps", "2", "--calls", "4", "--visibility-seconds", "3"];
    let (is_well, table, said) = torture(&arguments).await;
    assert!(is_well, "{table}\n{said}");
    assert_eq!(count(&table, "all violations"), 0, "{table}");
    for name in [
        "deliveries answered 200",
        "sent twice on purpose",
        "sent out of order on purpose",
        "queue-duplicate",
    ] {
        assert!(count(&table, name) > 0, "{name}: {table}");
    }
    let kills = count(&table, "all processes of a function killed");
    assert!(kills > 0, "{table}");
}

#[tokio::test]
async fn an_outage_loses_no_delivery_and_leaves_none_waiting() {
    let arguments = ["--outage", "8", "--apps", "2", "--calls", "3", "--visibility-seconds", "3"];
    let (is_well, table, said) = torture(&arguments).await;
    assert!(is_well, "{table}\n{said}");
    assert!(count(&table, "deliveries answered 200") > 10, "{table}");
    for outage in ["database refuses", "database hangs"] {
        assert_eq!(count(&table, outage), 1, "{table}");
    }
}

#[tokio::test]
async fn the_same_seed_plans_the_same_faults() {
    let plan = async |seed: &str| {
        let (is_well, plan, said) = torture(&["--plan", "--minutes", "10", "--seed", seed]).await;
        assert!(is_well, "{said}");
        plan
    };
    let first = plan("5").await;
    assert!(first.lines().count() > 100, "{first}");
    assert_eq!(first, plan("5").await);
    assert_ne!(first, plan("6").await);
}
