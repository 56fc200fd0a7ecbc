//! The functions: built and run here, or reached through another Invoke API.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{Arguments, Error};
use crate::{
    binaries, console, environment,
    faults::Faults,
    journal::Journal,
    lambda::{Function, Lambda, Program},
    settings::{Settings, root},
    template::Template,
    urls::PublicUrls,
};

/// The folder of the binaries, built first unless they are given; none when they run elsewhere.
pub(super) async fn find(
    arguments: &Arguments,
    template: &Template,
) -> Result<Option<PathBuf>, binaries::Error> {
    let names = template.binaries();
    match (&arguments.lambda, &arguments.bin_dir) {
        (Some(_), _) => Ok(None),
        (None, Some(folder)) => binaries::find(folder, &names).map(Some),
        (None, None) => {
            console::progress("building the functions");
            binaries::build(&root(), &names).await.map(Some)
        }
    }
}

/// The functions as processes of the binaries in `folder`, or behind the other Invoke API.
pub(super) fn start(
    arguments: &Arguments,
    settings: &Settings,
    template: &Template,
    urls: &PublicUrls,
    folder: Option<&Path>,
    journal: &Journal,
    faults: &Faults,
) -> Result<Lambda, Error> {
    let base = environment::base(settings, urls, journal.amount());
    let aliases =
        template.functions.iter().map(|(id, function)| (id.clone(), function.binary.clone())).collect();
    let Some(folder) = folder else {
        let url = arguments.lambda.as_deref().unwrap_or_default();
        let file = root().join(&arguments.database.data).join("functions.env");
        write_environment(&file, &base, template)?;
        console::progress(&format!(
            "waiting for the functions at {url}; with cargo-lambda they are started by"
        ));
        console::progress(&format!("  {}", watch_command(url, &file)));
        return Lambda::remote(url, aliases)
            .map_err(|source| Error::Function { name: url.to_owned(), source });
    };
    let warm = template.triggered_binaries();
    let functions = template.functions.values().map(|function| {
        let mut environment = base.clone();
        environment.extend(function.environment.clone());
        Function {
            name: function.binary.clone(),
            program: Program { path: binaries::path(folder, &function.binary), arguments: Vec::new() },
            environment,
            timeout: function.timeout,
            memory_megabytes: function.memory_megabytes,
            max_processes: arguments.max_processes.into(),
            is_warm: warm.contains(&function.binary),
        }
    });
    Ok(Lambda::processes(functions.collect(), aliases, journal, faults)?)
}

/// What starts the functions behind `url`.
fn watch_command(url: &str, environment: &Path) -> String {
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
    format!("cargo lambda watch -A 127.0.0.1 -P {port} --concurrency 4 --env-file {}", environment.display())
}

/// Writes what the functions need for `cargo lambda watch --env-file`; the names mean the same in all of them.
fn write_environment(
    file: &Path,
    base: &BTreeMap<String, String>,
    template: &Template,
) -> std::io::Result<()> {
    let mut variables: BTreeMap<_, _> = base.iter().filter(|(name, _)| name.starts_with("AWS_")).collect();
    variables.extend(template.functions.values().flat_map(|function| &function.environment));
    // Its reader takes a space or a second `=` only between quotes.
    let quoted =
        |value: &str| if value.contains([' ', '=']) { format!("\"{value}\"") } else { value.to_owned() };
    let lines: Vec<_> =
        variables.into_iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, lines.join("\n") + "\n")
}
