//! What reading any resource needs: its properties, with intrinsics resolved.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Error, Surroundings,
    intrinsics::{Intrinsics, kind, section},
};

/// The shortest time that an API may be told to wait for a function.
const LEAST: Duration = Duration::from_millis(50);

/// What reading one resource may need.
pub(super) struct Reader<'a> {
    pub(super) intrinsics: Intrinsics<'a>,
    pub(super) surroundings: &'a Surroundings,
    pub(super) template: &'a Value,
}

impl<'a> Reader<'a> {
    pub(super) fn new(template: &'a Value, surroundings: &'a Surroundings) -> Self {
        Self { intrinsics: Intrinsics::new(template, surroundings), surroundings, template }
    }

    /// The resources of a type whose condition holds.
    pub(super) fn resources(&self, wanted: &str) -> Result<Vec<(&'a String, &'a Value)>, Error> {
        let mut found = Vec::new();
        for (id, resource) in section(self.template, "Resources") {
            if kind(resource) == wanted && self.intrinsics.exists(resource)? {
                found.push((id, resource));
            }
        }
        Ok(found)
    }

    /// One property, resolved.
    pub(super) fn property(&self, of: &Value, name: &str) -> Result<Option<Value>, Error> {
        let value = of.get(name).map(|value| self.intrinsics.resolve(value)).transpose()?;
        Ok(value.filter(|value| !value.is_null()))
    }

    /// One property as text.
    pub(super) fn text(&self, of: &Value, name: &str) -> Result<Option<String>, Error> {
        of.get(name).map(|value| self.intrinsics.text(value)).transpose()
    }

    /// One property as a whole number; a parameter's value may be text.
    pub(super) fn number(&self, of: &Value, name: &str) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(of, name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| shape(name, &format!("{text:?} is no whole number")))
    }

    /// How long an integration may take, if the template says so. What the cloud would refuse is refused here.
    pub(super) fn integration_timeout(&self, of: &Value, most: Duration) -> Result<Option<Duration>, Error> {
        const NAME: &str = "TimeoutInMillis";
        let timeout = self.number(of, NAME)?.map(Duration::from_millis);
        if let Some(timeout) = timeout.filter(|timeout| !(LEAST..=most).contains(timeout)) {
            let (timeout, least, most) = (timeout.as_millis(), LEAST.as_millis(), most.as_millis());
            return Err(shape(NAME, &format!("{timeout} is not between {least} and {most}")));
        }
        Ok(timeout)
    }

    /// The logical id of the queue with that ARN.
    pub(super) fn queue_of(&self, arn: &str) -> Result<String, Error> {
        for (id, _) in self.resources("AWS::SQS::Queue")? {
            if self.intrinsics.text(&json!({ "Fn::GetAtt": [id, "Arn"] }))? == arn {
                return Ok(id.clone());
            }
        }
        Err(shape(arn, "no queue has that ARN"))
    }
}

pub(super) fn shape(at: &str, problem: &str) -> Error {
    Error::Shape { at: at.to_owned(), problem: problem.to_owned() }
}
