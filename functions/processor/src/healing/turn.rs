//! Whose turn it is: which silent legs Dialpad is asked for in one run, and when again. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::reconciling::SilentLeg;

/// How often a company is asked within a minute. Dialpad allows ten, and others may ask for the same company.
pub(super) const A_MINUTE: usize = 6;
/// The longest that a leg which goes on is not asked for.
const LONGEST: TimeDelta = TimeDelta::days(1);

/// The legs of each company, in the order given, as many as may still be asked for within this minute.
pub(super) fn rounds(legs: Vec<SilentLeg>) -> Vec<Vec<SilentLeg>> {
    let mut companies: BTreeMap<String, Vec<SilentLeg>> = BTreeMap::new();
    for leg in legs {
        let left = A_MINUTE.saturating_sub(usize::try_from(leg.spent).unwrap_or_default());
        let round = companies.entry(leg.company.clone()).or_default();
        if round.len() < left {
            round.push(leg);
        }
    }
    companies.into_values().filter(|round| !round.is_empty()).collect()
}

/// When a leg is asked for again of which the answer was that it goes on: twice as long as the last time, beginning with
/// the silence after which it was asked for first.
pub(super) fn ask_again_at(leg: &SilentLeg, silence: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    let waited = match (leg.asked_at, leg.ask_again_at) {
        // What was heard since then counts from the beginning.
        (Some(asked_at), Some(again_at)) if leg.updated_at <= asked_at => again_at - asked_at,
        _ => TimeDelta::zero(),
    };
    now + (waited * 2).clamp(silence.min(LONGEST), LONGEST)
}

#[cfg(test)]
mod tests {
    use shared::domain::{
        call::Status,
        ids::{AppId, DialpadId},
    };

    use super::*;

    const SILENCE: TimeDelta = TimeDelta::minutes(15);

    fn time(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn leg(company: &str, spent: i64, call_id: i64) -> SilentLeg {
        SilentLeg {
            app_id: AppId(uuid::Uuid::nil()),
            company: company.to_owned(),
            spent,
            call_id: DialpadId(call_id),
            status: Status::Active,
            last_at: time(0),
            updated_at: time(0),
            asked_at: None,
            ask_again_at: None,
        }
    }

    #[test]
    fn each_company_is_asked_as_often_as_a_minute_allows() {
        let mut legs: Vec<_> = (1..=20).map(|id| leg("a", 0, id)).collect();
        legs.extend((21..=30).map(|id| leg("b", 4, id)));
        legs.extend((31..=40).map(|id| leg("c", 9, id)));
        let asked: Vec<Vec<i64>> =
            rounds(legs).iter().map(|round| round.iter().map(|leg| leg.call_id.0).collect()).collect();
        assert_eq!(asked, [vec![1, 2, 3, 4, 5, 6], vec![21, 22]]);
    }

    #[test]
    fn a_call_that_goes_on_is_asked_for_less_and_less_often() {
        let (mut leg, mut waits, mut now) = (leg("a", 0, 1), Vec::new(), time(15));
        for _ in 0..9 {
            let again_at = ask_again_at(&leg, SILENCE, now);
            waits.push((again_at - now).num_minutes());
            (leg.asked_at, leg.ask_again_at, now) = (Some(now), Some(again_at), again_at);
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    }

    #[test]
    fn news_begins_the_count_anew() {
        let mut leg = leg("a", 0, 1);
        (leg.asked_at, leg.ask_again_at) = (Some(time(15)), Some(time(75)));
        assert_eq!(ask_again_at(&leg, SILENCE, time(75)), time(75 + 120));
        leg.updated_at = time(40);
        assert_eq!(ask_again_at(&leg, SILENCE, time(75)), time(75 + 15));
    }

    #[test]
    fn a_silence_longer_than_a_day_is_a_day() {
        assert_eq!(ask_again_at(&leg("a", 0, 1), TimeDelta::days(9), time(0)), time(1440));
    }
}
