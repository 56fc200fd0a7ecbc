//! The user the server runs as, and folders that this user can reach.
//!
//! Postgres refuses to run as root. Started by root, the server gets the account of the existing data, else the
//! `postgres` account of the machine, else nobody's.

use super::error::Error;
use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// User and group of nobody, where no `postgres` account exists.
const NOBODY: (u32, u32) = (65534, 65534);

/// Where data go whose own folder the server's user cannot reach; it outlives a reboot.
const REACHABLE: &str = "/var/tmp";

/// Who the server runs as.
#[derive(Clone, Copy)]
pub(super) struct Account {
    /// Our own user and group when we need not change them.
    own: (u32, u32),
    /// The unprivileged user and group, when we are root.
    other: Option<(u32, u32)>,
}

/// What the server's user does with a folder.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// It owns it and keeps data there.
    Data,
    /// It runs programs from it that we put there.
    Programs,
}

impl Account {
    /// Decides who runs a server on `data`.
    pub(super) fn choose(data: Option<&Path>) -> Result<Self, Error> {
        let own = (id("-u")?, id("-g")?);
        if own.0 != 0 {
            return Ok(Self { own, other: None });
        }
        let owner = data
            .and_then(|path| fs::metadata(path).ok())
            .filter(|metadata| metadata.uid() != 0)
            .map(|metadata| (metadata.uid(), metadata.gid()));
        let other = owner.or_else(postgres_account).unwrap_or(NOBODY);
        Ok(Self { own, other: Some(other) })
    }

    /// A command that runs as this account, in a folder that every account can enter.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C");
        if let Some((uid, gid)) = self.other {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes sure that `path` exists and serves `purpose`, or names the folder that stands in for it.
    pub(super) fn folder(&self, path: &Path, purpose: Purpose, say: &dyn Fn(&str)) -> Result<PathBuf, Error> {
        let path = std::path::absolute(path).map_err(Error::io("resolve", path))?;
        let is_new = !path.exists();
        if is_new {
            self.create(&path, purpose)?;
        } else if self.other.is_some() && is_empty(&path) {
            // Made for us by whoever started us, who is root.
            self.give(&path, purpose)?;
        }
        if self.can_use(&path, purpose) {
            return Ok(path);
        }
        if purpose == Purpose::Data && !is_new && !is_empty(&path) {
            return if path.join("PG_VERSION").exists() {
                Err(Error::Unreachable { path })
            } else {
                Err(Error::NotADatabase { path })
            };
        }
        if is_new {
            fs::remove_dir(&path).map_err(Error::io("remove", &path))?;
        }
        let instead = Path::new(REACHABLE).join(format!("postgres-{:016x}", hash(&path)));
        if !instead.exists() {
            self.create(&instead, purpose)?;
        }
        let metadata = fs::symlink_metadata(&instead).map_err(Error::io("read", &instead))?;
        if !metadata.is_dir() || metadata.uid() != self.owner_of(purpose).0 {
            return Err(Error::Foreign { path: instead });
        }
        say(&format!(
            "the database's user cannot reach {}, using {} instead",
            path.display(),
            instead.display()
        ));
        Ok(instead)
    }

    /// A fresh folder for a server whose data are thrown away.
    pub(super) fn temporary(&self) -> Result<PathBuf, Error> {
        let name = format!("postgres-{}-{:016x}", std::process::id(), random());
        for parent in [std::env::temp_dir().as_path(), Path::new(REACHABLE)] {
            let path = parent.join(&name);
            self.create(&path, Purpose::Data)?;
            if self.can_use(&path, Purpose::Data) {
                return Ok(path);
            }
            fs::remove_dir(&path).map_err(Error::io("remove", &path))?;
        }
        Err(Error::Unreachable { path: std::env::temp_dir() })
    }

    /// Creates a folder, and those above it, for `purpose`.
    pub(super) fn create(&self, path: &Path, purpose: Purpose) -> Result<(), Error> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let mode = if purpose == Purpose::Data { 0o700 } else { 0o755 };
        fs::DirBuilder::new().mode(mode).create(path).map_err(Error::io("create", path))?;
        if self.other.is_some() { self.give(path, purpose) } else { Ok(()) }
    }

    fn give(&self, path: &Path, purpose: Purpose) -> Result<(), Error> {
        let (uid, gid) = self.owner_of(purpose);
        chown(path, Some(uid), Some(gid)).map_err(Error::io("change the owner of", path))
    }

    fn owner_of(&self, purpose: Purpose) -> (u32, u32) {
        match purpose {
            Purpose::Data => self.other.unwrap_or(self.own),
            Purpose::Programs => self.own,
        }
    }

    /// Asks the system, as that user: mode bits alone do not tell (groups, access lists, mounts).
    fn can_use(&self, path: &Path, purpose: Purpose) -> bool {
        if self.other.is_none() {
            return true;
        }
        let script = match purpose {
            Purpose::Data => r#"cd -- "$1" && test -w . && test -r ."#,
            Purpose::Programs => r#"cd -- "$1" && test -r ."#,
        };
        let status = self
            .command("/bin/sh")
            .args(["-c", script, "sh"])
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}

/// Our user or group id; the standard library has no safe call for it.
fn id(flag: &str) -> Result<u32, Error> {
    let output = Command::new("id").arg(flag).output().map_err(Error::spawn("id"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .map_err(|_| Error::spawn("id")(std::io::Error::other("it did not answer with a number")))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn postgres_account() -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// FNV-1a: the same path must find its folder again with every later compiler.
fn hash(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A number nobody can guess, so that a temporary folder's name is not taken before we make it.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
