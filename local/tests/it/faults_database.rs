//! The proxy before the database, in front of a real one.

use std::{collections::BTreeMap, time::Duration};

use local::faults::{Access, Faults, Proxy};
use shared::testing::Database;
use tokio_postgres::{Client, NoTls};

use crate::{edge_stack::soon, faults_edge::faults};

async fn connect(proxy: &Proxy) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(proxy.url(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn one(client: &Client) -> Result<i32, tokio_postgres::Error> {
    Ok(client.query_one("SELECT 1", &[]).await?.get(0))
}

#[tokio::test]
async fn a_database_that_refuses_breaks_connections_and_takes_none_until_it_is_back() {
    let database = Database::new().await;
    let faults = Faults::default();
    let proxy = Proxy::start(database.url(), faults.clone()).await.unwrap();
    let client = connect(&proxy).await.unwrap();
    assert_eq!(one(&client).await.unwrap(), 1);
    proxy.set(Access::Refuse);
    assert!(soon("the end of the connection", one(&client)).await.is_err());
    assert!(soon("the refusal", connect(&proxy)).await.is_err());
    proxy.set(Access::Open);
    assert_eq!(one(&connect(&proxy).await.unwrap()).await.unwrap(), 1);
    assert_eq!(faults.injected(), BTreeMap::from([("database-refuse", 1)]));
}

#[tokio::test]
async fn a_database_that_hangs_answers_when_it_is_back() {
    let database = Database::new().await;
    let proxy = Proxy::start(database.url(), Faults::default()).await.unwrap();
    let client = connect(&proxy).await.unwrap();
    proxy.set(Access::Hang);
    let (mut asked, mut connecting) = (Box::pin(one(&client)), Box::pin(connect(&proxy)));
    let moment = Duration::from_millis(100);
    assert!(tokio::time::timeout(moment, &mut asked).await.is_err());
    assert!(tokio::time::timeout(moment, &mut connecting).await.is_err());
    proxy.set(Access::Open);
    assert_eq!(soon("the answer", asked).await.unwrap(), 1);
    assert!(soon("the connection", connecting).await.is_ok());
}

#[tokio::test]
async fn outages_begin_by_chance_and_end_after_their_time() {
    let database = Database::new().await;
    let faults = faults(&["database-refuse=1:100ms"], 1);
    let proxy = Proxy::start(database.url(), faults.clone()).await.unwrap();
    soon("an outage", async { while connect(&proxy).await.is_ok() {} }).await;
    soon("its end", async { while connect(&proxy).await.is_err() {} }).await;
    assert!(faults.injected()["database-refuse"] >= 1);
}
