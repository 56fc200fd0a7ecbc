//! A dump brings everything back.

use std::process::Command;

use shared::{migrate, testing::Database};
use uuid::Uuid;

/// One of each thing that an operator would miss.
const ROWS: &str = "
    INSERT INTO apps (id, name) VALUES ('018f0000-0000-7000-8000-000000000001', 'Acme');
    INSERT INTO voicemails (app_id, dialpad_call_id, dialpad_user_id, from_number, transcript)
    VALUES ('018f0000-0000-7000-8000-000000000001', 7, 8, '+14155550160', 'Hi, Bj\u{f6}rn here');
    INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id)
    VALUES ('018f0000-0000-7000-8000-000000000001', 8, 'ada');
    INSERT INTO api_key_audit_log (app_id, action, new_key_hint)
    VALUES ('018f0000-0000-7000-8000-000000000001', 'created', 'app_1234\u{2026}9876');
    INSERT INTO webhook_events (app_id, event_type, payload)
    VALUES ('018f0000-0000-7000-8000-000000000001', 'call.ring', '{\"call_id\": 7}');";

#[tokio::test]
async fn a_dump_and_its_restoration_keep_voicemails_mappings_audit_and_events() {
    let (from, to) = (Database::new().await, Database::empty().await);
    let [Some(dump), Some(restore)] = ["pg_dump", "pg_restore"].map(|name| from.server().program(name))
    else {
        // A Postgres of npm comes without them; where a change is proved there are all of Debian's.
        assert!(std::env::var_os("CI").is_none(), "pg_dump and pg_restore are missing");
        return;
    };
    from.client().await.batch_execute(ROWS).await.unwrap();
    let before = contents(&from).await;
    assert!(before.iter().all(|(_, rows)| !rows.is_empty()), "{before:?}");

    // As in docs/databases.md; `from` and `to` are on one server, so the roles are there.
    let dumped = Command::new(dump).args(["--format=custom", "--dbname", from.url()]).output().unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let file = std::env::temp_dir().join(format!("cti-{}.dump", Uuid::new_v4()));
    std::fs::write(&file, &dumped.stdout).unwrap();
    let restored = Command::new(restore)
        .args(["--exit-on-error", "--single-transaction", "--no-owner", "--dbname", to.url()])
        .arg(&file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));

    assert_eq!(contents(&to).await, before);
    let report = migrate::verify(to.url()).await.unwrap();
    assert_eq!(report.pending, Vec::<String>::new());
}

/// The rows of each table, as text.
async fn contents(database: &Database) -> Vec<(&'static str, Vec<String>)> {
    let client = database.client().await;
    let mut contents = Vec::new();
    for table in ["apps", "voicemails", "dialpad_user_mappings", "api_key_audit_log", "webhook_events"] {
        let rows = client.query(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap();
        contents.push((table, rows.iter().map(|row| row.get(0)).collect()));
    }
    contents
}
