//! What a row says: its figures beside their floors and goals, where the time goes, and what to doubt.

use serde::Serialize;

use super::{
    meter::{Share, Spent},
    stats::Spread,
};

/// A floor that varies more than this within one run says that the machine did something else besides.
const STEADY: f64 = 1.6;

/// The outcome of one row.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) name: &'static str,
    pub(super) lines: Vec<Line>,
    /// Where the time goes, step by step, in milliseconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<Step>,
    /// Who has the processors while the figures are measured, and what beside them is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) processors: Vec<Share>,
    /// What else is to be known.
    pub(super) notes: Vec<String>,
    /// Why the figures are not to be believed.
    pub(super) doubts: Vec<String>,
    pub(super) seconds: f64,
}

/// One figure.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) what: String,
    pub(super) unit: Unit,
    pub(super) figure: Spread,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) floor: Option<Floor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goal: Option<Goal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_met: Option<bool>,
    #[serde(skip)]
    rounds: Vec<f64>,
}

/// What it is measured beside.
#[derive(Debug, Serialize)]
pub(super) struct Floor {
    pub(super) what: String,
    pub(super) figure: Spread,
    /// The line's figure by this, round by round.
    pub(super) ratio: Spread,
}

/// What is wanted; the median counts.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    Most(f64),
    Least(f64),
    MostTimesFloor(f64),
    LeastTimesFloor(f64),
}

/// A step on the way.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) what: &'static str,
    pub(super) milliseconds: Spread,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Unit {
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "/s")]
    PerSecond,
    #[serde(rename = "MB")]
    Megabytes,
}

impl Report {
    pub(super) fn new(name: &'static str) -> Self {
        let (lines, steps, processors, notes, doubts) = Default::default();
        Self { name, lines, steps, processors, notes, doubts, seconds: 0.0 }
    }

    pub(super) fn add(&mut self, line: Line) {
        if let Some(floor) = &line.floor
            && floor.figure.width() > STEADY
        {
            let Spread { min, max, .. } = floor.figure;
            let unit = line.unit.name();
            self.doubts.push(format!("the floor ({}) varied from {min:.2} to {max:.2} {unit}", floor.what));
        }
        self.lines.push(line);
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Adds the steps, each with one figure a round.
    pub(super) fn add_steps(&mut self, steps: impl IntoIterator<Item = (&'static str, Vec<f64>)>) {
        let step = |(what, rounds): (_, Vec<f64>)| Step { what, milliseconds: Spread::of(&rounds) };
        self.steps.extend(steps.into_iter().map(step));
    }
}

impl Report {
    /// Says who had the processors.
    pub(super) fn spent(&mut self, spent: &Spent) {
        self.processors = spent.shares();
    }
}

impl Line {
    /// A figure, measured once a round.
    pub(super) fn new(what: impl Into<String>, unit: Unit, rounds: Vec<f64>) -> Self {
        let figure = Spread::of(&rounds);
        Self { what: what.into(), unit, figure, floor: None, goal: None, is_met: None, rounds }
    }

    /// Measured beside this, in the same rounds.
    pub(super) fn beside(mut self, what: impl Into<String>, rounds: &[f64]) -> Self {
        let ratios: Vec<f64> = self.rounds.iter().zip(rounds).map(|(figure, floor)| figure / floor).collect();
        self.floor =
            Some(Floor { what: what.into(), figure: Spread::of(rounds), ratio: Spread::of(&ratios) });
        self
    }

    /// What is wanted of it. A goal beside a floor comes after the floor.
    pub(super) fn goal(mut self, goal: Goal) -> Self {
        let ratio = self.floor.as_ref().map_or(f64::NAN, |floor| floor.ratio.median);
        self.is_met = Some(match goal {
            Goal::Most(most) => self.figure.median <= most,
            Goal::Least(least) => self.figure.median >= least,
            Goal::MostTimesFloor(most) => ratio <= most,
            Goal::LeastTimesFloor(least) => ratio >= least,
        });
        self.goal = Some(goal);
        self
    }
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::PerSecond => "/s",
            Self::Megabytes => "MB",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::new("answer", Unit::Milliseconds, vec![2.0, 3.0, 10.0]).beside("insert", &[1.0, 1.0, 2.0])
    }

    #[test]
    fn a_ratio_is_made_round_by_round() {
        let ratio = line().floor.unwrap().ratio;
        assert_eq!(ratio, Spread { min: 2.0, median: 3.0, max: 5.0, rounds: 3 });
    }

    #[test]
    fn a_goal_is_met_by_the_median() {
        assert_eq!(line().goal(Goal::MostTimesFloor(3.0)).is_met, Some(true));
        assert_eq!(line().goal(Goal::MostTimesFloor(2.9)).is_met, Some(false));
        assert_eq!(line().goal(Goal::Most(3.0)).is_met, Some(true));
        assert_eq!(line().goal(Goal::Least(3.1)).is_met, Some(false));
        let without_floor = Line::new("x", Unit::PerSecond, vec![1.0]);
        assert_eq!(without_floor.goal(Goal::LeastTimesFloor(0.0)).is_met, Some(false));
    }

    #[test]
    fn a_floor_that_varies_is_a_doubt() {
        let mut report = Report::new("answer");
        report.add(line());
        assert_eq!(report.doubts, ["the floor (insert) varied from 1.00 to 2.00 ms"]);
    }
}
