//! How often a transaction goes to the database and back: the wall must not cost a request one more time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::DateTime;
use shared::{
    config::Secret,
    domain::ids::{AppId, new_id},
    store::{Settings, Store, apps, audit, calls, page::Request},
    testing::Database,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Duration, timeout},
};

/// Collects what the client sends until it falls silent, hands it to the server, and the whole answer back: so one turn is
/// one round trip, however the bytes are cut.
async fn serve(listener: TcpListener, server: u16, trips: Arc<AtomicUsize>) {
    const SILENCE: Duration = Duration::from_millis(100);
    let (mut client, _) = listener.accept().await.unwrap();
    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let mut bytes = vec![0; 65_536];
    loop {
        let mut asked = client.read(&mut bytes).await.unwrap();
        if asked == 0 {
            return;
        }
        while let Ok(Ok(more @ 1..)) = timeout(SILENCE, client.read(&mut bytes[asked..])).await {
            asked += more;
        }
        trips.fetch_add(1, Ordering::SeqCst);
        server.write_all(&bytes[..asked]).await.unwrap();
        while let Ok(Ok(answered @ 1..)) = timeout(SILENCE, server.read(&mut bytes)).await {
            client.write_all(&bytes[..answered]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_read_and_a_single_write_are_one_round_trip_each() {
    let database = Database::new().await;
    let trips = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = database.server().port();
    let url = database.url().replace(&port.to_string(), &listener.local_addr().unwrap().port().to_string());
    let serving = tokio::spawn(serve(listener, port, Arc::clone(&trips)));
    let mut settings = Settings::new(&url);
    // Slow as the proxy is, the connection must not seem to have been idle.
    settings.trusted_for = Duration::from_mins(1);
    let store = Store::new(&settings).unwrap();
    let (app_id, now) = (AppId(new_id()), DateTime::from_timestamp(1_780_000_000, 0).unwrap());

    let tx = store.system().await.unwrap();
    apps::insert(&*tx, app_id, "Acme", &Secret::new("secret"), None, now).await.unwrap();
    tx.commit().await.unwrap();
    let connected = trips.load(Ordering::SeqCst);

    let tx = store.tenant(app_id).await.unwrap();
    calls::list(&*tx, app_id, &calls::Filter::default(), &Request::newest(50)).await.unwrap().unwrap();
    assert_eq!(trips.load(Ordering::SeqCst) - connected, 1, "a list");
    drop(tx);

    // What ended the list goes out with what begins this.
    let tx = store.app(app_id).await.unwrap();
    tx.commit_with(audit::record(&*tx, app_id, "noted", &(), "r", now)).await.unwrap();
    let written = trips.load(Ordering::SeqCst) - connected;
    assert!(
        (2..=3).contains(&written),
        "{written}: the end of a list may go out by itself, but nobody waits for it"
    );
    serving.abort();
}
