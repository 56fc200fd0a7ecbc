//! A function that does nothing: what the edge itself can do, beside `cargo lambda watch` and `sam local start-api`.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::process::{Child, Command};

use crate::{
    bench::{
        Error,
        meter::{Meter, Spent},
        report::{Line, Report, Unit::PerSecond},
        stage::Stage,
        stats::per_second,
    },
    binaries,
    client::Client,
    settings::root,
};

const AT_ONCE: usize = 16;
/// As many as the server runs of one function.
const PROCESSES: usize = 4;
const PATH: &str = "/lambda-url/hello/";
/// It runs one invocation at a time, whatever is asked of it.
const SAM_AT_ONCE: usize = 4;

pub(super) async fn measure(stage: &mut Stage, report: &mut Report) -> Result<(), Error> {
    let (rounds, count) = (stage.size(5, 2), stage.size(4_000, 32));
    stage.ask("/hello", None, AT_ONCE * 4, AT_ONCE).await?;
    let watch = if let Some(program) = CargoLambda::find(&stage.settings) {
        Some(CargoLambda::start(&program, stage).await?)
    } else {
        report.note("cargo lambda was neither on PATH nor in target/ci-tools/bin, so it is not measured");
        None
    };
    let sam = if let Some(url) = &stage.sam_local {
        let sam = Client::new(url, None)?;
        ask(&sam, "/hello", SAM_AT_ONCE, SAM_AT_ONCE).await?;
        Some(sam)
    } else {
        report.note("sam local start-api needs containers: `.ci/release speed` measures it too");
        None
    };
    let (mut figures, mut watched, mut contained) = (Vec::new(), Vec::new(), Vec::new());
    let mut spent = Spent::default();
    for _ in 0..rounds {
        let meter = Meter::start();
        figures.push(per_second(count, stage.ask("/hello", None, count, AT_ONCE).await?));
        meter.end(&mut spent);
        if let Some(watch) = &watch {
            watched.push(per_second(count / 4, watch.ask(count / 4).await?));
        }
        if let Some(sam) = &sam {
            contained.push(per_second(count / 40, ask(sam, "/hello", count / 40, SAM_AT_ONCE).await?));
        }
    }
    let line = || Line::new("the edge, 16 at once", PerSecond, figures.clone());
    if watch.is_some() {
        report.add(line().beside("cargo lambda watch, 8 at once", &watched));
    }
    if sam.is_some() {
        report.add(line().beside("sam local start-api, 4 at once", &contained));
    }
    if watch.is_none() && sam.is_none() {
        report.add(line());
    }
    report.spent(&spent);
    Ok(())
}

/// How long it takes a peer to answer all of these.
async fn ask(client: &Client, path: &str, count: usize, at_once: usize) -> Result<Duration, Error> {
    let start = Instant::now();
    let all = stream::iter(0..count)
        .map(|_| client.send(axum::http::Method::GET, path, &[], ""))
        .buffer_unordered(at_once)
        .map_err(Error::from)
        .try_for_each(async |answer| {
            if answer.status.is_success() { Ok(()) } else { Err(Error::failed("a peer of the edge failed")) }
        });
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, all).await.map_err(|_| Error::failed("a peer of the edge hangs"))??;
    Ok(start.elapsed())
}

/// `cargo lambda watch` with the same function; both end with this value.
struct CargoLambda {
    client: Client,
    processes: Vec<Child>,
}

impl CargoLambda {
    /// On PATH, or where CI installs it.
    fn find(settings: &crate::settings::Settings) -> Option<PathBuf> {
        let path = settings.get("PATH").unwrap_or_default();
        std::env::split_paths(path)
            .chain([root().join("target/ci-tools/bin")])
            .map(|folder| folder.join("cargo-lambda"))
            .find(|program| program.is_file())
    }

    /// Only its Runtime API: the processes are the same as behind the edge, and as many.
    async fn start(program: &PathBuf, stage: &Stage) -> Result<Self, Error> {
        // Free now; whoever takes it in the meantime makes this fail.
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let watch = Command::new(program)
            .args(["lambda", "watch", "--only-lambda-apis", "--ignore-changes", "-A", "127.0.0.1", "-P"])
            .args([&port.to_string(), "--concurrency", &PROCESSES.to_string()])
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut watch =
            Self { client: Client::new(&format!("http://127.0.0.1:{port}"), None)?, processes: vec![watch] };
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if Instant::now() > deadline {
                return Err(Error::failed("cargo lambda watch does not answer"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for _ in 0..PROCESSES {
            let function = Command::new(binaries::path(&stage.binaries, "hello"))
                .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt/hello"))
                .envs([
                    ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
                    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
                    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                    ("RUST_LOG", "off"),
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()?;
            watch.processes.push(function);
        }
        watch.ask(AT_ONCE).await?;
        Ok(watch)
    }

    /// Half as many at once as the edge gets: it hangs when too many are.
    async fn ask(&self, count: usize) -> Result<Duration, Error> {
        ask(&self.client, PATH, count, AT_ONCE / 2).await
    }
}
