//! The faults that a stack is started with.

use clap::Args;

use super::Error;
use crate::{
    admin::Actors,
    database::Database,
    faults::{Faults, Kind, Proxy, Value, parse},
    lambda::Lambda,
};

/// Which faults strike.
#[derive(Debug, Clone, Args)]
pub struct FaultArguments {
    /// Have something go wrong now and then: post-gone=0.1, queue-delay=0.05:60s (docs/local.md has the list)
    #[arg(long = "fault", value_name = "NAME=VALUE", value_parser = parse)]
    pub faults: Vec<(Kind, Value)>,
    /// The seed of the faults: with the same one they strike in the same order
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Put a proxy before the database, so that it can be taken away while the stack runs
    #[arg(long)]
    pub database_proxy: bool,
}

impl FaultArguments {
    /// The faults, in force.
    pub(super) fn faults(&self) -> Faults {
        Faults::new(self.faults.iter().copied().collect(), self.seed)
    }

    /// The proxy before the database, where faults of the database are possible.
    pub(super) async fn proxy(&self, database: &Database, faults: &Faults) -> Result<Option<Proxy>, Error> {
        let is_wanted = self.database_proxy || self.faults.iter().any(|(kind, _)| kind.is_of_database());
        if is_wanted { Ok(Some(Proxy::start(database.url(), faults.clone()).await?)) } else { Ok(None) }
    }

    /// Who does what is asked for while the stack runs; an error when a fault cannot strike in it.
    pub(super) fn actors(
        &self,
        faults: &Faults,
        lambda: &Lambda,
        database: Option<Proxy>,
    ) -> Result<Actors, Error> {
        let actors = Actors { faults: faults.clone(), lambda: lambda.clone(), database };
        for (kind, _) in &self.faults {
            actors.check(*kind).map_err(|reason| Error::Fault(kind.name(), reason))?;
        }
        Ok(actors)
    }
}
