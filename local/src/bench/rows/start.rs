//! The server, from its start until it is ready, with a database that exists.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    bench::{
        Error,
        report::{Goal, Line, Report, Unit::Seconds},
        stage::Stage,
    },
    child::LIFELINE,
};

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let rounds = stage.size(5, 2);
    let data = stage.folder.join("start");
    let mut times = Vec::new();
    for _ in 0..=rounds {
        let (data, binaries) = (data.clone(), stage.binaries.clone());
        let started = tokio::task::spawn_blocking(move || start(&data, &binaries));
        times.push(started.await.map_err(std::io::Error::other)??);
    }
    let first = times.remove(0);
    report.add(Line::new("start to ready", Seconds, times).goal(Goal::Most(1.0)));
    report.note(format!("the first start, which makes the database: {first:.2} s"));
    Ok(())
}

/// Starts it and stops it again; gives back the seconds until it was ready.
fn start(data: &Path, binaries: &Path) -> Result<f64, Error> {
    // Free now; whoever takes one in the meantime makes this fail.
    let ports = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let [port, aws_port] =
        ports.map(|listener| listener.local_addr().map(|address| address.port().to_string()));
    let (port, aws_port) = (port?, aws_port?);
    let begin = Instant::now();
    let mut shell = Command::new("/bin/sh")
        .args(["-c", LIFELINE, "lifeline"])
        .arg(std::env::current_exe()?)
        .args(["serve", "--port", &port, "--aws-port", &aws_port])
        .arg("--data")
        .arg(data)
        .arg("--bin-dir")
        .arg(binaries)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output =
        BufReader::new(shell.stdout.take().ok_or_else(|| Error::failed("the server has no output"))?);
    let mut line = String::new();
    output.read_line(&mut line)?;
    let time = begin.elapsed().as_secs_f64();
    drop(shell.stdin.take());
    let _ = output.read_to_end(&mut Vec::new());
    let _ = shell.wait();
    if line.contains("running") { Ok(time) } else { Err(Error::failed("the server did not start")) }
}
