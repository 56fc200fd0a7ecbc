//! How a fault is written, in a flag and in JSON: `post-gone=0.1`, `queue-delay=0.05:60s`, `connect-rate=500`.

use std::{fmt, time::Duration};

use super::{Kind, kind::Form};

/// The longest that one fault may last.
const LONGEST: Duration = Duration::from_hours(1);

/// How strong a fault is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// It strikes this share of what it can strike, and lasts so long.
    Share {
        /// From 0 to 1.
        share: f64,
        /// How long; zero for a fault that does not last.
        lasting: Duration,
    },
    /// So many a second are let through.
    PerSecond(u32),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share { share, lasting } if lasting.is_zero() => write!(f, "{share}"),
            Self::Share { share, lasting } => write!(f, "{share}:{}ms", lasting.as_millis()),
            Self::PerSecond(rate) => write!(f, "{rate}"),
        }
    }
}

/// Reads `NAME=VALUE`, as in a flag.
pub fn parse(text: &str) -> Result<(Kind, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, for example post-gone=0.1")?;
    let kind = Kind::named(name)?;
    Ok((kind, Value::parse(kind, value)?))
}

impl Value {
    /// Reads the value of this fault.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind.form() {
            Form::PerSecond => match text.parse() {
                Ok(rate @ 1..) => Ok(Self::PerSecond(rate)),
                Ok(0) | Err(_) => Err(format!("expected how many a second, for example {}=500", kind.name())),
            },
            Form::Share => Ok(Self::Share { share: share(text)?, lasting: Duration::ZERO }),
            Form::ShareLasting(default) => {
                let (share_text, lasting) = match text.split_once(':') {
                    Some((share, lasting)) => (share, duration(lasting)?),
                    None => (text, default),
                };
                Ok(Self::Share { share: share(share_text)?, lasting })
            }
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err(format!("expected a share from 0 to 1, not {text:?}")),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    milliseconds
        .and_then(|factor: u64| number.parse::<u64>().ok()?.checked_mul(factor))
        .map(Duration::from_millis)
        .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
        .ok_or_else(|| format!("expected a time from 1ms to 60m, for example 250ms, 60s or 2m, not {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_share_a_time_or_a_rate() {
        let share =
            |share, milliseconds| Value::Share { share, lasting: Duration::from_millis(milliseconds) };
        for (text, kind, value) in [
            ("post-gone=0.1", Kind::PostGone, share(0.1, 0)),
            ("disconnect-drop=1", Kind::DisconnectDrop, share(1.0, 0)),
            ("queue-delay=0.05:2m", Kind::QueueDelay, share(0.05, 120_000)),
            ("queue-delay=0.05", Kind::QueueDelay, share(0.05, 60_000)),
            ("kill-during=0.01:5ms", Kind::KillDuring, share(0.01, 5)),
            ("connect-rate=500", Kind::ConnectRate, Value::PerSecond(500)),
        ] {
            assert_eq!(parse(text), Ok((kind, value)), "{text}");
            // What is shown can be given back.
            assert_eq!(Value::parse(kind, &value.to_string()), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("post-gone", "expected NAME=VALUE"),
            ("post-lost=1", "there is no fault \"post-lost\"; there are connect-rate, "),
            ("post-gone=2", "expected a share from 0 to 1, not \"2\""),
            ("post-gone=0.1:5s", "expected a share from 0 to 1, not \"0.1:5s\""),
            ("post-gone=NaN", "expected a share"),
            ("queue-delay=0.1:60", "expected a time from 1ms to 60m"),
            ("queue-delay=0.1:0s", "expected a time"),
            ("queue-delay=0.1:99999999999999999999s", "expected a time"),
            ("connect-rate=0", "expected how many a second"),
            ("connect-rate=0.5", "expected how many a second"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(said), "{text}: {error}");
        }
    }

    #[test]
    fn every_fault_has_a_name_and_a_bit_of_its_own() {
        let bits = Kind::ALL.iter().fold(0, |bits, kind| bits | kind.bit());
        assert_eq!(bits.count_ones() as usize, Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Ok(kind));
        }
    }
}
