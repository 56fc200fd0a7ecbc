//! How Postgres carries out a statement, as `auto_explain` tells the session that sent it.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::Error;

const LOUD: &str =
    "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_analyze = on;
    SET auto_explain.log_nested_statements = off; SET client_min_messages = log";

/// A session that is told the plan of each statement.
pub(super) struct Explained {
    pub(super) client: Client,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Explained {
    /// None where the server has no `auto_explain`.
    pub(super) async fn connect(url: &str) -> Result<Option<Self>, Error> {
        let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
        let notices = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&notices);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notice(notice) = message {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(notice.message().to_owned());
                }
            }
        });
        let is_loud = client.batch_execute(LOUD).await.is_ok();
        Ok(is_loud.then_some(Self { client, notices }))
    }

    /// The nodes of the last plan, from the outermost in, each with its time and rows.
    pub(super) fn last(&self) -> String {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.last().map(|notice| nodes(notice)).unwrap_or_default()
    }
}

/// The lines of a plan that name a node or its index condition, without the estimates.
fn nodes(notice: &str) -> String {
    let plan = notice.split_once("Query Text:").map_or(notice, |(_, plan)| plan);
    let is_node = |line: &&str| line.contains("(actual ") || line.trim_start().starts_with("Index Cond:");
    let lines = plan.lines().filter(is_node).map(|line| match line.split_once("  (cost=") {
        Some((node, rest)) => {
            let actual = rest.split_once(") ").map_or(rest, |(_, actual)| actual);
            format!("{node} {actual}")
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n      ")
}

#[cfg(test)]
mod tests {
    use super::nodes;

    #[test]
    fn a_plan_is_shown_by_its_nodes() {
        let notice = "duration: 1 ms  plan:\nQuery Text: SELECT 1\nLimit  (cost=0.4..8.4 rows=1 width=4) (actual time=0.01..0.02 rows=1 loops=1)\n  ->  Index Scan using i on t  (cost=0.4..8.4 rows=1 width=4) (actual time=0.01..0.01 rows=1 loops=1)\n        Index Cond: (a = 1)\n        Filter: (b = 2)";
        let shown = nodes(notice);
        assert!(shown.starts_with("Limit (actual time=0.01..0.02 rows=1 loops=1)"), "{shown}");
        assert!(
            shown.contains("Index Scan using i on t (actual") && shown.contains("Index Cond: (a = 1)"),
            "{shown}"
        );
        assert!(!shown.contains("Filter"), "{shown}");
    }
}
