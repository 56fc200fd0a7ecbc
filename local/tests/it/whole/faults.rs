//! Each fault strikes the whole while calls come in; afterwards every client holds exactly the log of its audience.

use serde_json::json;

use super::{server::eventually, trial::Trial};

#[tokio::test]
async fn clients_recover_from_posts_that_are_gone_throttled_or_never_answered() {
    let mut trial = Trial::start().await;
    trial.faults(json!({ "post-gone": 1 })).await;
    trial.calls(3).await;
    eventually("a post is struck", async || trial.injected("post-gone").await > 0).await;
    trial.recovered().await;
    trial.faults(json!({ "post-gone": 0.1, "post-throttle": 0.3, "post-hang": "0.02:60s" })).await;
    trial.calls(6).await;
    eventually("a post is struck", async || trial.injected("post-throttle").await > 0).await;
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_messages_that_are_doubled_late_overtaken_or_refused() {
    let mut trial = Trial::start().await;
    let shares = json!({
        "queue-duplicate": 0.5, "queue-delay": "0.3:1s", "queue-reorder": "0.5:500ms", "queue-refuse": 0.2,
    });
    trial.faults(shares).await;
    trial.calls(8).await;
    for name in ["queue-duplicate", "queue-delay", "queue-reorder", "queue-refuse"] {
        assert!(trial.injected(name).await > 0, "{name}");
    }
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_functions_that_are_killed_at_any_moment() {
    let mut trial = Trial::start().await;
    trial.faults(json!({ "kill-before": 0.05, "kill-during": "0.2:10ms", "kill-after": 0.1 })).await;
    trial.calls(5).await;
    for function in ["webhook", "processor", "broadcaster", "websocket"] {
        trial.act(json!({ "act": "kill", "function": function })).await;
        trial.calls(1).await;
    }
    for name in ["kill-before", "kill-during", "kill-after", "kill"] {
        assert!(trial.injected(name).await > 0, "{name}");
    }
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_a_database_that_refuses_or_hangs() {
    let mut trial = Trial::start().await;
    trial.calls(1).await;
    trial.act(json!({ "act": "database", "access": "refuse" })).await;
    trial.calls(2).await;
    trial.act(json!({ "act": "database", "access": "open" })).await;
    trial.recovered().await;
    trial.act(json!({ "act": "database", "access": "hang" })).await;
    trial.calls(1).await;
    trial.act(json!({ "act": "database", "access": "open" })).await;
    trial.recovered().await;
}

#[tokio::test]
async fn clients_recover_from_storms_slow_sockets_and_lost_disconnects() {
    let mut trial = Trial::start().await;
    trial.faults(json!({ "disconnect-drop": 1, "socket-slow": "0.5:100ms", "connect-rate": 20 })).await;
    for _ in 0..4 {
        trial.storm.send_modify(|storm| *storm += 1);
        trial.calls(2).await;
    }
    for name in ["disconnect-drop", "socket-slow"] {
        assert!(trial.injected(name).await > 0, "{name}");
    }
    trial.recovered().await;
}
