//! Whom a connection trusts: what the database's address says of TLS.
//!
//! TLS here always verifies the certificate and the name in it, against Mozilla's public roots (Neon, Supabase and others) and
//! those of Amazon RDS. So `require`, `verify-ca` and `verify-full` are one thing. `sslrootcert` names a file of other roots,
//! which then are the only ones.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio_postgres::{
    Config,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Error, Result};

/// The roots of Amazon RDS and Aurora, which no public list has.
const RDS: &[u8] = include_bytes!("rds.pem");

/// An address that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("know sslmode={0}: it is disable, prefer, require, verify-ca or verify-full")]
    Mode(String),
    #[error("read certificates from sslrootcert={}", .path.display())]
    Roots {
        path: PathBuf,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("find a certificate in sslrootcert={}", .path.display())]
    NoRoots { path: PathBuf },
}

/// The address without what its driver does not know, and the TLS that it asks for.
pub(super) fn read(url: &str) -> Result<(Config, MakeRustlsConnect)> {
    let (rest, [mode, roots]) = take(url, ["sslmode", "sslrootcert"]);
    let mut config: Config = rest.parse().map_err(wrong::<tokio_postgres::Error>)?;
    config.ssl_mode(match mode.as_deref() {
        Some("disable") => SslMode::Disable,
        None | Some("" | "allow" | "prefer") => SslMode::Prefer,
        Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(other) => return Err(wrong(Problem::Mode(other.to_owned()))),
    });
    // A server on this machine often has a certificate that nobody signed (Debian's does), and nobody stands in between,
    // so there `sslmode=prefer`, the default, means no TLS.
    if config.get_ssl_mode() == SslMode::Prefer && config.get_hosts().iter().all(is_this_machine) {
        config.ssl_mode(SslMode::Disable);
    }
    let roots = match roots.as_deref() {
        _ if config.get_ssl_mode() == SslMode::Disable => RootCertStore::empty(),
        None | Some("" | "system") => known(),
        Some(path) => named(PathBuf::from(path)).map_err(wrong)?,
    };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((config, MakeRustlsConnect::new(tls)))
}

fn wrong<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
    Error::Configuration(Box::new(error))
}

fn known() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(RDS).flatten());
    roots
}

fn named(path: PathBuf) -> std::result::Result<RootCertStore, Problem> {
    let read =
        CertificateDer::pem_file_iter(&path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let certificates = match read {
        Ok(certificates) => certificates,
        Err(source) => return Err(Problem::Roots { path, source }),
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added > 0 { Ok(roots) } else { Err(Problem::NoRoots { path }) }
}

/// Takes these parameters out of an address, which is a URL or a list of `name=value`.
fn take<const N: usize>(url: &str, names: [&str; N]) -> (String, [Option<String>; N]) {
    let mut taken = [const { None }; N];
    let mut keep = |part: &&str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match names.iter().position(|wanted| *wanted == name) {
            Some(index) => {
                taken[index] = Some(decoded(value));
                false
            }
            None => true,
        }
    };
    let rest = if !url.contains("://") {
        url.split(' ').filter(&mut keep).collect::<Vec<_>>().join(" ")
    } else if let Some((address, query)) = url.split_once('?') {
        let query = query.split('&').filter(&mut keep).collect::<Vec<_>>().join("&");
        if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") }
    } else {
        url.to_owned()
    };
    (rest, taken)
}

/// `%2F` is a slash: a path in a URL may be written so.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => bytes.extend([&[byte], &part.as_bytes()[2..]].concat()),
            None => bytes.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        read(url).unwrap().0.get_ssl_mode()
    }

    #[test]
    fn sslmode_is_read_as_libpq_does_and_never_weaker() {
        assert_eq!(mode("postgres://h/d"), SslMode::Prefer);
        assert_eq!(mode("postgres://h/d?sslmode=disable"), SslMode::Disable);
        for strict in ["require", "verify-ca", "verify-full"] {
            assert_eq!(
                mode(&format!("postgres://h/d?sslmode={strict}&application_name=x")),
                SslMode::Require
            );
        }
        assert_eq!(mode("host=h dbname=d sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://127.0.0.1/d"), SslMode::Disable, "nobody stands in between");
        assert_eq!(mode("postgres://127.0.0.1/d?sslmode=require"), SslMode::Require);
        assert!(matches!(read("postgres://h/d?sslmode=of+course"), Err(Error::Configuration(_))));
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest_as_it_was() {
        let (rest, taken) = take("postgres://u:p@h/d?a=1&sslrootcert=%2Fopt%2Fca.pem&b=2", ["sslrootcert"]);
        assert_eq!((rest.as_str(), taken), ("postgres://u:p@h/d?a=1&b=2", [Some("/opt/ca.pem".to_owned())]));
        let (rest, taken) = take("postgres://h/d?sslmode=require", ["sslmode"]);
        assert_eq!((rest.as_str(), taken), ("postgres://h/d", [Some("require".to_owned())]));
        let (rest, taken) = take("host=h sslmode=require password='a b'", ["sslmode"]);
        assert_eq!((rest.as_str(), taken), ("host=h password='a b'", [Some("require".to_owned())]));
    }

    #[test]
    fn every_root_of_the_file_is_read() {
        let in_file = String::from_utf8_lossy(RDS).matches("BEGIN CERTIFICATE").count();
        assert!(in_file > 70, "{in_file}");
        assert_eq!(known().len(), webpki_roots::TLS_SERVER_ROOTS.len() + in_file);
    }

    #[test]
    fn a_file_of_roots_that_is_missing_or_empty_is_named() {
        for file in ["/nowhere/ca.pem", "/dev/null"] {
            let error = read(&format!("postgres://h/d?sslmode=require&sslrootcert={file}")).err().unwrap();
            assert!(crate::telemetry::Chain(&error).to_string().contains(file), "{error}");
        }
    }
}
