//! Faults of queues: messages doubled, late, overtaken, refused.

use std::{collections::BTreeMap, time::Duration};

use local::{aws::sqs::Sqs, faults::Faults, template::Template};
use serde_json::json;

use crate::{
    edge_stack::soon,
    faults_edge::faults,
    template::{FIXTURE, surroundings},
};

fn sqs(faults: &Faults) -> Sqs {
    Sqs::with_faults(&Template::parse(FIXTURE, &surroundings()).unwrap(), faults)
}

/// Takes messages until so many have come, and deletes them; the answer is their ids and bodies.
async fn take(sqs: &Sqs, count: usize) -> Vec<(String, String)> {
    let queue = sqs.queue("EventQueue").unwrap();
    let mut taken = Vec::new();
    soon("the messages", async {
        while taken.len() < count {
            let batch = sqs.receive(queue, 10, usize::MAX);
            if batch.is_empty() {
                queue.changed().await;
            }
            for message in batch {
                queue.delete(&message.receipt);
                taken.push((message.id, message.body.to_string()));
            }
        }
    })
    .await;
    let counts = queue.counts();
    assert_eq!((counts.visible, counts.in_flight, counts.delayed), (0, 0, 0));
    taken
}

#[tokio::test]
async fn a_share_of_messages_comes_twice_with_the_same_id() {
    let faults = faults(&["queue-duplicate=0.3"], 5);
    let sqs = sqs(&faults);
    let queue = sqs.queue("EventQueue").unwrap();
    let sent: Vec<_> = (0..40).map(|number| queue.send(&number.to_string(), None)).collect();
    let doubled = usize::try_from(faults.injected()["queue-duplicate"]).unwrap();
    assert!((1..40).contains(&doubled));
    let taken = take(&sqs, 40 + doubled).await;
    for id in &sent {
        let times = taken.iter().filter(|(taken, _)| taken == id).count();
        assert!((1..=2).contains(&times), "{times}");
    }
}

#[tokio::test]
async fn a_late_message_comes_after_its_delay() {
    let faults = faults(&["queue-delay=1:60s"], 5);
    let sqs = sqs(&faults);
    let queue = sqs.queue("EventQueue").unwrap();
    let _ = queue.send("late", None);
    assert_eq!((queue.counts().visible, queue.counts().delayed), (0, 1));
    queue.purge();
    faults.set(BTreeMap::from([local::faults::parse("queue-delay=1:50ms").unwrap()]), None);
    let start = std::time::Instant::now();
    let _ = queue.send("later", None);
    assert_eq!(take(&sqs, 1).await[0].1, "later");
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn messages_are_overtaken_and_none_is_lost() {
    let faults = faults(&["queue-reorder=0.5:100ms"], 5);
    let sqs = sqs(&faults);
    let queue = sqs.queue("EventQueue").unwrap();
    for number in 0..40 {
        let _ = queue.send(&number.to_string(), None);
    }
    let mut numbers: Vec<u32> = take(&sqs, 40).await.iter().map(|(_, body)| body.parse().unwrap()).collect();
    assert!(!numbers.is_sorted(), "{numbers:?}");
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_queue_that_is_away_takes_no_message_and_gives_those_it_has() {
    let faults = faults(&["queue-refuse=1"], 5);
    let sqs = sqs(&faults);
    let queue = sqs.queue("EventQueue").unwrap();
    let message = json!({ "QueueUrl": queue.definition().url, "MessageBody": "text" }).to_string();
    let _ = queue.send("kept", None);
    assert_eq!(sqs.call("SendMessage", message.as_bytes()).status(), 503);
    assert_eq!(faults.injected(), BTreeMap::from([("queue-refuse", 1)]));
    faults.set(BTreeMap::new(), None);
    assert_eq!(sqs.call("SendMessage", message.as_bytes()).status(), 200);
    let bodies: Vec<_> = take(&sqs, 2).await.into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, ["kept", "text"]);
}

#[tokio::test]
async fn each_queue_has_draws_of_its_own_that_the_seed_repeats() {
    let run = |sends: &[&str]| {
        let faults = faults(&["queue-delay=0.5:60s"], 9);
        let sqs = sqs(&faults);
        let mut of_events = Vec::new();
        for name in sends {
            let queue = sqs.queue(name).unwrap();
            let before = queue.counts().delayed;
            let _ = queue.send("message", None);
            if *name == "EventQueue" {
                of_events.push(queue.counts().delayed > before);
            }
        }
        of_events
    };
    let alone = run(&["EventQueue"; 20]);
    assert!(alone.contains(&true) && alone.contains(&false));
    assert_eq!(run(&["EventQueue", "EventDeadLetterQueue"].repeat(20)), alone);
}
