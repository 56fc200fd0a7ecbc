//! Faults of the edge: handshakes, posts, slow sockets, a `$disconnect` that never comes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use local::faults::{Faults, parse};
use tokio_tungstenite::tungstenite::Error;

use crate::edge_connections::{management, post, request};
use crate::edge_stack::{Plan, soon};
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;

/// Faults as flags ask for them.
pub(crate) fn faults(flags: &[&str], seed: u64) -> Faults {
    Faults::new(flags.iter().map(|flag| parse(flag).unwrap()).collect(), seed)
}

#[tokio::test]
async fn handshakes_above_the_rate_are_refused_with_429() {
    let faults = faults(&["connect-rate=2"], 1);
    let stack = Plan::new().faults(faults.clone()).start().await;
    let storm = join_all((0..40).map(|_| stack.try_connect("/ws", &[]))).await;
    let refused = storm.iter().filter(|outcome| match outcome {
        Ok(_) => false,
        Err(Error::Http(response)) => response.status() == 429,
        Err(other) => panic!("{other}"),
    });
    let refused = u64::try_from(refused.count()).unwrap();
    assert!(refused > 0, "forty at once are more than two a second");
    assert_eq!(faults.injected(), BTreeMap::from([("connect-rate", refused)]));
    assert_eq!(stack.untaken().len() as u64, 40 - refused, "no $connect for a refused handshake");
    let admitted = async { while stack.try_connect("/ws", &[]).await.is_err() {} };
    soon("a handshake that is admitted again", Box::pin(admitted)).await;
}

#[tokio::test]
async fn posts_above_the_rate_are_refused_with_429() {
    let stack = Plan::new().faults(faults(&["post-rate=2"], 1)).start().await;
    let (_client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    let posts = join_all((0..40).map(|_| post(&sdk, &id, "frame"))).await;
    assert!(
        posts.iter().any(|outcome| matches!(outcome, Err(PostToConnectionError::LimitExceededException(_))))
    );
    let admitted = async { while post(&sdk, &id, "frame").await.is_err() {} };
    soon("a post that is admitted again", Box::pin(admitted)).await;
}

#[tokio::test]
async fn a_share_of_posts_is_gone_or_throttled_and_the_seed_repeats_it() {
    let run = async |seed| {
        let faults = faults(&["post-gone=0.3", "post-throttle=0.3"], seed);
        let stack = Plan::new().faults(faults.clone()).start().await;
        let (mut client, id) = stack.connect_with_id().await;
        let sdk = management(&stack, "ws");
        let mut answers = String::new();
        for number in 0..40 {
            answers.push(match post(&sdk, &id, number.to_string()).await {
                Ok(()) => 'd',
                Err(PostToConnectionError::GoneException(_)) => 'g',
                Err(PostToConnectionError::LimitExceededException(_)) => 't',
                Err(other) => panic!("{other}"),
            });
        }
        for (number, _) in answers.chars().enumerate().filter(|(_, answer)| *answer == 'd') {
            assert_eq!(client.hear().await, number.to_string(), "what was refused does not arrive");
        }
        let count = |wanted| answers.chars().filter(|answer| *answer == wanted).count() as u64;
        assert_eq!(
            faults.injected(),
            BTreeMap::from([("post-gone", count('g')), ("post-throttle", count('t'))])
        );
        answers
    };
    let first = run(7).await;
    assert!("dgt".chars().all(|answer| first.contains(answer)), "{first}");
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
}

#[tokio::test]
async fn a_post_that_hangs_is_neither_answered_nor_done() {
    let faults = faults(&["post-hang=1:60s"], 1);
    let stack = Plan::new().faults(faults.clone()).start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    let hanging = post(&sdk, &id, "lost");
    assert!(tokio::time::timeout(Duration::from_millis(300), hanging).await.is_err());
    faults.set(BTreeMap::new(), None);
    post(&sdk, &id, "found").await.unwrap();
    assert_eq!(client.hear().await, "found");
    assert_eq!(faults.injected(), BTreeMap::from([("post-hang", 1)]));
}

#[tokio::test]
async fn a_post_that_hung_is_a_server_error_in_the_end() {
    let stack = Plan::new().faults(faults(&["post-hang=1:10ms"], 1)).start().await;
    let (_client, id) = stack.connect_with_id().await;
    let path = format!("/ws/@connections/{}", id.replace('=', "%3D"));
    assert_eq!(request(&stack, "POST", &path, "frame").await.status, 504);
}

#[tokio::test]
async fn a_disconnect_that_is_dropped_reaches_no_function() {
    let faults = faults(&["disconnect-drop=1"], 1);
    let stack = Plan::new().faults(faults.clone()).start().await;
    let (client, _id) = stack.connect_with_id().await;
    drop(client);
    soon("the end of the connection", async {
        while faults.injected().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    stack.edge.shut_down().await;
    assert_eq!(stack.untaken(), [""; 0]);
}

#[tokio::test]
async fn a_slow_socket_gets_its_frames_late_and_a_full_buffer_is_throttled() {
    let plan = Plan::new().limits(|limits| limits.buffered_bytes = 4 * 1024);
    let stack = plan.faults(faults(&["socket-slow=1:100ms"], 1)).start().await;
    let (mut client, id) = stack.connect_with_id().await;
    let sdk = management(&stack, "ws");
    let start = Instant::now();
    for number in 0..3 {
        post(&sdk, &id, number.to_string()).await.unwrap();
    }
    let full = post(&sdk, &id, "x".repeat(4 * 1024)).await;
    assert!(matches!(full, Err(PostToConnectionError::LimitExceededException(_))), "{full:?}");
    for number in 0..3 {
        assert_eq!(client.hear().await, number.to_string());
    }
    assert!(start.elapsed() >= Duration::from_millis(300));
}
