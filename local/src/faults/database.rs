//! A proxy before the database, which can refuse, or go silent.
//!
//! Functions reach the database through it only when it was asked for: it costs each round trip two more hops through
//! this process, which a measurement must not pay for.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::MissedTickBehavior,
};

use super::{Faults, Kind};

/// How much is passed on at once.
const BUFFER_BYTES: usize = 16 * 1024;
/// How often it is drawn whether an outage begins.
const TICK: Duration = Duration::from_secs(1);

/// How the database can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As always.
    Open,
    /// Connections are reset, new ones and those that there are.
    Refuse,
    /// Connections are taken, and nothing passes, until it is open again.
    Hang,
}

impl Access {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Refuse => "refuse",
            Self::Hang => "hang",
        }
    }

    /// The access of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Open, Self::Refuse, Self::Hang].into_iter().find(|access| access.name() == name)
    }
}

/// The proxy has no place before this database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is somewhere else, where a certificate names it.
    #[error(
        "faults of the database need one on this machine, with one address in its URL (postgres://user@127.0.0.1:5432/name)"
    )]
    Elsewhere,
    /// No port could be opened.
    #[error("open a port for the database's proxy")]
    Port(#[from] io::Error),
}

/// A running proxy. Clones share it; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Proxy {
    url: String,
    access: Arc<watch::Sender<Access>>,
    faults: Faults,
    _tasks: Arc<JoinSet<()>>,
}

impl Proxy {
    /// Starts one before the database of this URL.
    pub async fn start(database_url: &str, faults: Faults) -> Result<Self, Error> {
        let target = address(database_url).ok_or(Error::Elsewhere)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let url = redirected(database_url, port).ok_or(Error::Elsewhere)?;
        let access = Arc::new(watch::Sender::new(Access::Open));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, target, access.subscribe()));
        tasks.spawn(outages(faults.clone(), Arc::clone(&access)));
        Ok(Self { url, access, faults, _tasks: Arc::new(tasks) })
    }

    /// The database's URL by way of the proxy.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How the database can be reached now.
    #[must_use]
    pub fn access(&self) -> Access {
        *self.access.borrow()
    }

    /// Changes that from now on.
    pub fn set(&self, access: Access) {
        match access {
            Access::Open => {}
            Access::Refuse => self.faults.note(Kind::DatabaseRefuse.name()),
            Access::Hang => self.faults.note(Kind::DatabaseHang.name()),
        }
        self.access.send_replace(access);
    }
}

/// Begins outages as the faults in force say, and ends them.
async fn outages(faults: Faults, access: Arc<watch::Sender<Access>>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (kind, outage) in [(Kind::DatabaseRefuse, Access::Refuse), (Kind::DatabaseHang, Access::Hang)] {
            let Some(strike) = faults.draw(kind, "") else { continue };
            if *access.borrow() != Access::Open {
                continue;
            }
            faults.note(kind.name());
            access.send_replace(outage);
            tokio::time::sleep(strike.lasting).await;
            access.send_if_modified(|access| {
                // Whoever set something else meanwhile meant it.
                let is_ours = *access == outage;
                if is_ours {
                    *access = Access::Open;
                }
                is_ours
            });
        }
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, access: watch::Receiver<Access>) {
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(carried.spawn(carry(client, target, access.clone()))),
                Err(error) => tracing::warn!(%error, "the database's proxy could not take a connection"),
            },
            Some(_ended) = carried.join_next() => {}
        }
    }
}

/// Carries one connection until either side ends it, or it is refused.
async fn carry(mut client: TcpStream, target: SocketAddr, access: watch::Receiver<Access>) {
    let mut refused = access.clone();
    let is_broken = tokio::select! {
        ended = between(&mut client, target, access) => ended.is_err(),
        _ = refused.wait_for(|access| *access == Access::Refuse) => true,
    };
    if is_broken {
        // Closing then resets the connection, as a server that is not there does.
        let _ = client.set_zero_linger();
    }
}

async fn between(
    client: &mut TcpStream,
    target: SocketAddr,
    mut access: watch::Receiver<Access>,
) -> io::Result<()> {
    passable(&mut access).await;
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        ended = pass(from_client, to_server, access.clone()) => ended,
        ended = pass(from_server, to_client, access) => ended,
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut access: watch::Receiver<Access>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        passable(&mut access).await;
        to.write_all(&buffer[..length]).await?;
    }
}

/// Waits while the database hangs.
async fn passable(access: &mut watch::Receiver<Access>) {
    // The sender outlives every connection's task.
    let _ = access.wait_for(|access| *access != Access::Hang).await;
}

/// Where the database listens, if that is one port of this machine.
fn address(url: &str) -> Option<SocketAddr> {
    let (_, _, host, _) = parts(url)?;
    let host = if host.is_empty() || host == "localhost" { "127.0.0.1" } else { host };
    let host = host.replace("localhost:", "127.0.0.1:");
    let ip = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let address = host.parse().ok().or_else(|| Some(SocketAddr::new(ip(&host)?, 5432)))?;
    address.ip().is_loopback().then_some(address)
}

/// The same URL with the proxy's address in it.
fn redirected(url: &str, port: u16) -> Option<String> {
    let (scheme, user, _, path) = parts(url)?;
    Some(format!("{scheme}://{user}127.0.0.1:{port}{path}"))
}

/// The scheme of a URL, who asks, the host with its port, and the rest.
fn parts(url: &str) -> Option<(&str, &str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    Some((scheme, user, host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_in_a_url_changes() {
        for (url, target, through) in [
            (
                "postgres://postgres@127.0.0.1:5433/db",
                "127.0.0.1:5433",
                "postgres://postgres@127.0.0.1:99/db",
            ),
            (
                "postgresql://a:p%40ss@localhost/db?sslmode=disable",
                "127.0.0.1:5432",
                "postgresql://a:p%40ss@127.0.0.1:99/db?sslmode=disable",
            ),
            ("postgres://localhost:70", "127.0.0.1:70", "postgres://127.0.0.1:99"),
            ("postgres://a@[::1]:70?x=y", "[::1]:70", "postgres://a@127.0.0.1:99?x=y"),
            ("postgres://[::1]/db", "[::1]:5432", "postgres://127.0.0.1:99/db"),
        ] {
            assert_eq!(redirected(url, 99).as_deref(), Some(through));
            assert_eq!(address(url), target.parse().ok(), "{url}");
        }
    }

    #[test]
    fn a_database_elsewhere_is_left_alone() {
        for url in [
            "postgres://db.example.com/db",
            "postgres://10.0.0.1/db",
            "postgres://a,b/db",
            "host=/tmp user=a",
        ] {
            assert_eq!(address(url), None, "{url}");
        }
    }
}
