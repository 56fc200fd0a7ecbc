//! The figures as the table of docs/performance.md.

use std::fmt::Write as _;

use super::{Figures, report::Report, table};

/// All of them; the steps of the rows that have any come after the table.
pub(super) fn text(figures: &Figures) -> String {
    let machine = &figures.machine;
    let mut text = format!(
        "{} processors ({}), {} build, load {} before.\n\n| Row | Figure | Median (least-most) | Beside | Times that | Goal |\n|---|---|---|---|---|---|\n",
        machine.processors, machine.model, machine.build, machine.load_before
    );
    for report in &figures.rows {
        rows(&mut text, report);
    }
    for report in figures.rows.iter().filter(|report| !report.steps.is_empty()) {
        let _ = write!(text, "\n| Where the time of `{}` goes | ms (least-most) |\n|---|---|\n", report.name);
        for step in &report.steps {
            let spread = &step.milliseconds;
            let _ = writeln!(
                text,
                "| {} | {:.2} ({:.2}-{:.2}) |",
                step.what, spread.median, spread.min, spread.max
            );
        }
    }
    let busy: Vec<&Report> = figures.rows.iter().filter(|report| !report.processors.is_empty()).collect();
    if !busy.is_empty() {
        text.push_str("\n| Row | Who has the processors while it is measured |\n|---|---|\n");
    }
    for report in busy {
        let _ = writeln!(text, "| `{}` | {} |", report.name, table::shares(&report.processors));
    }
    text
}

fn rows(text: &mut String, report: &Report) {
    let mark = if report.doubts.is_empty() { "" } else { " (the machine was busy)" };
    for line in &report.lines {
        let figure = table::spread(&line.figure, line.unit);
        let (beside, times) = line.floor.as_ref().map_or_else(Default::default, |floor| {
            let beside = format!("{}: {}", floor.what, table::spread(&floor.figure, line.unit));
            (beside, format!("{:.2} ({:.2}-{:.2})", floor.ratio.median, floor.ratio.min, floor.ratio.max))
        });
        let goal = line.goal.zip(line.is_met).map_or_else(String::new, |(goal, is_met)| {
            format!("{}: {}", table::of_goal(goal, line.unit), if is_met { "met" } else { "**missed**" })
        });
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "| `{}`{mark} | {} | {figure} | {beside} | {times} | {goal} |",
            report.name, line.what
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        machine::Machine,
        report::{Goal, Line, Unit},
    };

    #[test]
    fn a_line_is_a_row_of_the_table() {
        let mut report = Report::new("answer");
        let line = Line::new("answer p50", Unit::Milliseconds, vec![3.0]);
        report.add(line.beside("INSERT", &[1.0]).goal(Goal::MostTimesFloor(2.5)));
        report.add_steps([("edge in", vec![0.2])]);
        let machine = Machine {
            processors: 2,
            model: "a processor".to_owned(),
            load_before: "0.00".to_owned(),
            others_before: None,
            build: "release",
        };
        let text = text(&Figures { machine, quick: false, rows: vec![report] });
        let row = "| `answer` | answer p50 | 3.00 ms | INSERT: 1.00 ms | 3.00 (3.00-3.00) | <= 2.5 x: **missed** |\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| edge in | 0.20 (0.20-0.20) |"), "{text}");
    }
}
