//! Builds the functions before they are run, in the profile that this program was built in.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::process::Command;

/// Set by cargo for a program that it runs, and describing that program. They must not reach the inner cargo:
/// build scripts that watch them would run again, and everything behind them would be compiled again.
const CARGOS_OWN: [&str; 5] = [
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
];

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This program's own path is not known, so neither is the target folder.
    #[error("finding the target folder of this build")]
    Target(#[source] std::io::Error),
    /// This program is not in a target folder.
    #[error("{} is in no target folder: name the folder of the functions' binaries with --bin-dir", .0.display())]
    NoTarget(PathBuf),
    /// Cargo cannot be run.
    #[error("running cargo: name the folder of the functions' binaries with --bin-dir to do without it")]
    Cargo(#[source] std::io::Error),
    /// Cargo failed, and has said why.
    #[error("building the functions failed ({0})")]
    Build(ExitStatus),
    /// A binary is missing.
    #[error("there is no {}: leave --bin-dir out to have the functions built, or build them with cargo", .0.display())]
    Missing(PathBuf),
}

/// Builds `names`, whose packages are named alike, and answers with the folder that holds them.
pub async fn build(root: &Path, names: &[String]) -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(Error::Target)?;
    let no_target = || Error::NoTarget(program.clone());
    let folder = program.parent().ok_or_else(no_target)?;
    let target = folder.parent().ok_or_else(no_target)?;
    let profile = match folder.file_name().and_then(OsStr::to_str).ok_or_else(no_target)? {
        "debug" => "dev",
        other => other,
    };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg("build").args(["--profile", profile]).arg("--target-dir").arg(target).current_dir(root);
    for name in names {
        command.args(["-p", name]);
    }
    let is_cargos_own = |name: &str| name.starts_with("CARGO_PKG_") || CARGOS_OWN.contains(&name);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_cargos_own) {
            command.env_remove(name);
        }
    }
    let status = command
        .stdin(Stdio::null())
        // Only this program may write to standard output.
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .map_err(Error::Cargo)?;
    if !status.success() {
        return Err(Error::Build(status));
    }
    find(folder, names)
}

/// Checks that `folder` holds all of `names`.
pub fn find(folder: &Path, names: &[String]) -> Result<PathBuf, Error> {
    for name in names {
        let path = path(folder, name);
        if !path.is_file() {
            return Err(Error::Missing(path));
        }
    }
    Ok(folder.to_owned())
}

/// The file of the function `name`: cargo's output, or what `cargo lambda build` makes (`<name>/bootstrap`).
#[must_use]
pub fn path(folder: &Path, name: &str) -> PathBuf {
    let bootstrap = folder.join(name).join("bootstrap");
    if bootstrap.is_file() {
        return bootstrap;
    }
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
