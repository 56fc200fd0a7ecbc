//! `PgBouncer` in transaction mode before a private server: what many give their functions as the database.

use super::{
    Server,
    account::Account,
    error::Error,
    lifeline::{Lifeline, Stop},
};
use std::{
    ffi::OsString,
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

/// How long a start may take.
const START: Duration = Duration::from_secs(10);

/// Debian's folder for it, which is not on everybody's PATH.
const USUAL: &str = "/usr/sbin/pgbouncer";

/// A running pooler. It stops when this value is dropped, or when the process ends in whatever way.
pub struct Pooler {
    port: u16,
    _lifeline: Lifeline,
}

impl Pooler {
    /// Starts a pooler before `server`; nothing where the machine has none.
    pub fn start(server: &Server) -> Result<Option<Self>, Error> {
        let usual = Path::new(USUAL);
        let Some(program) = server.program("pgbouncer").or_else(|| usual.is_file().then(|| usual.to_owned()))
        else {
            return Ok(None);
        };
        let account = Account::choose(None)?;
        let folder = account.temporary()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(Error::spawn("a listener on 127.0.0.1"))?
            .port();
        let (settings, log) = (folder.join("pgbouncer.ini"), folder.join("log"));
        // Few server connections, so that transactions of one client meet different ones.
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 3\nmax_client_conn = 1000\n",
            server.port()
        );
        fs::write(&settings, text).map_err(Error::io("write", &settings))?;
        let command = [OsString::from(program), OsString::from(&settings)];
        let lifeline = Lifeline::start(&account, Stop::Immediate, &log, Some(&folder), &command)?;
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if lifeline.is_gone() || started.elapsed() > START {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(Error::Start { outcome: "did not become a pooler", log });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(Self { port, _lifeline: lifeline }))
    }

    /// The URL of one of the server's databases, through the pooler.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}
