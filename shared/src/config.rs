//! Settings: read once, at start, from an [`Env`], and wrong ones are named.

use std::{collections::HashMap, fmt, str::FromStr};

/// The environment as a value, so that tests need not touch the process's own.
#[derive(Clone, Debug, Default)]
pub struct Env(HashMap<String, String>);

impl Env {
    /// The process's environment. A variable that is not Unicode counts as not set.
    #[must_use]
    pub fn from_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
        )
    }

    /// An optional setting; an empty or blank value counts as not set.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A setting without which the function cannot work.
    pub fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.optional(name).ok_or(Error::Missing(name))
    }

    /// A setting with a default.
    pub fn parsed<T: FromStr>(&self, name: &'static str, default: T) -> Result<T, Error> {
        self.optional(name).map_or(Ok(default), |value| value.parse().map_err(|_| Error::Invalid(name)))
    }

    /// A secret that may be absent.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.optional(name).map(Secret::new)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// A setting is wrong: the function does not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// It cannot be read.
    #[error("{0} is not valid")]
    Invalid(&'static str),
}

/// A value that never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one who needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_setting_is_not_set() {
        let env = Env::from([("A", "  "), ("B", "x")]);
        assert_eq!(env.optional("A"), None);
        assert_eq!(env.required("A"), Err(Error::Missing("A")));
        assert_eq!(env.required("B"), Ok("x"));
    }

    #[test]
    fn a_wrong_number_is_named() {
        let env = Env::from([("POOL", "many")]);
        assert_eq!(env.parsed::<u32>("POOL", 1).unwrap_err().to_string(), "POOL is not valid");
        assert_eq!(env.parsed::<u32>("OTHER", 7), Ok(7));
    }

    #[test]
    fn a_secret_does_not_show() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
    }
}
