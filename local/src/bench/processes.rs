//! The processes of a running server, as the system's process table shows them.

use std::{collections::BTreeMap, fs, path::Path};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: u32,
    parent: u32,
    pub(super) name: String,
    /// How much of the processors it had.
    pub(super) ticks: u64,
}

/// Memory in megabytes (of a million bytes).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Memory {
    pub(super) resident: f64,
    /// The most that ever was.
    pub(super) peak: f64,
}

/// The processes below `root`, whose own is left out; empty where the system has no `/proc`.
pub(super) fn below(root: u32) -> Vec<Process> {
    let all: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(of)
        .collect();
    descendants(root, &all)
}

/// The process of this id.
pub(super) fn of(id: u32) -> Option<Process> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

fn descendants(root: u32, all: &[Process]) -> Vec<Process> {
    let mut children: BTreeMap<u32, Vec<&Process>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let (mut found, mut waiting) = (Vec::new(), vec![root]);
    while let Some(parent) = waiting.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            waiting.push(process.id);
            found.push(process.clone());
        }
    }
    found
}

/// `id (name) state parent …`; the name may have brackets and spaces in it.
fn parse(stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let (id, name) = head.split_once(" (")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    let parent = fields.get(1)?.parse().ok()?;
    // User's and system's time; those of a database's sessions that have ended are with their parent.
    let counted = if name == "postgres" { 11..15 } else { 11..13 };
    let ticks = fields.get(counted)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Process { id: id.parse().ok()?, parent, name: name.to_owned(), ticks })
}

/// What a process has of the machine's memory.
pub(super) fn memory(id: u32) -> Option<Memory> {
    let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).ok()?;
    let megabytes = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024.0 / 1e6)
    };
    Some(Memory { resident: megabytes("VmRSS:")?, peak: megabytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_process_table_is_read_whatever_the_name() {
        let rest = "S 4 17 17 0 -1 4194560 1 2 3 4 50 7 100 20 20 0 1 0";
        let process = parse(&format!("17 (a (b) c) {rest}")).unwrap();
        assert_eq!(process, Process { id: 17, parent: 4, name: "a (b) c".to_owned(), ticks: 57 });
        assert_eq!(parse(&format!("17 (postgres) {rest}")).unwrap().ticks, 177);
    }

    #[test]
    fn descendants_are_found_through_any_number_of_parents() {
        let process = |id, parent| Process { id, parent, name: id.to_string(), ticks: 0 };
        let all = [process(2, 1), process(3, 2), process(4, 3), process(9, 8)];
        let mut found: Vec<u32> = descendants(1, &all).iter().map(|process| process.id).collect();
        found.sort_unstable();
        assert_eq!(found, [2, 3, 4]);
    }
}
