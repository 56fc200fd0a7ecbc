//! The report as a person reads it.

use std::fmt::Write as _;

use super::{
    meter::Share,
    report::{Goal, Line, Report, Unit},
    stats::Spread,
};

/// One row as text, without the last line's end.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!("\n{} ({:.0} s)", report.name, report.seconds);
    for line in &report.lines {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n  {}", of_line(line));
    }
    if !report.steps.is_empty() {
        let steps: Vec<_> = report
            .steps
            .iter()
            .map(|step| format!("{} {:.2}", step.what, step.milliseconds.median))
            .collect();
        let _ = write!(text, "\n  where the time goes, in ms: {}", steps.join(" · "));
    }
    if !report.processors.is_empty() {
        let _ = write!(text, "\n  who has the processors: {}", shares(&report.processors));
    }
    for note in &report.notes {
        let _ = write!(text, "\n  note: {note}");
    }
    for doubt in &report.doubts {
        let _ = write!(text, "\n  DOUBTFUL: {doubt}");
    }
    text
}

/// What was missed, and whether any of it is to be believed.
pub(super) fn summary(reports: &[Report]) -> String {
    let goals = || reports.iter().flat_map(|report| report.lines.iter().map(move |line| (report.name, line)));
    let with_goal = goals().filter(|(_, line)| line.is_met.is_some()).count();
    let missed: Vec<String> = goals()
        .filter(|(_, line)| line.is_met == Some(false))
        .map(|(name, line)| format!("{name}: {}", line.what))
        .collect();
    let mut text = format!("\n{} of {with_goal} goals are met.", with_goal - missed.len());
    if !missed.is_empty() {
        let _ = write!(text, " Missed: {}.", missed.join("; "));
    }
    let doubtful: Vec<&str> =
        reports.iter().filter(|report| !report.doubts.is_empty()).map(|report| report.name).collect();
    if !doubtful.is_empty() {
        let _ = write!(text, "\nDo not believe, the machine was busy: {}.", doubtful.join(", "));
    }
    text
}

/// Programs with their parts of all processors.
pub(super) fn shares(shares: &[Share]) -> String {
    let of = |Share { program, share }: &Share| format!("{program} {:.0} %", share * 100.0);
    shares.iter().map(of).collect::<Vec<_>>().join(" · ")
}

fn of_line(line: &Line) -> String {
    let unit = line.unit;
    let mut text = format!("{:<42} {:>26}", line.what, spread(&line.figure, unit));
    if let Some(floor) = &line.floor {
        let ratio = &floor.ratio;
        let _ = write!(
            text,
            "  {:.2} x ({:.2}-{:.2})  {}: {}",
            ratio.median,
            ratio.min,
            ratio.max,
            floor.what,
            spread(&floor.figure, unit)
        );
    }
    if let (Some(goal), Some(is_met)) = (line.goal, line.is_met) {
        let verdict = if is_met { "met" } else { "MISSED" };
        let _ = write!(text, "  [goal {}: {verdict}]", of_goal(goal, unit));
    }
    text
}

pub(super) fn of_goal(goal: Goal, unit: Unit) -> String {
    let plain = |number: f64| format!("{} {}", rounded(number), unit.name());
    match goal {
        Goal::Most(most) => format!("<= {}", plain(most)),
        Goal::Least(least) => format!(">= {}", plain(least)),
        Goal::MostTimesFloor(most) => format!("<= {most} x"),
        Goal::LeastTimesFloor(least) => format!(">= {least} x"),
    }
}

pub(super) fn spread(spread: &Spread, unit: Unit) -> String {
    let Spread { min, median, max, rounds } = spread;
    let unit = unit.name();
    if *rounds == 1 {
        return format!("{} {unit}", rounded(*median));
    }
    format!("{} {unit} ({}-{})", rounded(*median), rounded(*min), rounded(*max))
}

/// Three digits that count, or all before the point.
fn rounded(number: f64) -> String {
    match number.abs() {
        0.0..1.0 => format!("{number:.3}"),
        1.0..10.0 => format!("{number:.2}"),
        10.0..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_figure_floor_ratio_and_verdict() {
        let mut report = Report::new("answer");
        report.add(
            Line::new("p50", Unit::Milliseconds, vec![1.0, 0.9, 1.1])
                .beside("insert", &[0.5, 0.5, 0.5])
                .goal(Goal::MostTimesFloor(2.5)),
        );
        report.note("warm");
        let shown = text(&report);
        for part in [
            "1.00 ms (0.900-1.10)",
            "2.00 x (1.80-2.20)",
            "insert: 0.500 ms",
            "[goal <= 2.5 x: met]",
            "note: warm",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        assert_eq!(summary(&[report]), "\n1 of 1 goals are met.");
    }

    #[test]
    fn the_summary_names_what_was_missed_and_what_is_doubtful() {
        let mut report = Report::new("burst");
        report.add(Line::new("the last frame", Unit::Seconds, vec![4.0]).goal(Goal::Most(3.0)));
        report.doubts.push("busy".to_owned());
        let shown = summary(&[report]);
        assert!(shown.contains("0 of 1 goals are met. Missed: burst: the last frame."), "{shown}");
        assert!(shown.contains("Do not believe, the machine was busy: burst."), "{shown}");
    }
}
