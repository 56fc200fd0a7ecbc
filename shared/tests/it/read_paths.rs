//! What a read costs when there is much: counted in rows by Postgres itself, behind the wall.

use chrono::{DateTime, Utc};
use shared::{
    domain::ids::{AppId, DialpadId, new_id},
    store::{
        Client, Settings, Store, calls, event_log, folding,
        inbox::{self, Finished},
        keys::{self, Presented},
        messages,
        page::{Request, Start},
        voicemails,
    },
    testing::Database,
};
use uuid::Uuid;

/// Rows of each kind that one app has among others.
const ROWS: i64 = 20_000;
/// More than the statistics list.
const OTHERS: i64 = 12;
const NUMBER: &str = "+14155552000";

/// Apps, of which the first has most of the rows.
async fn filled(database: &Database) -> AppId {
    let owner = database.client().await;
    let first = new_id();
    for (app, rows) in std::iter::once((first, ROWS)).chain((0..OTHERS).map(|_| (new_id(), ROWS / 20))) {
        owner
            .batch_execute(&format!(
                "INSERT INTO apps (id, name, webhook_secret) VALUES ('{app}', 'one of many', 'secret');
                 INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id)
                     SELECT '{app}', n, 'crm-' || n FROM generate_series(1, 100) AS n;
                 INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version, dialpad_user_id,
                         from_number, to_number, created_at)
                     SELECT id, '{app}', n, id, 'ended', 1, n % 100 + 1, '+1415555' || n % 5000, '+1415556' || n % 5000,
                            now() - n * interval '1 minute'
                     FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {rows}) AS n) AS legs;
                 INSERT INTO messages (app_id, dialpad_message_id, from_number, to_number, created_at)
                     SELECT '{app}', n, '+1415555' || n % 5000, '+1415556' || n % 5000, now() - n * interval '1 minute'
                     FROM generate_series(1, {rows}) AS n;
                 INSERT INTO voicemails (app_id, dialpad_call_id, from_number, to_number, created_at)
                     SELECT '{app}', n, '+1415555' || n % 5000, '+1415556' || n % 5000, now() - n * interval '1 minute'
                     FROM generate_series(1, {rows}) AS n;"
            ))
            .await
            .unwrap();
    }
    owner.batch_execute("ANALYZE").await.unwrap();
    AppId(first)
}

/// Rows that this transaction has read of a table so far, whether by an index or one after the other.
async fn read_of(tx: &Client, table: &str) -> i64 {
    let sql =
        "SELECT coalesce(idx_tup_fetch, 0) + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = $1";
    tx.query_one(sql, &[&table]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_number_is_found_without_reading_what_has_other_numbers() {
    let database = Database::new().await;
    let app_id = filled(&database).await;
    let store = Store::new(&Settings::new(database.url())).unwrap();
    let (number, newest) = (Some(NUMBER.to_owned()), Request::newest(5));
    let tx = store.tenant(app_id).await.unwrap();
    let of_calls = calls::Filter { number: number.clone(), ..calls::Filter::default() };
    calls::list(&*tx, app_id, &of_calls, &newest).await.unwrap().unwrap();
    let of_messages = messages::Filter { number: number.clone(), ..messages::Filter::default() };
    messages::list(&*tx, app_id, &of_messages, &newest).await.unwrap().unwrap();
    let of_voicemails = voicemails::Filter { number, ..voicemails::Filter::default() };
    voicemails::list(&*tx, app_id, &of_voicemails, &newest).await.unwrap().unwrap();
    calls::owner(&*tx, app_id, NUMBER).await.unwrap();
    for table in ["calls", "messages", "voicemails"] {
        let read = read_of(&tx, table).await;
        assert!(read < 100, "{table}: {read} rows were read");
    }
}

#[tokio::test]
async fn a_page_reads_its_rows_and_at_most_those_that_it_skips() {
    let database = Database::new().await;
    let app_id = filled(&database).await;
    let store = Store::new(&Settings::new(database.url())).unwrap();
    for (start, most) in [(Start::Newest, 100), (Start::Offset(5_000), 5_200)] {
        let tx = store.tenant(app_id).await.unwrap();
        let request = Request { start, ..Request::newest(50) };
        let list = calls::list(&*tx, app_id, &calls::Filter::default(), &request).await.unwrap().unwrap();
        assert_eq!(list.page.rows.len(), 50);
        let read = read_of(&tx, "calls").await;
        assert!(read <= most, "{start:?}: {read} rows were read");
    }
}

/// An app that has come since the statistics were made, which say that it has nothing: with so many legs, each with a call,
/// a voicemail and an event that waits.
async fn unknown_to_the_planner(database: &Database, rows: i64) -> AppId {
    let (owner, app) = (database.client().await, new_id());
    owner
        .batch_execute(&format!(
            "INSERT INTO apps (id, name) VALUES ('{app}', 'new');
             INSERT INTO app_streams (app_id) VALUES ('{app}');
             INSERT INTO call_links SELECT '{app}', n, n FROM generate_series(1, {rows}) AS n;
             INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version)
                 SELECT id, '{app}', n, id, 'ended', 1
                 FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {rows}) AS n) AS legs;
             INSERT INTO voicemails (app_id, dialpad_call_id) SELECT '{app}', n FROM generate_series(1, {rows}) AS n;
             INSERT INTO webhook_events (app_id, event_type, payload, call_id, processed_at)
                 SELECT '{app}', 'ringing', '{{}}', n, now() FROM generate_series(1, {rows}) AS n;
             INSERT INTO webhook_events (app_id, event_type, payload)
                 SELECT '{app}', 'hangup', '{{}}' FROM generate_series(1, {rows}) AS n;"
        ))
        .await
        .unwrap();
    AppId(app)
}

#[tokio::test]
async fn a_batch_of_an_app_that_statistics_do_not_know_reads_its_own_rows_and_no_others() {
    let database = Database::new().await;
    filled(&database).await;
    let owner = database.client().await;
    let fill = "INSERT INTO call_links (app_id, dialpad_call_id, conversation) SELECT app_id, dialpad_call_id, 1 FROM calls;
                INSERT INTO webhook_events (app_id, event_type, payload, call_id)
                    SELECT app_id, 'ringing', '{}', dialpad_call_id FROM calls";
    owner.batch_execute(fill).await.unwrap();
    owner.batch_execute("ANALYZE").await.unwrap();
    let app_id = unknown_to_the_planner(&database, 2_000).await;
    let store = Store::new(&Settings::new(database.url())).unwrap();
    let legs: Vec<DialpadId> = (1..=50).map(DialpadId).collect();
    let now: DateTime<Utc> = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
    let pending: Vec<Uuid> = owner
        .query(
            "SELECT id FROM webhook_events WHERE app_id = $1 AND processed_at IS NULL LIMIT 50",
            &[&app_id.0],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();

    let tx = store.app(app_id).await.unwrap();
    assert_eq!(folding::links(&*tx, app_id, &legs).await.unwrap().len(), 50);
    assert_eq!(folding::applied_events(&*tx, app_id, &legs, &[]).await.unwrap().len(), 50);
    let found = folding::known(&*tx, app_id, &legs, &[], &legs).await.unwrap();
    assert_eq!((found.calls.len(), found.voicemails.len()), (50, 50));
    let finished = |id: &Uuid| Finished {
        id: *id,
        call_id: Some(DialpadId(1)),
        message_id: None,
        event_timestamp: None,
    };
    inbox::finish(&*tx, app_id, &pending.iter().map(finished).collect::<Vec<_>>(), now).await.unwrap();
    for table in ["call_links", "webhook_events", "calls", "voicemails"] {
        let read = read_of(&tx, table).await;
        assert!(read <= 150, "{table}: {read} rows were read for a batch of 50");
    }
}

#[tokio::test]
async fn a_key_is_recognised_by_one_row_however_many_apps_there_are() {
    let database = Database::new().await;
    let fill =
        "INSERT INTO apps (id, name) SELECT gen_random_uuid(), 'one of many' FROM generate_series(1, 3000);
                INSERT INTO api_keys (id, app_id, key_id, key_hash, key_hint)
                    SELECT id, id, 'key' || row_number() OVER (), sha256('key'), 'hint' FROM apps;
                ANALYZE";
    database.client().await.batch_execute(fill).await.unwrap();
    let store = Store::new(&Settings::new(database.url())).unwrap();
    let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
    for (key_id, is_known) in [("key1234", true), ("nobody's", false)] {
        let tx = store.system().await.unwrap();
        let presented = Presented { key_id, key_hash: &[0; 32], is_counted: true };
        assert_eq!(keys::present(&*tx, presented, now).await.unwrap().is_some(), is_known);
        for table in ["api_keys", "apps", "rate_limits"] {
            let read = read_of(&tx, table).await;
            assert!(read <= 10, "{table}: {read} rows were read");
        }
    }
}

#[tokio::test]
async fn handing_over_passes_by_what_was_handed_over_before() {
    let database = Database::new().await;
    let (owner, app_id) = (database.client().await, AppId(new_id()));
    let write = |first: i64, last: i64| {
        format!(
            "INSERT INTO client_events (app_id, seq, id, frame)
             SELECT '{}', n, gen_random_uuid(), '{{}}' FROM generate_series({first}, {last}) AS n",
            app_id.0
        )
    };
    owner
        .batch_execute(&format!("INSERT INTO apps (id, name) VALUES ('{}', 'busy')", app_id.0))
        .await
        .unwrap();
    owner.batch_execute(&write(1, 5_000)).await.unwrap();
    owner.batch_execute("UPDATE client_events SET handed_over_at = now()").await.unwrap();
    owner.batch_execute(&write(5_001, 5_020)).await.unwrap();
    let store = Store::new(&Settings::new(database.url())).unwrap();
    let tx = store.app(app_id).await.unwrap();
    let now = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
    event_log::mark_handed_over(&*tx, app_id, &[5_002, 5_003, 5_011], now).await.unwrap();
    let sql = "SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint,
                   (SELECT count(*) FROM client_events WHERE handed_over_at = $1)
               FROM pg_index i WHERE i.indrelid = 'client_events'::regclass";
    let row = tx.query_one(sql, &[&now]).await.unwrap();
    let (entries, marked): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(marked, 3);
    assert!(entries <= 20, "{entries} index entries were read");
}
