//! The event log over HTTP.

use serde_json::{Value, json};

use crate::server::{App, Server};

impl Server {
    async fn log(&self, app: &App, from: i64, to: i64) {
        let sql = format!(
            "INSERT INTO client_events (app_id, seq, id, audience, frame)
             SELECT '{app}', n, gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'crm_ann' END,
                    '{{\"event\":\"call.ring\",\"seq\":' || n || '}}'
             FROM generate_series({from}, {to}) AS n;
             UPDATE app_streams SET last_seq = {to} WHERE app_id = '{app}'",
            app = app.id
        );
        self.sql(&sql).await;
    }
}

fn seqs(events: &Value) -> Vec<i64> {
    events["data"].as_array().unwrap().iter().map(|frame| frame["seq"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_log_is_read_in_order_and_to_its_end() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server.log(&app, 1, 5).await;
    let first = server.get(&app, "/api/events?after=0&limit=3").await.expect(200);
    assert_eq!((seqs(&first), &first["has_more"]), (vec![1, 2, 3], &json!(true)));
    assert_eq!(first["data"][0], json!({"event": "call.ring", "seq": 1}));
    let rest = server.get(&app, "/api/events?after=3").await.expect(200);
    assert_eq!(
        (seqs(&rest), &rest["seq"], &rest["head"], &rest["has_more"]),
        (vec![4, 5], &json!(5), &json!(5), &json!(false))
    );
    let none = server.get(&app, "/api/events?after=5").await.expect(200);
    assert_eq!((seqs(&none), &none["seq"]), (vec![], &json!(5)));
}

#[tokio::test]
async fn a_place_that_is_no_longer_kept_is_410() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server.log(&app, 4, 6).await;
    assert_eq!(server.get(&app, "/api/events?after=2").await.refusal(410).0, "cursor_expired");
    assert_eq!(seqs(&server.get(&app, "/api/events?after=3").await.expect(200)), [4, 5, 6]);
    assert_eq!(seqs(&server.get(&app, "/api/events").await.expect(200)), [4, 5, 6]);
    server.sql("DELETE FROM client_events").await;
    assert_eq!(server.get(&app, "/api/events?after=5").await.refusal(410).0, "cursor_expired");
    assert_eq!(server.get(&app, "/api/events?after=6").await.expect(200)["seq"], 6);
    assert_eq!(server.get(&app, "/api/events").await.expect(200)["seq"], 6);
}

#[tokio::test]
async fn a_place_that_is_no_number_is_422() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for after in ["x", "-1", "9223372036854775808", ""] {
        assert_eq!(server.get(&app, &format!("/api/events?after={after}")).await.refusal(422).1, ["after"]);
    }
}
