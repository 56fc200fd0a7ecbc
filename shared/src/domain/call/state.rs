//! placeholder until written
/// State.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State { /// other
    Other(String) }
