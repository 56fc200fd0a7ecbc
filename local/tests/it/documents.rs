//! `docs/local.md` against the sources: every test it names exists, every row of its tables has one, and its list of
//! faults is the list of faults.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use local::faults::Kind;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names of all tests below a folder, each with its module in front: `whole::outage::a_test`.
fn tests(folder: &Path, module: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = if module.is_empty() { stem } else { format!("{module}::{stem}") };
        if path.is_dir() {
            found.extend(tests(&path, &inner));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[tokio::test") || line == "#[test]" {
                    is_test = true;
                } else if let Some((_, name)) = line.split_once("fn ").filter(|_| is_test) {
                    found.insert(format!("{inner}::{}", name.split(['(', '<']).next().unwrap()));
                    is_test = false;
                }
            }
        }
    }
    found
}

/// The cells of the tables' rows, under the heading of the last column.
fn rows(document: &str, last_column: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut is_wanted = false;
    for line in document.lines() {
        let Some(inner) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            is_wanted = false;
            continue;
        };
        let cells: Vec<_> = inner.split('|').map(|cell| cell.trim().to_owned()).collect();
        let last = cells.last().unwrap();
        if last.starts_with(last_column) {
            is_wanted = true;
        } else if is_wanted && !last.starts_with("---") {
            rows.push(cells);
        }
    }
    rows
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn document() -> String {
    std::fs::read_to_string(root().join("docs/local.md")).unwrap()
}

#[test]
fn every_row_has_a_test_and_every_test_that_is_named_exists() {
    let tests = tests(&root().join("local/tests/it"), "");
    let rows = rows(&document(), "our test");
    assert!(rows.len() > 50, "the tables were not found");
    for row in rows {
        let mut module = "";
        let mut named = 0;
        for name in quoted(row.last().unwrap()) {
            // A name without a module is in the module of the one before it.
            let full = match name.rsplit_once("::") {
                Some((its_module, _)) => {
                    module = its_module;
                    name.to_owned()
                }
                None => format!("{module}::{name}"),
            };
            assert!(tests.contains(&full), "docs/local.md names {full}, which does not exist");
            named += 1;
        }
        assert!(named > 0, "no test stands in the row {:?}", row[0]);
    }
}

#[test]
fn every_fault_is_described() {
    let described: Vec<_> = rows(&document(), "our test")
        .iter()
        .filter_map(|row| quoted(&row[0]).next()?.split('=').next().map(str::to_owned))
        .filter(|name| Kind::named(name).is_ok())
        .collect();
    let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(described, names);
}
