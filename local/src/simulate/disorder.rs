//! How deliveries go wrong on their way: Dialpad promises neither their order nor that each comes once.

use serde_json::Value;

/// Repeats a share of the deliveries, each somewhere after the first time, as a retry or an overlapping subscription does.
pub(super) fn repeat(deliveries: &mut Vec<Value>, share: f64, chance: &mut fastrand::Rng) {
    let repeated: Vec<(usize, Value)> = deliveries
        .iter()
        .enumerate()
        .filter(|_| chance.f64() < share)
        .map(|(index, payload)| (index, payload.clone()))
        .collect();
    for (index, payload) in repeated.into_iter().rev() {
        let later = chance.usize(index + 1..=deliveries.len());
        deliveries.insert(later, payload);
    }
}

/// Puts the deliveries into any order.
pub(super) fn shuffle(deliveries: &mut [Value], chance: &mut fastrand::Rng) {
    chance.shuffle(deliveries);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(count: usize) -> Vec<Value> {
        (0..count).map(|number| json!(number)).collect()
    }

    #[test]
    fn a_repeated_delivery_comes_after_the_first_and_nothing_is_lost() {
        let mut deliveries = numbers(100);
        repeat(&mut deliveries, 0.2, &mut fastrand::Rng::with_seed(7));
        assert!((101..150).contains(&deliveries.len()));
        let mut kept = Vec::new();
        for payload in &deliveries {
            if !kept.contains(payload) {
                kept.push(payload.clone());
            }
        }
        assert_eq!(kept, numbers(100), "the first of each is where it was");
        let mut all = numbers(3);
        repeat(&mut all, 1.0, &mut fastrand::Rng::with_seed(7));
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn the_same_seed_gives_the_same_disorder() {
        let disorder = |seed| {
            let mut deliveries = numbers(50);
            let mut chance = fastrand::Rng::with_seed(seed);
            repeat(&mut deliveries, 0.1, &mut chance);
            shuffle(&mut deliveries, &mut chance);
            deliveries
        };
        assert_eq!(disorder(1), disorder(1));
        assert_ne!(disorder(1), disorder(2));
    }
}
