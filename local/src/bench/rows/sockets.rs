//! Ten thousand idle sockets, and what they cost the server.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    bench::{
        Error, processes,
        report::{Goal, Line, Report, Unit},
        stage::{Stage, start_server},
        stats::{number, per_second},
    },
    client::Client,
};

const AT_ONCE: usize = 32;
/// Files that the server needs besides one for each socket.
const SPARE: u64 = 500;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let mut count = stage.size(10_000, 50);
    let limit = rlimit::Resource::NOFILE.get_soft()?.saturating_sub(SPARE);
    if u64::try_from(count).unwrap_or(u64::MAX) > limit {
        report.note(format!(
            "this machine allows {limit} sockets a process (ulimit -Hn), so there are no more"
        ));
        count = usize::try_from(limit).unwrap_or_default();
    }
    // A server of its own: what the other rows left behind is not measured.
    let folder = stage.binaries.display().to_string();
    let server = start_server(vec!["--bin-dir".to_owned(), folder]).await?;
    let client = Client::new(&server.addresses.edge, None)?;
    let app = client.make_app("sockets").await?;
    let query = format!("api_key={}", app.api_key);
    let name = std::env::current_exe()?.file_name().map(|name| name.to_string_lossy().into_owned());
    let resident = || {
        let all = processes::below(server.id());
        let local = all.iter().find(|process| Some(&process.name) == name.as_ref())?;
        processes::memory(local.id).map(|memory| memory.resident)
    };
    let before = resident();
    let start = Instant::now();
    let sockets: Vec<_> = stream::iter(0..count)
        .map(|_| client.connect(&query))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let rate = per_second(count, start.elapsed());
    match before.zip(resident()) {
        Some((before, after)) => {
            let line = Line::new(format!("{count} idle sockets"), Unit::Megabytes, vec![after]);
            report.add(line.goal(Goal::Most(300.0)));
            let each = (after - before) * 1000.0 / number(count);
            report.note(format!("{before:.1} MB before; {each:.1} kB a socket"));
        }
        None => report.note("this system does not tell what memory a process has"),
    }
    report.add(Line::new("opened", Unit::PerSecond, vec![rate]));
    drop(sockets);
    tokio::task::spawn_blocking(move || drop(server)).await.map_err(std::io::Error::other)?;
    Ok(())
}
