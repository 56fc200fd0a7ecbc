//! Calls as an app reads them.

use serde_json::{Value, json};

use crate::server::{App, Server};

/// Two conversations and one of another kind: 10 with a second leg 11, 20 in progress, 30 blocked.
async fn prepared(server: &Server) -> App {
    let app = server.app("Acme").await;
    server
        .sql(&format!(
            "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, direction, from_number, to_number, status,
                 outcome, dialpad_user_id, contact_name, started_at, connected_at, ended_at, duration_ms, recording_url,
                 is_voicemail, version, created_at, updated_at)
             VALUES
             ('00000000-0000-7000-8000-000000000010', '{app}', 9007199254740993, '00000000-0000-7000-8000-000000000010',
              'inbound', '+14155550160', '+14155550100', 'ended', 'answered_elsewhere', NULL, 'Ann', '2026-05-01T10:00Z',
              NULL, '2026-05-01T10:05Z', 1499.6, NULL, false, 6, '2026-05-01T10:00:01.5Z', '2026-05-01T10:05Z'),
             ('00000000-0000-7000-8000-000000000011', '{app}', 11, '00000000-0000-7000-8000-000000000010',
              'inbound', '+14155550160', '+14155550101', 'ended', 'answered', 700, 'Ann', '2026-05-01T10:00:02Z',
              '2026-05-01T10:00:09Z', '2026-05-01T10:05Z', 291000, 'https://rec.example/11', false, 6,
              '2026-05-01T10:00:03Z', '2026-05-01T10:05Z'),
             ('00000000-0000-7000-8000-000000000020', '{app}', 20, '00000000-0000-7000-8000-000000000020',
              'outbound', '+14155550101', '+493012345', 'queued', NULL, 700, NULL, '2026-05-02T10:00Z', NULL, NULL, NULL,
              NULL, false, 1, '2026-05-02T10:00Z', '2026-05-02T10:00Z'),
             ('00000000-0000-7000-8000-000000000021', '{app}', 21, '00000000-0000-7000-8000-000000000020',
              'outbound', '+14155550101', '+493012345', 'ringing', NULL, 701, NULL, '2026-05-02T10:01Z', NULL, NULL, NULL,
              NULL, false, 1, '2026-05-02T10:01Z', '2026-05-02T10:01Z'),
             ('00000000-0000-7000-8000-000000000030', '{app}', 30, '00000000-0000-7000-8000-000000000030',
              'inbound', 'blocked', '12345', 'voicemail', 'voicemail', 702, NULL, '2026-05-03T10:00Z', NULL,
              '2026-05-03T10:01Z', 0, NULL, true, 3, '2026-05-03T10:00Z', '2026-05-03T10:01Z');
             INSERT INTO dialpad_user_mappings (app_id, dialpad_user_id, crm_user_id) VALUES ('{app}', 700, 'crm_ann');
             UPDATE app_streams SET last_seq = 42 WHERE app_id = '{app}'",
            app = app.id
        ))
        .await;
    app
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|call| call["dialpad_call_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_shows_conversations_and_the_head_of_the_log() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let list = server.get(&app, "/api/calls").await.expect(200);
    assert_eq!(ids(&list), ["30", "20", "9007199254740993"]);
    assert_eq!((&list["success"], &list["event_cursor"]), (&json!(true), &json!(42)));
    assert_eq!(
        list["data"][2],
        json!({
            "id": "00000000-0000-7000-8000-000000000010", "dialpad_call_id": "9007199254740993",
            "direction": "inbound", "from_number": "+14155550160", "to_number": "+14155550100",
            "status": "ended", "outcome": "answered_elsewhere", "dialpad_user_id": null, "crm_user_id": null,
            "contact_name": "Ann", "started_at": "2026-05-01T10:00:00.000Z", "connected_at": null,
            "ended_at": "2026-05-01T10:05:00.000Z", "duration_seconds": 1, "recording_url": null,
            "is_voicemail": false, "parent_call_id": "00000000-0000-7000-8000-000000000010", "version": 6,
            "created_at": "2026-05-01T10:00:01.500Z", "updated_at": "2026-05-01T10:05:00.000Z"
        })
    );
    let empty = server.get(&server.app("Empty").await, "/api/calls").await.expect(200);
    assert_eq!((&empty["data"], &empty["event_cursor"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn every_filter_finds_what_it_says() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let long = format!("crm_user_id={}", "x".repeat(255));
    let first = "9007199254740993";
    for (query, expected) in [
        ("status=ended", vec![first]),
        ("status=queued", vec!["20"]),
        ("direction=outbound", vec!["20"]),
        ("from=%2B14155550160", vec![first]),
        ("from=+1%20(415)%20555-0160", vec![first]),
        ("from=blocked", vec!["30"]),
        ("to=12345", vec!["30"]),
        ("to=%2B493012345", vec!["20"]),
        ("number=%2B14155550101", vec!["20"]),
        ("number=%2B14155550100", vec![first]),
        ("dialpad_user_id=700", vec!["20", first]),
        ("dialpad_user_id=701", vec!["20"]),
        ("dialpad_user_id=9223372036854775807", vec![]),
        ("crm_user_id=crm_ann", vec!["20", first]),
        ("crm_user_id=nobody", vec![]),
        (long.as_str(), vec![]),
        ("started_after=2026-05-02T10:00:00Z", vec!["30", "20"]),
        ("started_before=2026-05-02T10:00:00Z", vec![first]),
        ("started_after=2026-05-02T12:00:00%2B02:00&started_before=2026-05-03T00:00:00Z", vec!["20"]),
        ("updated_after=2026-05-03T10:01:00Z", vec!["30"]),
        ("has_recording=true", vec![first]),
        ("has_recording=false", vec!["30", "20"]),
        ("has_voicemail=true", vec!["30"]),
        ("has_voicemail=false&direction=inbound", vec![first]),
    ] {
        let list = server.get(&app, &format!("/api/calls?include=total&{query}")).await.expect(200);
        assert_eq!(ids(&list), expected, "{query}");
        assert_eq!(list["pagination"]["total"], json!(expected.len()), "{query}");
    }
}

#[tokio::test]
async fn wrong_filters_are_422_and_named() {
    let server = Server::new().await;
    let app = server.app("Acme").await;
    let long = format!("status={}", "x".repeat(10_000));
    for (query, wrong) in [
        ("status=loud", "status"),
        ("status=Ended", "status"),
        (long.as_str(), "status"),
        ("direction=", "direction"),
        ("dialpad_user_id=abc", "dialpad_user_id"),
        ("dialpad_user_id=9223372036854775808", "dialpad_user_id"),
        ("dialpad_user_id=0", "dialpad_user_id"),
        ("started_after=yesterday", "started_after"),
        ("started_before=2026-13-01T00:00:00Z", "started_before"),
        ("has_recording=1", "has_recording"),
        ("number=", "number"),
        ("number=1%002", "number"),
        ("number=4155550160", "number"),
        ("crm_user_id=", "crm_user_id"),
    ] {
        assert_eq!(server.get(&app, &format!("/api/calls?{query}")).await.refusal(422).1, [wrong], "{query}");
    }
    // A long value is fine where any text is.
    let number = format!("/api/calls?number={}", "9".repeat(10_000));
    assert_eq!(ids(&server.get(&app, &number).await.expect(200)), Vec::<&str>::new());
}

#[tokio::test]
async fn calls_in_progress_are_those_with_a_leg_in_progress() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let active = server.get(&app, "/api/calls/active?include=total").await.expect(200);
    assert_eq!(ids(&active), ["20"]);
    assert_eq!((&active["pagination"]["total"], &active["event_cursor"]), (&json!(1), &json!(42)));
    server.sql("UPDATE calls SET status = 'held' WHERE dialpad_call_id = 11").await;
    let active = server.get(&app, "/api/calls/active").await.expect(200);
    assert_eq!(ids(&active), ["20", "9007199254740993"]);
}

#[tokio::test]
async fn a_call_is_found_by_either_id_and_carries_its_legs() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    let by_dialpad = server.get(&app, "/api/calls/9007199254740993").await.expect(200);
    let by_ours = server.get(&app, "/api/calls/00000000-0000-7000-8000-000000000010").await.expect(200);
    assert_eq!(by_dialpad, by_ours);
    let legs = by_ours["data"]["legs"].as_array().unwrap();
    let names: Vec<_> = legs.iter().map(|leg| leg["dialpad_call_id"].as_str().unwrap()).collect();
    assert_eq!(names, ["9007199254740993", "11"]);
    assert_eq!((&legs[1]["crm_user_id"], &legs[1]["duration_seconds"]), (&json!("crm_ann"), &json!(291)));
    assert!(legs[1].get("legs").is_none());

    let leg = server.get(&app, "/api/calls/11").await.expect(200);
    assert_eq!(
        (&leg["data"]["dialpad_call_id"], leg["data"]["legs"].as_array().unwrap().len()),
        (&json!("11"), 2)
    );
    assert_eq!(leg["data"]["recording_url"], "https://rec.example/11");

    for unknown in ["12", "00000000-0000-7000-8000-000000000099", "nonsense", "-1"] {
        let reply = server.get(&app, &format!("/api/calls/{unknown}")).await;
        assert_eq!(reply.refusal(404).0, "not_found", "{unknown}");
    }
}

#[tokio::test]
async fn a_call_that_has_only_just_begun_stands_first() {
    let server = Server::new().await;
    let app = prepared(&server).await;
    server
        .sql(&format!(
            "INSERT INTO calls (id, app_id, dialpad_call_id, parent_call_id, status, version, started_at, created_at)
             SELECT id, '{}', 40, id, 'ringing', 1, NULL, '2026-05-04T10:00Z' FROM (SELECT gen_random_uuid() AS id) AS new",
            app.id
        ))
        .await;
    assert_eq!(ids(&server.get(&app, "/api/calls").await.expect(200))[0], "40");
    assert_eq!(ids(&server.get(&app, "/api/calls/active").await.expect(200))[0], "40");
}
