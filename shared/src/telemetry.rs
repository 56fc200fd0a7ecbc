//! How an error reads in a log line.

use std::{error::Error, fmt};

/// An error with its causes, one after the other. `Display` of our errors never repeats the cause, so whoever logs
/// walks the chain.
pub struct Chain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
