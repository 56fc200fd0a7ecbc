//! A delivery and its answer, warm, one at a time.
//!
//! The goal's floor is the INSERT as the webhook sends it, unnamed; the prepared one is shown for information.

use crate::{
    bench::{
        Error,
        floor::Insert,
        report::{Goal, Line, Report, Unit::Milliseconds},
        stage::Stage,
        stats::Times,
        way::{Way, between},
    },
    timing::Point,
};

const STEPS: [&str; 4] = ["edge in", "webhook: verify and INSERT", "message to the queue", "edge out"];

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(7, 2), stage.size(200, 3));
    let (app, mut socket) = stage.app("answer").await?;
    let insert = Insert::new(&stage.database, app.app_id.0).await?;
    for _ in 0..stage.size(100, 2) {
        stage.deliver(&app, &mut socket).await?;
    }
    let mut way = Way::follow(&stage.timings)?;
    let queue = stage.template.queues["EventQueue"].name.clone();
    let points = [(Point::Taken, "webhook"), (Point::Sent, queue.as_str()), (Point::Answered, "webhook")];
    let mut figures: [Vec<f64>; 5] = Default::default();
    let mut steps: [Vec<f64>; STEPS.len()] = Default::default();
    for _ in 0..rounds {
        let (mut answers, mut floor, mut prepared) = (Times::default(), Times::default(), Times::default());
        let mut ways: [Vec<f64>; STEPS.len()] = Default::default();
        for _ in 0..count {
            let payload = stage.ringing();
            floor.push(insert.unnamed(&stage.database, &payload).await?);
            prepared.push(insert.prepared(&stage.database, &payload).await?);
            let seen = stage.deliver(&app, &mut socket).await?;
            answers.push(seen.answer());
            if let Some(times) = way.steps(seen.sent, &points)? {
                let times = [&[seen.sent], &times[..], &[seen.answered]].concat();
                ways.iter_mut().zip(between(&times)).for_each(|(step, time)| step.push(time));
            }
        }
        let round = [
            answers.percentile(50),
            floor.percentile(50),
            answers.percentile(99),
            floor.percentile(99),
            prepared.percentile(50),
        ];
        figures.iter_mut().zip(round).for_each(|(figure, value)| figure.push(value));
        steps.iter_mut().zip(&ways).for_each(|(step, way)| step.push(super::middle(way)));
    }
    let [p50, floor_p50, p99, floor_p99, prepared] = figures;
    let floor = "INSERT and COMMIT, unnamed";
    let times = |goal| Goal::MostTimesFloor(goal);
    report.add(Line::new("answer p50", Milliseconds, p50.clone()).beside(floor, &floor_p50).goal(times(2.5)));
    report.add(Line::new("answer p99", Milliseconds, p99).beside(floor, &floor_p99).goal(times(5.0)));
    report.add(
        Line::new("answer p50, for information", Milliseconds, p50)
            .beside("INSERT and COMMIT, prepared", &prepared),
    );
    report.add_steps(STEPS.into_iter().zip(steps));
    Ok(())
}
