//! A thousand deliveries over sixteen connections at once.

use std::time::Instant;

use crate::bench::{
    Error,
    meter::{Meter, Spent},
    report::{Goal, Line, Report, Unit::Seconds},
    stage::{PATIENCE, Stage},
};

const AT_ONCE: usize = 16;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(5, 2), stage.size(1_000, 20));
    let (app, mut socket) = stage.app("burst").await?;
    let (mut answered, mut framed, mut spent) = (Vec::new(), Vec::new(), Spent::default());
    for _ in 0..rounds {
        let payloads: Vec<_> = (0..count).map(|_| stage.ringing()).collect();
        let (meter, start) = (Meter::start(), Instant::now());
        let follow = async {
            for _ in 0..count {
                socket.next(PATIENCE).await?;
            }
            Ok(Instant::now())
        };
        let (last_answer, last_frame) =
            futures_util::future::try_join(stage.deliver_all(&app, &payloads, AT_ONCE), follow).await?;
        meter.end(&mut spent);
        answered.push((last_answer - start).as_secs_f64());
        framed.push((last_frame - start).as_secs_f64());
    }
    report.add(Line::new("the last answer", Seconds, answered));
    report.add(Line::new("the last frame", Seconds, framed).goal(Goal::Most(3.0)));
    report.spent(&spent);
    report.note("the original: 9.4 s until the last frame");
    Ok(())
}
