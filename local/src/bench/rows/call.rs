//! One call by its id, as often as it goes.

use crate::bench::{
    Error,
    history::History,
    meter::{Meter, Spent},
    report::{Line, Report, Unit::PerSecond},
    stage::Stage,
    stats::per_second,
};

const AT_ONCE: usize = 16;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(5, 2), stage.size(3_000, 16));
    let history = stage.history().await?;
    let path = format!("/api/calls/{}", History::call(history.calls / 2));
    stage.ask(&path, Some(&history.app.api_key), AT_ONCE, AT_ONCE).await?;
    let (mut figures, mut floors, mut spent) = (Vec::new(), Vec::new(), Spent::default());
    for _ in 0..rounds {
        floors.push(per_second(count, stage.ask("/", None, count, AT_ONCE).await?));
        let key = Some(history.app.api_key.as_str());
        let meter = Meter::start();
        figures.push(per_second(count, stage.ask(&path, key, count, AT_ONCE).await?));
        meter.end(&mut spent);
    }
    report.spent(&spent);
    report.add(Line::new("GET /api/calls/{id}, 16 at once", PerSecond, figures).beside("GET /", &floors));
    Ok(())
}
