//! `CloudFormation`'s intrinsic functions, with local names, addresses and ARNs.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{ACCOUNT, Error, Surroundings};

/// Resolves values of one template.
pub(super) struct Intrinsics<'a> {
    template: &'a Value,
    surroundings: &'a Surroundings,
    parameters: BTreeMap<&'a str, Value>,
}

impl<'a> Intrinsics<'a> {
    pub(super) fn new(template: &'a Value, surroundings: &'a Surroundings) -> Self {
        let parameters = section(template, "Parameters")
            .filter_map(|(name, parameter)| {
                let given = surroundings.parameters.get(name).cloned().map(Value::String);
                Some((name.as_str(), given.or_else(|| parameter.get("Default").cloned())?))
            })
            .collect();
        Self { template, surroundings, parameters }
    }

    /// Resolves everything inside `value`; what resolves to `AWS::NoValue` is left out.
    pub(super) fn resolve(&self, value: &Value) -> Result<Value, Error> {
        match value {
            Value::Object(object) => {
                if let Some((name, argument)) = intrinsic(object) {
                    return self.apply(name, argument);
                }
                let mut resolved = Map::new();
                for (key, value) in object {
                    let value = self.resolve(value)?;
                    if !value.is_null() {
                        resolved.insert(key.clone(), value);
                    }
                }
                Ok(Value::Object(resolved))
            }
            Value::Array(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    let item = self.resolve(item)?;
                    if !item.is_null() {
                        resolved.push(item);
                    }
                }
                Ok(Value::Array(resolved))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
        }
    }

    /// Resolves `value` to text, as an environment variable or a name takes it.
    pub(super) fn text(&self, value: &Value) -> Result<String, Error> {
        match self.resolve(value)? {
            Value::String(text) => Ok(text),
            Value::Null => Ok(String::new()),
            other @ (Value::Number(_) | Value::Bool(_)) => Ok(other.to_string()),
            Value::Array(_) | Value::Object(_) => Err(unresolved(value, "it is no text")),
        }
    }

    /// Whether the resource's `Condition`, if it has one, holds.
    pub(super) fn exists(&self, resource: &Value) -> Result<bool, Error> {
        resource.get("Condition").and_then(Value::as_str).map_or(Ok(true), |name| self.condition(name))
    }

    fn apply(&self, name: &str, argument: &Value) -> Result<Value, Error> {
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => {
                let parts = argument.as_array().map(Vec::as_slice).unwrap_or_default();
                match parts {
                    [resource, attribute] => {
                        let attribute = self.text(attribute)?;
                        self.attribute(resource.as_str().unwrap_or_default(), &attribute)
                    }
                    _ => Err(unresolved(argument, "Fn::GetAtt takes a resource and an attribute")),
                }
            }
            "Fn::Sub" => self.substitute(argument),
            "Fn::Join" => {
                let (separator, items) = pair(argument)?;
                let separator = self.text(separator)?;
                let items = self.list(items)?;
                Ok(Value::String(items.iter().map(plain_text).collect::<Vec<_>>().join(&separator)))
            }
            "Fn::Split" => {
                let (separator, text) = pair(argument)?;
                let (separator, text) = (self.text(separator)?, self.text(text)?);
                Ok(text.split(separator.as_str()).map(|part| Value::String(part.to_owned())).collect())
            }
            "Fn::Select" => {
                let (index, items) = pair(argument)?;
                let index: usize =
                    self.text(index)?.parse().map_err(|_| unresolved(argument, "the index is no number"))?;
                let mut items = self.list(items)?;
                if index < items.len() {
                    Ok(items.swap_remove(index))
                } else {
                    Err(unresolved(argument, "the list is shorter"))
                }
            }
            "Fn::If" => match argument.as_array().map(Vec::as_slice).unwrap_or_default() {
                [condition, yes, no] => {
                    let holds = self.condition(condition.as_str().unwrap_or_default())?;
                    self.resolve(if holds { yes } else { no })
                }
                _ => Err(unresolved(argument, "Fn::If takes a condition and two values")),
            },
            "Fn::FindInMap" => match self.list(argument)?.as_slice() {
                [map, top, second] => section(self.template, "Mappings")
                    .find(|(name, _)| *name == &plain_text(map))
                    .and_then(|(_, map)| map.get(plain_text(top))?.get(plain_text(second)))
                    .cloned()
                    .ok_or_else(|| unresolved(argument, "no such entry")),
                _ => Err(unresolved(argument, "Fn::FindInMap takes a map and two keys")),
            },
            _ => Err(unresolved(&Value::String(name.to_owned()), "the local stack does not know it")),
        }
    }

    fn reference(&self, name: &str) -> Result<Value, Error> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        let text = match name {
            "AWS::Region" => self.surroundings.region.clone(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackName" | "AWS::StackId" => "local".to_owned(),
            "AWS::NoValue" => return Ok(Value::Null),
            _ => {
                let resource = self.resource(name)?;
                match kind(resource) {
                    "AWS::SQS::Queue" => {
                        format!(
                            "{}/{ACCOUNT}/{}",
                            self.surroundings.urls.aws,
                            self.name(name, resource, "QueueName")?
                        )
                    }
                    "AWS::DynamoDB::Table" => self.name(name, resource, "TableName")?,
                    "AWS::ApiGatewayV2::Stage" => self.name(name, resource, "StageName")?,
                    // A function, an API, a route: the logical id stands for the physical one.
                    _ => name.to_owned(),
                }
            }
        };
        Ok(Value::String(text))
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<Value, Error> {
        let resource = self.resource(id)?;
        let region = &self.surroundings.region;
        let text = match (kind(resource), attribute) {
            ("AWS::SQS::Queue", "Arn") => {
                format!("arn:aws:sqs:{region}:{ACCOUNT}:{}", self.name(id, resource, "QueueName")?)
            }
            ("AWS::SQS::Queue", "QueueName") => self.name(id, resource, "QueueName")?,
            ("AWS::SQS::Queue", "QueueUrl") => return self.reference(id),
            ("AWS::DynamoDB::Table", "Arn") => {
                format!("arn:aws:dynamodb:{region}:{ACCOUNT}:table/{}", self.name(id, resource, "TableName")?)
            }
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => {
                format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{id}")
            }
            (_, "ApiId") => id.to_owned(),
            (_, "ApiEndpoint") => format!("https://{id}.execute-api.{region}.amazonaws.com"),
            (_, "Arn") => format!("arn:aws:local:{region}:{ACCOUNT}:{id}"),
            _ => {
                return Err(unresolved(&Value::String(format!("{id}.{attribute}")), "it exists only in AWS"));
            }
        };
        Ok(Value::String(text))
    }

    fn substitute(&self, argument: &Value) -> Result<Value, Error> {
        let (text, names) = match argument.as_array().map(Vec::as_slice) {
            None => (argument.as_str().unwrap_or_default(), None),
            Some([Value::String(text), Value::Object(names)]) => (text.as_str(), Some(names)),
            Some(_) => return Err(unresolved(argument, "Fn::Sub takes a text and a map")),
        };
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let (name, after) =
                after.split_once('}').ok_or_else(|| unresolved(argument, "a placeholder is not closed"))?;
            if let Some(literal) = name.strip_prefix('!') {
                result.extend(["${", literal, "}"]);
            } else if let Some(value) = names.and_then(|names| names.get(name)) {
                result.push_str(&self.text(value)?);
            } else if let Some((resource, attribute)) = name.split_once('.') {
                result.push_str(&plain_text(&self.attribute(resource, attribute)?));
            } else {
                result.push_str(&plain_text(&self.reference(name)?));
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(Value::String(result))
    }

    fn condition(&self, name: &str) -> Result<bool, Error> {
        let condition = section(self.template, "Conditions")
            .find(|(found, _)| *found == name)
            .map(|(_, condition)| condition)
            .ok_or_else(|| unresolved(&Value::String(name.to_owned()), "there is no such condition"))?;
        self.holds(condition)
    }

    fn holds(&self, condition: &Value) -> Result<bool, Error> {
        let entry =
            condition.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
        let Some((name, argument)) = entry else {
            return Err(unresolved(condition, "it is no condition"));
        };
        let parts = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name.as_str(), parts) {
            ("Fn::Equals", [left, right]) => Ok(self.text(left)? == self.text(right)?),
            ("Fn::Not", [only]) => Ok(!self.holds(only)?),
            ("Fn::And", parts) => parts.iter().try_fold(true, |all, part| Ok(all && self.holds(part)?)),
            ("Fn::Or", parts) => parts.iter().try_fold(false, |any, part| Ok(any || self.holds(part)?)),
            ("Condition", _) => self.condition(argument.as_str().unwrap_or_default()),
            _ => Err(unresolved(condition, "it is no condition")),
        }
    }

    fn list(&self, value: &Value) -> Result<Vec<Value>, Error> {
        match self.resolve(value)? {
            Value::Array(items) => Ok(items),
            // A parameter of type CommaDelimitedList.
            Value::String(text) => {
                Ok(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                Err(unresolved(value, "it is no list"))
            }
        }
    }

    fn name(&self, id: &str, resource: &Value, property: &str) -> Result<String, Error> {
        resource
            .get("Properties")
            .and_then(|properties| properties.get(property))
            .map_or_else(|| Ok(id.to_owned()), |name| self.text(name))
    }

    fn resource(&self, id: &str) -> Result<&'a Value, Error> {
        section(self.template, "Resources")
            .find(|(name, _)| *name == id)
            .map(|(_, resource)| resource)
            .ok_or_else(|| {
                unresolved(&Value::String(id.to_owned()), "there is no such parameter or resource")
            })
    }
}

/// The entries of a top-level section; none when the template has no such section.
pub(super) fn section<'a>(template: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    template.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// The resource's type.
pub(super) fn kind(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}

fn intrinsic(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = object.iter().next().filter(|_| object.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name, argument))
}

fn pair(argument: &Value) -> Result<(&Value, &Value), Error> {
    match argument.as_array().map(Vec::as_slice) {
        Some([first, second]) => Ok((first, second)),
        _ => Err(unresolved(argument, "it takes two arguments")),
    }
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn unresolved(expression: &Value, problem: &str) -> Error {
    Error::Unresolved { expression: expression.to_string(), problem: problem.to_owned() }
}
