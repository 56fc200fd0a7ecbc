//! Values that somebody gives the template's parameters: refused here as `CloudFormation` would refuse them.

use serde_json::Value;

use super::{Error, Surroundings, intrinsics::section};

/// Says what is wrong with the first that is no value of a parameter.
pub(super) fn check(template: &Value, surroundings: &Surroundings) -> Result<(), Error> {
    for (name, value) in &surroundings.parameters {
        let problem = match section(template, "Parameters").find(|(known, _)| *known == name) {
            Some((_, parameter)) => problem(parameter, value),
            None => Some(unknown(template)),
        };
        if let Some(problem) = problem {
            return Err(Error::Parameter { name: name.clone(), problem });
        }
    }
    Ok(())
}

fn unknown(template: &Value) -> String {
    let known: Vec<_> = section(template, "Parameters").map(|(name, _)| name.as_str()).collect();
    format!("the template has no such parameter; it has {}", known.join(", "))
}

fn problem(parameter: &Value, value: &str) -> Option<String> {
    if let Some(allowed) = parameter.get("AllowedValues").and_then(Value::as_array) {
        let allowed: Vec<_> = allowed.iter().map(text).collect();
        return (!allowed.iter().any(|allowed| allowed == value))
            .then(|| format!("{value:?} is none of {}", allowed.join(", ")));
    }
    if parameter.get("Type").and_then(Value::as_str) != Some("Number") {
        return None;
    }
    let Ok(number) = value.parse::<f64>() else { return Some(format!("{value:?} is no number")) };
    let bound = |name: &str| parameter.get(name).and_then(Value::as_f64);
    let is_within = bound("MinValue").is_none_or(|least| number >= least)
        && bound("MaxValue").is_none_or(|most| number <= most);
    let bounds =
        || ["MinValue", "MaxValue"].map(|name| parameter.get(name).map_or_else(|| "any".to_owned(), text));
    (!is_within).then(|| format!("{value} is not within {}", bounds().join(" to ")))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
