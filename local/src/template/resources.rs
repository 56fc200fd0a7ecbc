//! From the template's resources to what runs locally.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    Error, Function, Queue, Redrive, Surroundings, Table, Template, WebSocketApi, WebSocketRoute,
    events::{self, Events},
    intrinsics::{kind, section},
    reader::{Reader, shape},
};

/// The longest that a WebSocket API waits for a function.
const WEBSOCKET_MOST: Duration = Duration::from_secs(29);

/// Reads all resources.
pub(super) fn read(template: &Value, surroundings: &Surroundings) -> Result<Template, Error> {
    let reader = Reader::new(template, surroundings);
    let queues = reader.queues()?;
    let mut functions = BTreeMap::new();
    let mut events = Events::default();
    for (id, resource) in reader.resources("AWS::Serverless::Function")? {
        let (function, properties) = reader.function(id, resource)?;
        events::read(&reader, id, &function.binary, &properties, &queues, &mut events)?;
        functions.insert(id.clone(), function);
    }
    Ok(Template {
        websocket: reader.websocket(&functions)?,
        tables: reader.tables()?,
        http_routes: events.http_routes,
        queue_mappings: events.queue_mappings,
        schedules: events.schedules,
        functions,
        queues,
    })
}

impl Reader<'_> {
    fn function(&self, id: &str, resource: &Value) -> Result<(Function, Value), Error> {
        let binary = resource
            .pointer("/Metadata/BuildProperties/Binary")
            .and_then(Value::as_str)
            .ok_or_else(|| shape(id, "Metadata.BuildProperties.Binary names no binary"))?;
        let mut properties = self.template.pointer("/Globals/Function").cloned().unwrap_or_else(|| json!({}));
        merge(&mut properties, &resource["Properties"]);
        let function = Function {
            binary: binary.to_owned(),
            timeout: Duration::from_secs(self.number(&properties, "Timeout")?.unwrap_or(3)),
            memory_megabytes: self.number(&properties, "MemorySize")?.unwrap_or(128),
            environment: self.environment(&properties)?,
        };
        Ok((function, properties))
    }

    /// Overridden variables are not resolved: what the template says of them may exist only in AWS.
    fn environment(&self, properties: &Value) -> Result<BTreeMap<String, String>, Error> {
        let empty = Map::new();
        let variables =
            properties.pointer("/Environment/Variables").and_then(Value::as_object).unwrap_or(&empty);
        let mut environment = BTreeMap::new();
        for (name, value) in variables {
            let value = match self.surroundings.overrides.get(name) {
                Some(value) => value.clone(),
                None => self.localise(&self.intrinsics.text(value)?),
            };
            environment.insert(name.clone(), value);
        }
        Ok(environment)
    }

    /// Replaces the `execute-api` address of each API by the local one.
    ///
    /// The `@connections` address of the WebSocket API has the scheme `https`; it belongs to the AWS endpoint.
    fn localise(&self, text: &str) -> String {
        let urls = &self.surroundings.urls;
        let ws_origin = urls.ws.rsplit_once('/').map_or(urls.ws.as_str(), |(origin, _)| origin);
        let mut text = text.to_owned();
        for (id, resource) in section(self.template, "Resources") {
            let host = format!("{id}.execute-api.{}.amazonaws.com", self.surroundings.region);
            text = match kind(resource) {
                "AWS::Serverless::HttpApi" => text.replace(&format!("https://{host}"), &urls.http),
                "AWS::ApiGatewayV2::Api" => text
                    .replace(&format!("https://{host}"), &urls.aws)
                    .replace(&format!("wss://{host}"), ws_origin),
                _ => continue,
            };
        }
        text
    }

    fn queues(&self) -> Result<BTreeMap<String, Queue>, Error> {
        let mut queues = BTreeMap::new();
        for (id, resource) in self.resources("AWS::SQS::Queue")? {
            let properties = &resource["Properties"];
            let seconds = |name, default| -> Result<_, Error> {
                Ok(Duration::from_secs(self.number(properties, name)?.unwrap_or(default)))
            };
            let url = self.intrinsics.text(&json!({ "Ref": id }))?;
            let queue = Queue {
                name: url.rsplit('/').next().unwrap_or_default().to_owned(),
                arn: self.intrinsics.text(&json!({ "Fn::GetAtt": [id, "Arn"] }))?,
                url,
                visibility: seconds("VisibilityTimeout", 30)?,
                retention: seconds("MessageRetentionPeriod", 345_600)?,
                delay: seconds("DelaySeconds", 0)?,
                maximum_bytes: usize::try_from(
                    self.number(properties, "MaximumMessageSize")?.unwrap_or(1_048_576),
                )
                .unwrap_or(usize::MAX),
                redrive: self.redrive(properties)?,
            };
            queues.insert(id.clone(), queue);
        }
        Ok(queues)
    }

    fn redrive(&self, properties: &Value) -> Result<Option<Redrive>, Error> {
        let Some(policy) = self.property(properties, "RedrivePolicy")? else { return Ok(None) };
        let target = policy["deadLetterTargetArn"].as_str().unwrap_or_default();
        let max_receive_count = self
            .number(&policy, "maxReceiveCount")?
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| shape("RedrivePolicy", "maxReceiveCount is missing"))?;
        Ok(Some(Redrive { queue: self.queue_of(target)?, max_receive_count }))
    }

    fn tables(&self) -> Result<Vec<Table>, Error> {
        let mut tables = Vec::new();
        for (id, resource) in self.resources("AWS::DynamoDB::Table")? {
            let properties = &resource["Properties"];
            let name = self.intrinsics.text(&json!({ "Ref": id }))?;
            let mut definition = json!({ "TableName": name, "BillingMode": "PAY_PER_REQUEST" });
            for member in
                ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"]
            {
                if let Some(value) = self.property(properties, member)? {
                    definition[member] = value;
                }
            }
            let ttl = self.property(properties, "TimeToLiveSpecification")?;
            let ttl_attribute =
                ttl.and_then(|ttl| ttl.get("AttributeName").and_then(Value::as_str).map(ToOwned::to_owned));
            tables.push(Table { name, definition, ttl_attribute });
        }
        Ok(tables)
    }

    fn websocket(&self, functions: &BTreeMap<String, Function>) -> Result<WebSocketApi, Error> {
        let mut api = WebSocketApi::default();
        for (id, resource) in self.resources("AWS::ApiGatewayV2::Api")? {
            if resource.pointer("/Properties/ProtocolType").and_then(Value::as_str) == Some("WEBSOCKET") {
                api.id.clone_from(id);
                api.selection_expression =
                    self.text(&resource["Properties"], "RouteSelectionExpression")?.unwrap_or_default();
            }
        }
        if api.id.is_empty() {
            return Ok(api);
        }
        for (_, stage) in self.resources("AWS::ApiGatewayV2::Stage")? {
            if self.belongs(stage, &api.id)? {
                api.stage = self.text(&stage["Properties"], "StageName")?.unwrap_or_default();
            }
        }
        for (id, route) in self.resources("AWS::ApiGatewayV2::Route")? {
            if self.belongs(route, &api.id)? {
                let key = self.text(&route["Properties"], "RouteKey")?.unwrap_or_default();
                api.routes.insert(key, self.websocket_route(id, &route["Properties"], functions)?);
            }
        }
        Ok(api)
    }

    fn websocket_route(
        &self,
        id: &str,
        route: &Value,
        functions: &BTreeMap<String, Function>,
    ) -> Result<WebSocketRoute, Error> {
        let target = self.text(route, "Target")?.unwrap_or_default();
        let integration = target.trim_start_matches("integrations/");
        let integration =
            self.resources("AWS::ApiGatewayV2::Integration")?.into_iter().find(|(id, _)| *id == integration);
        let (_, integration) =
            integration.ok_or_else(|| shape(id, &format!("{target:?} is no integration")))?;
        let uri = self.text(&integration["Properties"], "IntegrationUri")?.unwrap_or_default();
        let function = uri
            .split_once(":function:")
            .and_then(|(_, rest)| functions.get(rest.split(['/', ':']).next()?))
            .ok_or_else(|| shape(id, &format!("{uri:?} names no function")))?;
        let timeout = self.integration_timeout(&integration["Properties"], WEBSOCKET_MOST)?;
        // API Gateway sends the answer back only when the route selects a response and that response exists.
        let mut has_route_response = false;
        if self.text(route, "RouteResponseSelectionExpression")?.is_some() {
            for (_, response) in self.resources("AWS::ApiGatewayV2::RouteResponse")? {
                has_route_response |= self.text(&response["Properties"], "RouteId")?.as_deref() == Some(id);
            }
        }
        Ok(WebSocketRoute { function: function.binary.clone(), has_route_response, timeout })
    }

    fn belongs(&self, resource: &Value, api: &str) -> Result<bool, Error> {
        Ok(self.text(&resource["Properties"], "ApiId")?.as_deref() == Some(api))
    }
}

/// SAM's rule for `Globals`: maps are merged, lists are joined, anything else is replaced.
fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(over)) => base.extend(over.iter().cloned()),
        (base, over) => *base = over.clone(),
    }
}
