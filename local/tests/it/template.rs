//! Reading a template.

use std::{collections::BTreeMap, time::Duration};

use local::{
    template::{Error, HttpRoute, Redrive, Surroundings, Template, WebSocketRoute},
    urls::PublicUrls,
};
use serde_json::json;

/// A template with every construct that the reader knows.
pub(crate) const FIXTURE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  BatchSize: { Type: Number, Default: 10 }
  Poll: { Type: Number, Default: 5 }
  Secret: { Type: String, NoEcho: true }
  Keep: { Type: String, Default: "false", AllowedValues: ["true", "false"] }
Conditions:
  Keeps: !Equals [!Ref Keep, "true"]
  Forgets: !Not [!Condition Keeps]
Mappings:
  Sizes: { small: { memory: 256 } }
Globals:
  Function:
    Timeout: 10
    MemorySize: 192
    Environment:
      Variables:
        STAGE: !Sub "${AWS::StackName}-${!literal}"
        DATABASE_URL: "{{resolve:secretsmanager:nowhere}}"
Resources:
  HttpApi: { Type: AWS::Serverless::HttpApi, Properties: {} }
  WebSocketApi:
    Type: AWS::ApiGatewayV2::Api
    Properties: { Name: ws, ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action }
  WebSocketStage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: { ApiId: !Ref WebSocketApi, StageName: ws }
  WebSocketIntegration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref WebSocketApi
      IntegrationType: AWS_PROXY
      TimeoutInMillis: 20000
      IntegrationUri: !Sub "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${WebsocketFunction.Arn}/invocations"
  ConnectRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref WebSocketApi
      RouteKey: $connect
      Target: !Join [/, [integrations, !Ref WebSocketIntegration]]
  DefaultRoute:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref WebSocketApi
      RouteKey: $default
      RouteResponseSelectionExpression: $default
      Target: !Sub "integrations/${WebSocketIntegration}"
  DefaultRouteResponse:
    Type: AWS::ApiGatewayV2::RouteResponse
    Properties: { ApiId: !Ref WebSocketApi, RouteId: !Ref DefaultRoute, RouteResponseKey: $default }
  EventQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      MessageRetentionPeriod: 1209600
      RedrivePolicy: { deadLetterTargetArn: !GetAtt EventDeadLetterQueue.Arn, maxReceiveCount: 3 }
  EventDeadLetterQueue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${AWS::StackName}-dead" }
  ConnectionsTable:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - { AttributeName: connection_id, AttributeType: S }
        - { AttributeName: app_id, AttributeType: S }
      KeySchema: [{ AttributeName: connection_id, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - IndexName: apps
          KeySchema: [{ AttributeName: app_id, KeyType: HASH }]
          Projection: { ProjectionType: ALL }
      TimeToLiveSpecification: { AttributeName: expires_at, Enabled: true }
  WebhookFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: webhook } }
    Properties:
      CodeUri: .
      Timeout: 5
      Environment:
        Variables:
          EVENT_QUEUE_URL: !Ref EventQueue
          DIALPAD_WEBHOOK_SECRET: !Ref Secret
          MEMORY: !FindInMap [Sizes, small, memory]
          ARCHIVE: !If [Keeps, "yes", "no"]
          Extra: !If [Keeps, "yes", !Ref AWS::NoValue]
      Events:
        Webhook: { Type: HttpApi, Properties: { ApiId: !Ref HttpApi, Path: "/webhooks/{proxy+}", Method: POST } }
        Anything: { Type: HttpApi, Properties: { ApiId: !Ref HttpApi, Path: /any, Method: ANY, TimeoutInMillis: 1500 } }
        Rest: { Type: HttpApi }
  WebsocketFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: websocket } }
    Properties:
      CodeUri: .
      Policies: [{ Statement: [{ Effect: Allow, Action: x, Resource: !ImportValue nowhere }] }]
      Environment: { Variables: { CONNECTIONS_TABLE: !Ref ConnectionsTable } }
  BroadcasterFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: broadcaster } }
    Properties:
      CodeUri: .
      Environment:
        Variables:
          CONNECTIONS_ENDPOINT: !Sub "https://${WebSocketApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${WebSocketStage}"
          PUBLIC: { "Fn::Join": ["", ["wss://", { Ref: WebSocketApi }, ".execute-api.us-east-1.amazonaws.com/ws"]] }
          HTTP: !Sub ["https://${Api}.execute-api.${AWS::Region}.amazonaws.com", { Api: !Ref HttpApi }]
          REST_FUNCTION: !Select [1, !Split [",", "a,b"]]
  ProcessorFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: processor } }
    Properties:
      CodeUri: .
      Environment: { Variables: { PROCESSOR_POLL_INTERVAL_SECONDS: !Ref Poll } }
      Events:
        Events:
          Type: SQS
          Properties:
            Queue: !GetAtt EventQueue.Arn
            BatchSize: !Ref BatchSize
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: { MaximumConcurrency: 7 }
        Sweep: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 minute) } }
        Nightly: { Type: Schedule, Properties: { Schedule: rate(2 hours), Input: '{"nightly":true}', Enabled: false } }
  ArchiveFunction:
    Type: AWS::Serverless::Function
    Condition: Keeps
    Metadata: { BuildProperties: { Binary: archive } }
    Properties: { CodeUri: . }
"#;

/// Surroundings in which the secrets are overridden.
pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        urls: PublicUrls {
            http: "http://localhost:4000".to_owned(),
            ws: "ws://localhost:4000/ws".to_owned(),
            aws: "http://127.0.0.1:4566".to_owned(),
        },
        region: "us-east-1".to_owned(),
        parameters: BTreeMap::new(),
        overrides: BTreeMap::from(
            [("DATABASE_URL", "postgres://here"), ("DIALPAD_WEBHOOK_SECRET", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        ),
    }
}

fn fixture() -> Template {
    Template::parse(FIXTURE, &surroundings()).unwrap()
}

fn environment(template: &Template, id: &str) -> serde_json::Value {
    json!(template.functions[id].environment)
}

#[test]
fn a_function_has_its_own_properties_over_the_global_ones() {
    let template = fixture();
    let webhook = &template.functions["WebhookFunction"];
    assert_eq!((webhook.binary.as_str(), webhook.timeout), ("webhook", Duration::from_secs(5)));
    assert_eq!(webhook.memory_megabytes, 192);
    assert_eq!(template.functions["ProcessorFunction"].timeout, Duration::from_secs(10));
    assert_eq!(template.binaries(), ["broadcaster", "processor", "webhook", "websocket"]);
    assert_eq!(template.triggered_binaries(), ["processor", "webhook", "websocket"]);
}

#[test]
fn variables_resolve_to_local_names_and_addresses() {
    let template = fixture();
    assert_eq!(
        environment(&template, "WebhookFunction"),
        json!({
            "STAGE": "local-${literal}",
            "DATABASE_URL": "postgres://here",
            "EVENT_QUEUE_URL": "http://127.0.0.1:4566/000000000000/EventQueue",
            "DIALPAD_WEBHOOK_SECRET": "",
            "MEMORY": "256",
            "ARCHIVE": "no",
            "Extra": "",
        })
    );
    let broadcaster = environment(&template, "BroadcasterFunction");
    assert_eq!(broadcaster["CONNECTIONS_ENDPOINT"], "http://127.0.0.1:4566/ws");
    assert_eq!(broadcaster["PUBLIC"], "ws://localhost:4000/ws");
    assert_eq!(broadcaster["HTTP"], "http://localhost:4000");
    assert_eq!(broadcaster["REST_FUNCTION"], "b");
    assert_eq!(environment(&template, "WebsocketFunction")["CONNECTIONS_TABLE"], "ConnectionsTable");
}

#[test]
fn a_variable_that_is_set_later_reaches_only_functions_that_declare_it() {
    let mut template = fixture();
    template.set_variable("CONNECTIONS_TABLE", "other");
    assert_eq!(environment(&template, "WebsocketFunction")["CONNECTIONS_TABLE"], "other");
    assert_eq!(environment(&template, "WebhookFunction").get("CONNECTIONS_TABLE"), None);
}

#[test]
fn parameters_replace_defaults_and_decide_conditions() {
    let mut surroundings = surroundings();
    surroundings.parameters =
        [("Keep", "true"), ("Poll", "1")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let template = Template::parse(FIXTURE, &surroundings).unwrap();
    assert!(template.functions.contains_key("ArchiveFunction"));
    assert!(!fixture().functions.contains_key("ArchiveFunction"));
    assert_eq!(environment(&template, "WebhookFunction")["Extra"], "yes");
    assert_eq!(environment(&template, "ProcessorFunction")["PROCESSOR_POLL_INTERVAL_SECONDS"], "1");
}

#[test]
fn a_value_that_a_parameter_cannot_have_is_refused_with_those_that_it_can() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
    let given = |name: &str, value: &str| {
        let mut surroundings = surroundings();
        surroundings.parameters = [(name.to_owned(), value.to_owned())].into();
        Template::parse(&template, &surroundings).map(drop).map_err(|error| error.to_string())
    };
    for (name, value, told) in [
        ("EventLogRetention", "7", "no such parameter; it has "),
        ("EventLogRetentionDays", "a week", "\"a week\" is no number"),
        ("EventLogRetentionDays", "0", "0 is not within 1 to 3650"),
        ("AllowApiKeyInUrl", "no", "\"no\" is none of true, false"),
    ] {
        let refused = given(name, value).unwrap_err();
        assert!(refused.starts_with(&format!("parameter {name}: ")) && refused.contains(told), "{refused}");
    }
    assert_eq!(given("EventLogRetentionDays", "1"), Ok(()));
    assert_eq!(given("HttpDomainName", "cti.example.com"), Ok(()));
}

#[test]
fn a_value_that_exists_only_in_aws_is_named() {
    let mut surroundings = surroundings();
    surroundings.overrides.clear();
    match Template::parse(FIXTURE, &surroundings) {
        Err(Error::Unresolved { expression, .. }) => assert_eq!(expression, "\"Secret\""),
        other => panic!("{other:?}"),
    }
}

#[test]
fn http_events_become_routes() {
    let mut routes = fixture().http_routes;
    routes.sort_by(|a, b| a.path.cmp(&b.path));
    let route = |method: Option<&str>, path: &str, milliseconds: Option<u64>| HttpRoute {
        method: method.map(ToOwned::to_owned),
        path: path.to_owned(),
        function: "webhook".to_owned(),
        timeout: milliseconds.map(Duration::from_millis),
    };
    assert_eq!(
        routes,
        [
            route(None, "$default", None),
            route(None, "/any", Some(1_500)),
            route(Some("POST"), "/webhooks/{proxy+}", None)
        ]
    );
}

#[test]
fn a_websocket_route_answers_only_with_a_route_response() {
    let websocket = fixture().websocket;
    assert_eq!(
        (websocket.stage.as_str(), websocket.selection_expression.as_str()),
        ("ws", "$request.body.action")
    );
    let route = |has_route_response| WebSocketRoute {
        function: "websocket".to_owned(),
        has_route_response,
        timeout: Some(Duration::from_secs(20)),
    };
    assert_eq!(
        websocket.routes,
        BTreeMap::from([("$connect".to_owned(), route(false)), ("$default".to_owned(), route(true))])
    );
}

#[test]
fn a_time_out_that_the_cloud_would_refuse_is_refused() {
    for (said, problem) in [
        ("TimeoutInMillis: 30001", "30001 is not between 50 and 30000"),
        ("TimeoutInMillis: 49", "49 is not between 50 and 30000"),
        ("TimeoutInMillis: soon", "\"soon\" is no whole number"),
    ] {
        let text = FIXTURE.replace("TimeoutInMillis: 1500", said);
        let error = Template::parse(&text, &surroundings()).unwrap_err();
        assert_eq!(error.to_string(), format!("TimeoutInMillis: {problem}"));
    }
    let text = FIXTURE.replace("TimeoutInMillis: 20000", "TimeoutInMillis: 29001");
    assert!(Template::parse(&text, &surroundings()).is_err());
}

#[test]
fn queues_tables_and_mappings_keep_their_settings() {
    let template = fixture();
    let queue = &template.queues["EventQueue"];
    assert_eq!(queue.arn, "arn:aws:sqs:us-east-1:000000000000:EventQueue");
    assert_eq!(queue.visibility, Duration::from_mins(1));
    assert_eq!(queue.retention, Duration::from_hours(14 * 24));
    assert_eq!(
        queue.redrive,
        Some(Redrive { queue: "EventDeadLetterQueue".to_owned(), max_receive_count: 3 })
    );
    assert_eq!(template.queues["EventDeadLetterQueue"].name, "local-dead");

    let mapping = &template.queue_mappings[0];
    assert_eq!((mapping.queue.as_str(), mapping.function.as_str()), ("EventQueue", "processor"));
    assert_eq!((mapping.batch_size, mapping.batch_window), (10, Duration::ZERO));
    assert!(mapping.report_batch_item_failures);
    assert_eq!(mapping.maximum_concurrency, Some(7));

    let table = &template.tables[0];
    assert_eq!(
        (table.name.as_str(), table.ttl_attribute.as_deref()),
        ("ConnectionsTable", Some("expires_at"))
    );
    assert_eq!(table.definition["GlobalSecondaryIndexes"][0]["IndexName"], "apps");
}

#[test]
fn only_enabled_schedules_run() {
    let schedules = fixture().schedules;
    assert_eq!(schedules.len(), 1);
    assert_eq!((schedules[0].function.as_str(), schedules[0].rate), ("processor", Duration::from_mins(1)));
}

#[test]
fn the_repositorys_own_template_is_understood() {
    let file = local::settings::root().join("template.yaml");
    let template = Template::read(&file, &surroundings()).unwrap();
    assert_eq!(
        template.binaries(),
        ["broadcaster", "dialpad", "migrator", "processor", "rest", "webhook", "websocket"]
    );
    assert_eq!(template.triggered_binaries(), ["broadcaster", "processor", "rest", "webhook", "websocket"]);
    assert_eq!(template.websocket.stage, "ws");
    let has_route_response = |key: &str| template.websocket.routes[key].has_route_response;
    assert_eq!(
        ["$connect", "$default", "$disconnect"].map(has_route_response),
        [false, true, false],
        "only messages are answered over the socket"
    );
    let mut mappings: Vec<_> = template
        .queue_mappings
        .iter()
        .map(|mapping| (mapping.queue.as_str(), mapping.function.as_str()))
        .collect();
    mappings.sort_unstable();
    assert_eq!(
        mappings,
        [("EventQueue", "processor"), ("PushQueue", "broadcaster"), ("SpillQueue", "processor")]
    );
    assert_eq!(template.schedules[0].function, "processor");
    let broadcaster = environment(&template, "BroadcasterFunction");
    assert_eq!(broadcaster["CONNECTIONS_ENDPOINT"], "http://127.0.0.1:4566/ws");
    assert_eq!(environment(&template, "WebsocketFunction")["DATABASE_URL"], "postgres://here");
}
