//! The data directory: making it, and who uses it.

use super::{
    account::{Account, Purpose},
    binaries::Binaries,
    error::{Error, tail},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A server that lost its parent a moment ago is still stopping: no reason to refuse.
const GRACE: Duration = Duration::from_secs(3);
/// Stopping writes a checkpoint, which takes its time after a lot of work.
const STOPPING: Duration = Duration::from_secs(30);

/// A directory with, or for, the data of one server.
pub(super) struct DataDir {
    pub(super) path: PathBuf,
    pub(super) is_temporary: bool,
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // The server's shell does it too, and after us if we are killed; but it was perhaps never started, and its user
        // cannot always remove what stands in a folder of ours.
        if self.is_temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// What a running server writes into `postmaster.pid`.
pub(super) struct PidFile {
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) status: String,
}

impl DataDir {
    /// Where the server writes its log.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// The end of that log.
    pub(super) fn log_tail(&self) -> String {
        tail(&fs::read(self.log()).unwrap_or_default())
    }

    /// Major version of the data, none if there are none yet.
    pub(super) fn major(&self) -> Result<Option<u32>, Error> {
        match fs::read_to_string(self.path.join("PG_VERSION")) {
            Ok(text) => Ok(text.trim().split('.').next().and_then(|major| major.parse().ok())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut entries = fs::read_dir(&self.path).map_err(Error::io("read", &self.path))?;
                match entries.next() {
                    None => Ok(None),
                    Some(_) => Err(Error::NotADatabase { path: self.path.clone() }),
                }
            }
            Err(error) => Err(Error::io("read", self.path.join("PG_VERSION"))(error)),
        }
    }

    /// Makes an empty database. Interrupted, it leaves nothing that would stop the next attempt.
    pub(super) fn initialise(
        &self,
        account: &Account,
        binaries: &Binaries,
        is_durable: bool,
    ) -> Result<(), Error> {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let unfinished = PathBuf::from(name);
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(Error::io("remove", &unfinished))?;
        }
        account.create(&unfinished, Purpose::Data)?;
        let mut initdb = account.command(binaries.folder.join("initdb"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-D"]).arg(&unfinished);
        if !is_durable {
            initdb.arg("--no-sync");
        }
        let output = initdb.stdin(Stdio::null()).output().map_err(Error::spawn("initdb"))?;
        if !output.status.success() {
            let output = tail(&[output.stdout, output.stderr].concat());
            fs::remove_dir_all(&unfinished).map_err(Error::io("remove", &unfinished))?;
            return Err(Error::Initdb { output });
        }
        fs::rename(&unfinished, &self.path).map_err(Error::io("create", &self.path))
    }

    /// The port of the last start, so that a URL somebody noted stays valid.
    pub(super) fn last_port(&self) -> Option<u16> {
        let options = fs::read_to_string(self.path.join("postmaster.opts")).ok()?;
        options.split('"').find_map(|word| word.strip_prefix("port=")?.parse().ok())
    }

    /// What the server that uses or used these data wrote about itself.
    pub(super) fn pid_file(&self) -> Option<PidFile> {
        let text = fs::read_to_string(self.path.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Some(PidFile {
            pid: lines.first()?.parse().ok()?,
            port: lines.get(3).and_then(|port| port.parse().ok()).unwrap_or_default(),
            status: (*lines.get(7).unwrap_or(&"")).to_owned(),
        })
    }

    /// Waits for a server that is stopping, and refuses to start beside one that is not.
    pub(super) fn wait_until_free(&self, say: &dyn Fn(&str)) -> Result<(), Error> {
        let started = Instant::now();
        let mut has_said = false;
        while let Some(PidFile { pid, port, status }) = self.pid_file() {
            match self.holder(pid) {
                // Postgres itself removes the file of a dead server after checking that no part of it lives on.
                Holder::Dead => return Ok(()),
                // But it takes any live process of that number for the old server, also after a reboot.
                Holder::Stranger => {
                    let file = self.path.join("postmaster.pid");
                    return fs::remove_file(&file).map_err(Error::io("remove", &file));
                }
                Holder::Server => {}
            }
            let patience = if status == "stopping" { STOPPING } else { GRACE };
            if started.elapsed() > patience {
                return Err(Error::InUse { path: self.path.clone(), pid, port });
            }
            if !has_said {
                say("waiting for the previous database server to stop");
                has_said = true;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Ok(())
    }

    /// Who has the process number that the pid file names.
    fn holder(&self, pid: u32) -> Holder {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let name = if Path::new("/proc/self").exists() {
            fs::read_to_string(process.join("comm")).ok()
        } else {
            let ps = Command::new("ps").args(["-o", "comm=", "-p", &pid.to_string()]).output().ok();
            ps.filter(|output| output.status.success())
                .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let Some(name) = name else { return Holder::Dead };
        // A server works in its data directory; where that cannot be seen, the name decides.
        let works_elsewhere =
            fs::read_link(process.join("cwd")).is_ok_and(|folder| folder != self.real_path());
        if !name.contains("postgres") || works_elsewhere { Holder::Stranger } else { Holder::Server }
    }

    fn real_path(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }
}

/// See [`DataDir::holder`].
enum Holder {
    Dead,
    Stranger,
    Server,
}
