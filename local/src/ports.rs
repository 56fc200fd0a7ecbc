//! Opens the ports, on loopback only, and says who has one that is taken.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;

/// Why a port cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program has it.
    #[error("port {port} is taken{}; choose another one with {flag}", by(holder.as_ref()))]
    Taken {
        /// The port.
        port: u16,
        /// The program that has it, where that can be found.
        holder: Option<String>,
        /// The flag that chooses another port.
        flag: &'static str,
    },
    /// The system refuses it for another reason.
    #[error("opening port {port}; choose another one with {flag}")]
    Refused {
        /// The port.
        port: u16,
        /// The flag that chooses another port.
        flag: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Opens `port` (0: any free one) on 127.0.0.1.
pub async fn open(port: u16, flag: &'static str) -> Result<TcpListener, Error> {
    bind(IpAddr::V4(Ipv4Addr::LOCALHOST), port, flag).await
}

/// Opens `port` on `[::1]` too, which is what `localhost` means to some clients; `None` where there is no IPv6.
pub async fn open_v6(port: u16, flag: &'static str) -> Result<Option<TcpListener>, Error> {
    match bind(IpAddr::V6(Ipv6Addr::LOCALHOST), port, flag).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error @ Error::Taken { .. }) => Err(error),
        Err(Error::Refused { .. }) => Ok(None),
    }
}

async fn bind(address: IpAddr, port: u16, flag: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(SocketAddr::new(address, port)).await.map_err(|source| {
        if source.kind() == ErrorKind::AddrInUse {
            Error::Taken { port, holder: holder(port), flag }
        } else {
            Error::Refused { port, flag, source }
        }
    })
}

fn by(holder: Option<&String>) -> String {
    holder.map(|holder| format!(" by {holder}")).unwrap_or_default()
}

/// The program that listens on the port: Linux tells its socket in `/proc/net`, and the socket's owner in `/proc`.
#[cfg(target_os = "linux")]
fn holder(port: u16) -> Option<String> {
    use std::fs;

    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().filter_map(|line| listening_inode(line, port)).collect::<Vec<_>>())
        .collect();
    let is_wanted = |target: &str| {
        inodes
            .iter()
            .any(|inode| target.strip_prefix("socket:[").and_then(|t| t.strip_suffix(']')) == Some(inode))
    };
    for process in fs::read_dir("/proc").ok()?.flatten() {
        // Beside the processes, by number, there are `self` and many files.
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Processes of other users cannot be looked into; the next one may be ours.
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let mut targets =
            descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        if targets.any(|target| target.to_str().is_some_and(is_wanted)) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {id})", name.trim()));
        }
    }
    None
}

/// The inode of a `/proc/net/tcp` line, if it is a listening socket on the port.
#[cfg(target_os = "linux")]
fn listening_inode(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let is_listener = *fields.get(3)? == LISTEN && u16::from_str_radix(local_port, 16).ok()? == port;
    is_listener.then(|| fields.get(9).map(ToString::to_string)).flatten()
}

#[cfg(not(target_os = "linux"))]
fn holder(_port: u16) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_the_port_the_flag_and_the_program() {
        let first = open(0, "--port").await.unwrap();
        let port = first.local_addr().unwrap().port();
        let message = open(port, "--port").await.unwrap_err().to_string();
        assert!(message.starts_with(&format!("port {port} is taken")), "{message}");
        assert!(message.ends_with("choose another one with --port"), "{message}");
        if cfg!(target_os = "linux") {
            assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
        }
    }
}
