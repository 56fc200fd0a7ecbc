//! TLS with a database whose certificate a private authority signed.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use shared::{config::Secret, postgres::Server, store, telemetry::Chain, testing::server_options};
use tokio_postgres::NoTls;

/// A server that speaks TLS, and the file of its authority.
struct Secured {
    server: Server,
    authority: PathBuf,
}

impl Secured {
    async fn start() -> Self {
        let server = tokio::task::spawn_blocking(|| Server::start(server_options()).unwrap()).await.unwrap();
        let folder = server.data_dir().to_owned();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signed = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&authority, &authority_key);
        // Not for `localhost`: a test asks for a name that is not in it.
        let names = vec!["127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        for (name, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
            give(&folder.join(name), &text, &folder);
        }
        let file = folder.join("authority.pem");
        fs::write(&file, signed.pem()).unwrap();

        let (client, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let reloaded = async {
            while client.query_one("SHOW ssl", &[]).await.unwrap().get::<_, &str>(0) != "on" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reloaded).await.unwrap();
        Self { server, authority: file }
    }

    /// Whether a session with these parameters is encrypted, or why there is none.
    async fn session(&self, host: &str, parameters: &str) -> Result<bool, String> {
        let url = format!("postgres://postgres@{host}:{}/postgres?{parameters}", self.server.port());
        let client = store::connect(&Secret::new(url)).await.map_err(|error| Chain(&error).to_string())?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query_one(sql, &[]).await.unwrap().get(0))
    }
}

/// A file that only the server's user may read, as Postgres wants it.
fn give(file: &Path, text: &str, folder: &Path) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(folder).unwrap();
    chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
}

#[tokio::test]
async fn only_a_certificate_of_a_known_authority_and_of_that_name_is_accepted() {
    let secured = Secured::start().await;
    let ours = format!("sslrootcert={}", secured.authority.display());
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_eq!(secured.session("127.0.0.1", &format!("sslmode={mode}&{ours}")).await, Ok(true), "{mode}");
    }
    let stranger = secured.session("127.0.0.1", "sslmode=require").await.unwrap_err();
    assert!(stranger.contains("UnknownIssuer"), "{stranger}");
    let misnamed = secured.session("localhost", &format!("sslmode=require&{ours}")).await.unwrap_err();
    assert!(misnamed.contains("not valid for name"), "{misnamed}");
    assert_eq!(secured.session("127.0.0.1", "sslmode=disable").await, Ok(false));
    assert_eq!(
        secured.session("127.0.0.1", "application_name=x").await,
        Ok(false),
        "loopback, nothing asked for"
    );
}
