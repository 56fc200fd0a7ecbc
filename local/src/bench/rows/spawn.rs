//! From the start of a function's process until it asks for work, beside a hello world of the same runtime.

use std::{
    collections::BTreeMap,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::{
    bench::{
        Error,
        report::{Goal, Line, Report, Unit::Milliseconds},
        stage::Stage,
    },
    binaries, environment,
    journal::Amount,
};

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let rounds = stage.size(21, 2);
    let names: Vec<String> = stage.template.binaries().into_iter().filter(|name| name != "hello").collect();
    let mut figures: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for round in 0..=rounds {
        for name in &names {
            let hello = spawn(stage, "hello").await?.as_secs_f64() * 1000.0;
            let figure = spawn(stage, name).await?.as_secs_f64() * 1000.0;
            // The first round reads the files from the disk.
            if round > 0 {
                let (figures, hellos) = figures.entry(name).or_default();
                figures.push(figure);
                hellos.push(hello);
            }
        }
    }
    for (name, (figures, hellos)) in figures {
        let line = Line::new(name, Milliseconds, figures).beside("hello world", &hellos);
        report.add(line.goal(Goal::MostTimesFloor(4.0)));
    }
    Ok(())
}

/// Starts the function, and ends it when it has asked for work.
async fn spawn(stage: &Stage, name: &str) -> Result<Duration, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let urls = stage.server.addresses.urls();
    let own = stage.template.function(name).map(|function| function.environment.clone()).unwrap_or_default();
    let mut command = Command::new(binaries::path(&stage.binaries, name));
    command
        .env_clear()
        .envs(environment::base(&stage.settings, &urls, Amount::Quiet))
        .envs(own)
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", name)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let start = Instant::now();
    let mut child = command.spawn()?;
    let asked = tokio::time::timeout(Duration::from_secs(20), async {
        let (mut stream, _) = listener.accept().await?;
        asks_for_work(&mut stream).await
    });
    let asks = asked.await.map_err(|_| Error::failed(format!("{name} does not ask for work")))??;
    let time = start.elapsed();
    child.kill().await?;
    if asks { Ok(time) } else { Err(Error::failed(format!("{name} did not start"))) }
}

/// Whether the first request is the one for the next invocation.
async fn asks_for_work(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(false);
        }
    }
    Ok(head.starts_with(b"GET /2018-06-01/runtime/invocation/next "))
}
