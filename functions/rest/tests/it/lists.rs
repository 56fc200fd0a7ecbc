//! What all lists have in common, shown on calls and voicemails.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::server::{App, Server};

impl Server {
    /// Conversations of one leg each, a second apart, the first the oldest.
    pub(crate) async fn calls(&self, app: &App, from: i64, to: i64) {
        let sql = format!(
            "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version, started_at, created_at, updated_at)
             SELECT id, '{}', n, id, 'ended', 1, at, at, at
             FROM (SELECT n, gen_random_uuid() AS id, timestamptz '2026-05-01Z' + n * interval '1 second' AS at
                   FROM generate_series({from}, {to}) AS n) AS made",
            app.id
        );
        self.sql(&sql).await;
    }

    async fn page(&self, app: &App, query: &str) -> (Vec<i64>, Value) {
        let list = self.get(app, &format!("/api/calls?{query}")).await.expect(200);
        (ids(&list), list["pagination"].clone())
    }
}

fn ids(list: &Value) -> Vec<i64> {
    let calls = list["data"].as_array().unwrap();
    calls.iter().map(|call| call["dialpad_call_id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_one_another_by_cursor_or_by_offset() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server.calls(&app, 1, 5).await;

    let (first, pagination) = server.page(&app, "limit=2").await;
    assert_eq!((first, &pagination["has_more"]), (vec![5, 4], &json!(true)));
    assert!(pagination.get("total").is_none() && pagination.get("offset").is_none());
    let (second, pagination) =
        server.page(&app, &format!("limit=2&cursor={}", text(&pagination["next_cursor"]))).await;
    assert_eq!((second, &pagination["has_more"]), (vec![3, 2], &json!(true)));
    let (last, pagination) =
        server.page(&app, &format!("limit=2&cursor={}", text(&pagination["next_cursor"]))).await;
    assert_eq!((last, &pagination["next_cursor"]), (vec![1], &json!(null)));

    let (skipped, pagination) = server.page(&app, "limit=2&offset=3").await;
    assert_eq!(skipped, [2, 1]);
    assert_eq!(
        pagination,
        json!({"limit": 2, "offset": 3, "total": 5, "has_more": false, "next_cursor": null})
    );
    let (_, pagination) = server.page(&app, "include=total").await;
    assert_eq!(pagination, json!({"limit": 50, "total": 5, "has_more": false, "next_cursor": null}));
    assert_eq!(server.page(&app, "offset=10000").await.0, Vec::<i64>::new());
}

#[tokio::test]
async fn paging_by_cursor_neither_skips_nor_repeats_while_rows_are_inserted() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    // All of the same moment: the id decides.
    server.calls(&app, 1, 40).await;
    server.sql("UPDATE calls SET created_at = '2026-05-01Z' WHERE dialpad_call_id <= 20").await;
    let (mut seen, mut cursor, mut next) = (Vec::new(), String::new(), 1_000);
    loop {
        let (page, pagination) = server.page(&app, &format!("limit=7{cursor}")).await;
        seen.extend(page);
        server.calls(&app, next, next + 9).await;
        next += 10;
        if pagination["has_more"] == json!(false) {
            break;
        }
        cursor = format!("&cursor={}", text(&pagination["next_cursor"]));
    }
    let distinct: HashSet<_> = seen.iter().copied().collect();
    assert_eq!((seen.len(), distinct), (40, (1..=40).collect()));
}

#[tokio::test]
async fn wrong_paging_is_422_and_named() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    for (query, wrong) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=abc", "limit"),
        ("limit=", "limit"),
        ("limit=-1", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=5&limit=6", "limit"),
        ("offset=-1", "offset"),
        ("offset=10001", "offset"),
        ("cursor=abc", "cursor"),
        ("include=everything", "include"),
        ("LIMIT=5", "LIMIT"),
    ] {
        assert_eq!(server.get(&app, &format!("/api/calls?{query}")).await.refusal(422).1, [wrong], "{query}");
    }
    let cursor = "0".repeat(48);
    let both = server.get(&app, &format!("/api/calls?cursor={cursor}&offset=0")).await;
    assert_eq!(both.refusal(422).1, ["offset"]);
    let all = server.get(&app, "/api/calls?limit=0&offset=x&color=red").await.refusal(422).1;
    assert_eq!(
        all.iter().map(String::as_str).collect::<HashSet<_>>(),
        HashSet::from(["limit", "offset", "color"])
    );
}

#[tokio::test]
async fn an_answer_stays_within_what_a_function_may_send() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    server
        .sql(&format!(
            "INSERT INTO voicemails (app_id, dialpad_call_id, transcript, created_at)
             SELECT '{}', n, repeat('\"', 900000), timestamptz '2026-05-01Z' + n * interval '1 second'
             FROM generate_series(1, 12) AS n",
            app.id
        ))
        .await;
    let (mut seen, mut cursor) = (HashSet::new(), String::new());
    loop {
        let reply = server.get(&app, &format!("/api/voicemails?limit=100{cursor}")).await;
        let as_lambda_sends_it =
            serde_json::to_string(&String::from_utf8(reply.body.clone()).unwrap()).unwrap();
        assert!(as_lambda_sends_it.len() < 6 * 1024 * 1024 - 4096);
        let list = reply.expect(200);
        let page = list["data"].as_array().unwrap();
        assert!(!page.is_empty());
        assert!(page.iter().all(|voicemail| seen.insert(voicemail["dialpad_call_id"].clone())));
        if list["pagination"]["has_more"] == json!(false) {
            break;
        }
        cursor = format!("&cursor={}", text(&list["pagination"]["next_cursor"]));
    }
    assert_eq!(seen.len(), 12);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
