//! Metrics, written as log lines in CloudWatch's embedded metric format, from which CloudWatch makes metrics by itself: no
//! call, no permission, and one line at the end of an invocation.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

/// Where CloudWatch puts them.
pub const NAMESPACE: &str = "CTI";
/// The dimension that all have, so that two stacks of one account do not see each other's.
const STACK: &str = "Stack";
/// The most values of one metric that a line may hold.
const MAX_VALUES: usize = 100;

/// Every metric there is. The alarms and the dashboard name nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Deliveries that were taken: stored, repeated or spilled.
    Received,
    /// Deliveries that were refused, by reason.
    Rejected,
    /// Deliveries that were put aside in the spill queue, since the database did not take them.
    Spilled,
    /// From the arrival of a delivery to the commit of what it changed.
    ReceivedToLoggedMs,
    /// Deliveries that were applied.
    Applied,
    /// Those of them that say something new to us: a state or a family that is not known.
    Unrecognised,
    /// Deliveries that failed and were put off.
    Retried,
    /// Deliveries that can never be applied.
    Dead,
    /// Deliveries that were kept aside, since an earlier one under the same key says something else.
    Conflicting,
    /// Deliveries that wait.
    Pending,
    /// Age of the oldest delivery that waits.
    OldestPendingSeconds,
    /// Deliveries that were given up and nobody tried again.
    DeadEvents,
    /// Events that were not delivered, and made of what Dialpad answered when it was asked.
    Reconciled,
    /// Frames that reached a socket.
    Pushed,
    /// Sockets that were gone when a frame came.
    Gone,
    /// Sockets that were closed because they took no more frames.
    Throttled,
    /// Sockets that were opened.
    Opened,
    /// Handshakes that were refused, by reason.
    Refused,
    /// Resumes, by result.
    Resumed,
    /// Credentials that were not accepted, by where they were shown.
    AuthFailures,
    /// First keys of apps.
    ApiKeyCreated,
    /// Keys that replaced others.
    ApiKeyRotated,
    /// Keys that were revoked.
    ApiKeyRevoked,
    /// Requests for a key that were answered 401 or 403.
    ApiKeyRefused,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Received,
        Self::Rejected,
        Self::Spilled,
        Self::ReceivedToLoggedMs,
        Self::Applied,
        Self::Unrecognised,
        Self::Retried,
        Self::Dead,
        Self::Conflicting,
        Self::Pending,
        Self::OldestPendingSeconds,
        Self::DeadEvents,
        Self::Reconciled,
        Self::Pushed,
        Self::Gone,
        Self::Throttled,
        Self::Opened,
        Self::Refused,
        Self::Resumed,
        Self::AuthFailures,
        Self::ApiKeyCreated,
        Self::ApiKeyRotated,
        Self::ApiKeyRevoked,
        Self::ApiKeyRefused,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::Rejected => "Rejected",
            Self::Spilled => "Spilled",
            Self::ReceivedToLoggedMs => "ReceivedToLoggedMs",
            Self::Applied => "Applied",
            Self::Unrecognised => "Unrecognised",
            Self::Retried => "Retried",
            Self::Dead => "Dead",
            Self::Conflicting => "Conflicting",
            Self::Pending => "Pending",
            Self::OldestPendingSeconds => "OldestPendingSeconds",
            Self::DeadEvents => "DeadEvents",
            Self::Reconciled => "Reconciled",
            Self::Pushed => "Pushed",
            Self::Gone => "Gone",
            Self::Throttled => "Throttled",
            Self::Opened => "Opened",
            Self::Refused => "Refused",
            Self::Resumed => "Resumed",
            Self::AuthFailures => "AuthFailures",
            Self::ApiKeyCreated => "ApiKeyCreated",
            Self::ApiKeyRotated => "ApiKeyRotated",
            Self::ApiKeyRevoked => "ApiKeyRevoked",
            Self::ApiKeyRefused => "ApiKeyRefused",
        }
    }

    /// Its unit, as CloudWatch calls it.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        if matches!(self, Self::ReceivedToLoggedMs) {
            "Milliseconds"
        } else if matches!(self, Self::OldestPendingSeconds) {
            "Seconds"
        } else {
            "Count"
        }
    }

    /// What it is divided by, besides the stack. CloudWatch gets the sum of all as well.
    #[must_use]
    pub const fn dimension(self) -> Option<&'static str> {
        if matches!(self, Self::Rejected | Self::Refused) {
            Some("Reason")
        } else if matches!(self, Self::Resumed) {
            Some("Result")
        } else if matches!(self, Self::AuthFailures) {
            Some("Route")
        } else {
            None
        }
    }

    /// Whether it says how many there are now, so that a later value takes the place of an earlier one.
    const fn is_gauge(self) -> bool {
        matches!(self, Self::Pending | Self::OldestPendingSeconds | Self::DeadEvents)
    }

    /// Whether each value counts by itself.
    const fn is_distribution(self) -> bool {
        matches!(self, Self::ReceivedToLoggedMs)
    }
}

/// The name and value of a dimension; none: not divided.
type Dimension = Option<(&'static str, &'static str)>;

/// What happened since the last line.
#[derive(Debug, Default)]
pub struct Metrics {
    seen: Mutex<BTreeMap<Dimension, BTreeMap<Metric, Vec<i64>>>>,
    /// Whose metrics are written; none: they are only kept.
    stack: Option<String>,
}

impl Metrics {
    /// Metrics of this stack that [`Metrics::flush`] writes to standard output. Those by default only keep what happened.
    #[must_use]
    pub fn to_stdout(stack: &str) -> Self {
        Self { stack: Some(stack.to_owned()), ..Self::default() }
    }

    /// Adds to a metric that is not divided.
    pub fn add(&self, metric: Metric, value: impl TryInto<i64>) {
        self.note(metric, None, value.try_into().unwrap_or(i64::MAX));
    }

    /// Adds one to the part of a metric that this word of ours stands for.
    pub fn count(&self, metric: Metric, part: &'static str) {
        self.note(metric, metric.dimension().map(|name| (name, part)), 1);
    }

    fn note(&self, metric: Metric, dimension: Dimension, value: i64) {
        if value == 0 && !metric.is_gauge() && !metric.is_distribution() {
            return;
        }
        let mut seen = self.lock();
        let values = seen.entry(dimension).or_default().entry(metric).or_default();
        match values.last_mut() {
            Some(last) if metric.is_gauge() => *last = value,
            Some(last) if !metric.is_distribution() => *last += value,
            _ => values.push(value),
        }
    }

    /// Writes what happened, if anything did, and begins anew.
    pub fn flush(&self, now: DateTime<Utc>) {
        if self.stack.is_some() {
            let mut output = std::io::stdout().lock();
            for document in self.take(now) {
                // A log that cannot be written to is no reason to fail the work.
                let _ = output.write_all(format!("{document}\n").as_bytes());
            }
        }
    }

    /// What happened as documents of the embedded metric format, one for each line; then it begins anew.
    pub fn take(&self, now: DateTime<Utc>) -> Vec<Value> {
        let seen = std::mem::take(&mut *self.lock());
        let stack = self.stack.as_deref();
        seen.into_iter().flat_map(|(dimension, metrics)| documents(stack, dimension, &metrics, now)).collect()
    }

    /// No code panics while it holds the lock, so a poisoned one cannot happen.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Dimension, BTreeMap<Metric, Vec<i64>>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many documents as it takes for none to hold too many values of a metric.
fn documents(
    stack: Option<&str>,
    dimension: Dimension,
    metrics: &BTreeMap<Metric, Vec<i64>>,
    now: DateTime<Utc>,
) -> Vec<Value> {
    let longest = metrics.values().map(Vec::len).max().unwrap_or_default();
    let part = |from: usize| {
        let part = metrics.iter().filter_map(|(metric, values)| {
            let values = values.get(from..)?;
            let values = &values[..values.len().min(MAX_VALUES)];
            (!values.is_empty()).then_some((*metric, values))
        });
        document(stack, dimension, part, now)
    };
    (0..longest).step_by(MAX_VALUES).map(part).collect()
}

fn document<'a>(
    stack: Option<&str>,
    dimension: Dimension,
    metrics: impl Iterator<Item = (Metric, &'a [i64])>,
    now: DateTime<Utc>,
) -> Value {
    let mut document = Map::new();
    let mut definitions = Vec::new();
    for (metric, values) in metrics {
        definitions.push(json!({ "Name": metric.name(), "Unit": metric.unit() }));
        let value = if let [value] = values { json!(value) } else { json!(values) };
        document.insert(metric.name().to_owned(), value);
    }
    let mut names = Vec::new();
    if let Some(stack) = stack {
        names.push(STACK);
        document.insert(STACK.to_owned(), json!(stack));
    }
    let mut dimensions = vec![names.clone()];
    if let Some((name, value)) = dimension {
        names.push(name);
        dimensions.push(names);
        document.insert(name.to_owned(), json!(value));
    }
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": definitions });
    document.insert(
        "_aws".to_owned(),
        json!({ "Timestamp": now.timestamp_millis(), "CloudWatchMetrics": [directive] }),
    );
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn counts_add_up_gauges_are_replaced_and_what_did_not_happen_is_not_written() {
        let metrics = Metrics::to_stdout("prod");
        metrics.add(Metric::Applied, 3_usize);
        metrics.add(Metric::Applied, 4_usize);
        metrics.add(Metric::Dead, 0_usize);
        metrics.add(Metric::Pending, 9_i64);
        metrics.add(Metric::Pending, 0_i64);
        let documents = metrics.take(NOW);
        let definitions = json!([{"Name": "Applied", "Unit": "Count"}, {"Name": "Pending", "Unit": "Count"}]);
        let directive = json!([{"Namespace": "CTI", "Dimensions": [["Stack"]], "Metrics": definitions}]);
        let aws = json!({"Timestamp": 0, "CloudWatchMetrics": directive});
        assert_eq!(documents, [json!({"Applied": 7, "Pending": 0, "Stack": "prod", "_aws": aws})]);
        assert_eq!(metrics.take(NOW), Vec::<Value>::new());
    }

    #[test]
    fn a_divided_metric_is_written_for_its_part_and_for_the_whole() {
        let metrics = Metrics::to_stdout("prod");
        metrics.count(Metric::Rejected, "bad_signature");
        metrics.count(Metric::Rejected, "bad_signature");
        metrics.count(Metric::Rejected, "too_large");
        let documents = metrics.take(NOW);
        let parts: Vec<_> =
            documents.iter().map(|document| (&document["Reason"], &document["Rejected"])).collect();
        assert_eq!(parts, [(&json!("bad_signature"), &json!(2)), (&json!("too_large"), &json!(1))]);
        let expected = json!([["Stack"], ["Stack", "Reason"]]);
        for document in &documents {
            assert_eq!(document["_aws"]["CloudWatchMetrics"][0]["Dimensions"], expected);
            assert_eq!(document["Stack"], "prod");
        }
    }

    #[test]
    fn many_values_of_a_distribution_go_into_several_lines() {
        let metrics = Metrics::default();
        (0..250).for_each(|value| metrics.add(Metric::ReceivedToLoggedMs, value));
        metrics.add(Metric::Applied, 250);
        let documents = metrics.take(NOW);
        let sizes: Vec<_> =
            documents.iter().map(|one| one["ReceivedToLoggedMs"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
        assert_eq!(documents.iter().filter(|one| one.get("Applied").is_some()).count(), 1);
    }

    #[test]
    fn names_are_distinct() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
    }
}
