//! The OpenAPI document: generated from the operations, completed with what all of them have in common.

use serde::Serialize;
use shared::problem::{FieldError, Problem};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
        path::{Operation, Parameter, ParameterIn, PathItem},
        schema::{SchemaType, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::schema;

/// What the document begins with; the paths come from the operations.
#[derive(OpenApi)]
#[openapi(
    info(title = "CTI server", description = "Calls, voicemails and user mappings of Dialpad, for CRMs."),
    tags(
        (name = "Service", description = "The service itself."),
        (name = "Apps", description = "The tenants, for operators."),
        (name = "API keys", description = "The credentials of an app, for operators."),
        (name = "User mappings", description = "Which CRM user a Dialpad user is, for operators."),
        (name = "Calls", description = "Calls, for an app."),
        (name = "Voicemails", description = "Voicemails, for an app and for operators."),
        (name = "Messages", description = "Text messages, for an app."),
        (name = "Agents", description = "What call-centre agents are doing, for an app."),
        (name = "Deliveries", description = "What Dialpad delivered, for operators."),
        (name = "Sockets", description = "Who is connected, for operators."),
        (name = "Dialpad", description = "The company that an app is connected with, for operators."),
        (name = "Events", description = "The event log, for an app."),
    ),
    components(schemas(ProblemDocument, WrongField)),
    modifiers(&Credentials)
)]
struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Components::new);
        let key = ApiKeyValue::with_description("x-app-api-key", "The API key of an app.");
        components.add_security_scheme("app_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("INTERNAL_API_SECRET"));
        components.add_security_scheme("operator", SecurityScheme::Http(bearer.build()));
    }
}

/// A refused request (RFC 9457). `success`, `error` and `message` repeat it in an older shape.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    /// This occurrence in words.
    detail: String,
    /// The path that was asked for.
    instance: String,
    /// Stable name to program against.
    code: String,
    /// The request, as logged.
    request_id: String,
    /// The fields that are wrong.
    #[schema(required = false)]
    errors: Vec<WrongField>,
    /// Always false.
    success: bool,
    error: String,
    message: String,
}

/// One field or parameter that is wrong.
#[derive(Serialize, ToSchema)]
struct WrongField {
    /// JSON pointer of the field in the body (RFC 6901), or the name of the query parameter.
    pointer: String,
    /// What is wrong with it.
    detail: String,
}

impl From<Problem> for ProblemDocument {
    fn from(problem: Problem) -> Self {
        let wrong = |FieldError { pointer, detail }| WrongField { pointer, detail };
        Self {
            kind: problem.kind,
            title: problem.title.to_owned(),
            status: problem.status,
            detail: problem.detail,
            instance: problem.instance,
            code: problem.code.to_owned(),
            request_id: problem.request_id,
            errors: problem.errors.into_iter().map(wrong).collect(),
            success: problem.success,
            error: problem.error.to_owned(),
            message: problem.message,
        }
    }
}

/// The document: what the operations say of themselves, and the refusals of each that its credentials, parameters and body
/// make possible.
pub(crate) fn completed(described: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let mut openapi = Document::openapi().merge_from(described);
    // The router marks a parameter that may have slashes; the document knows no such mark.
    let paths = std::mem::take(&mut openapi.paths.paths);
    openapi.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    for item in openapi.paths.paths.values_mut() {
        for operation in operations(item) {
            bound_texts(operation);
            for (status, description) in refusals(operation) {
                operation
                    .responses
                    .responses
                    .entry(status.to_owned())
                    .or_insert_with(|| refusal(description));
            }
        }
    }
    openapi
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Whatever is taken as a text in a query may not have U+0000.
fn bound_texts(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { continue };
        let is_any_text = matches!(schema.schema_type, SchemaType::Type(Type::String))
            && schema.pattern.is_none()
            && schema.format.is_none()
            && schema.enum_values.is_none();
        if is_any_text && parameter.parameter_in == ParameterIn::Query {
            schema.pattern = Some(schema::STORABLE.to_owned());
        }
    }
}

fn refusals(operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let mut refusals = vec![
        ("422", "A parameter or field is wrong."),
        ("500", "A bug of ours."),
        ("503", "The database is away, or the API is closed."),
    ];
    let needs = |scheme: &str| {
        let written = serde_json::to_string(&operation.security).unwrap_or_default();
        written.contains(scheme)
    };
    if operation.security.is_some() {
        refusals.push(("401", "No, an unknown, a revoked or an expired credential."));
        refusals.push(("429", "Too many requests within this minute; the headers say when to go on."));
    }
    if needs("app_key") {
        refusals.push(("403", "The app is not active."));
    }
    let is_in_path = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path);
    if operation.parameters.iter().flatten().any(is_in_path) {
        refusals.push(("404", "There is none of this id."));
    }
    if operation.request_body.is_some() {
        refusals.push(("400", "The body is not JSON."));
        refusals.push(("413", "The body is too large."));
        refusals.push(("415", "The body is not declared as JSON."));
    }
    refusals
}

fn refusal(description: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    RefOr::T(
        ResponseBuilder::new().description(description).content("application/problem+json", content).build(),
    )
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn the_documented_problem_has_the_members_of_a_real_one() {
        let problem = Problem::new(422, "invalid", "x")
            .with_errors(vec![FieldError { pointer: "limit".to_owned(), detail: "y".to_owned() }]);
        let documented = serde_json::to_value(ProblemDocument::from(problem.clone())).unwrap();
        assert_eq!(documented, serde_json::to_value(problem).unwrap());
        let schema = serde_json::to_value(ProblemDocument::schema()).unwrap();
        for member in documented.as_object().unwrap().keys() {
            assert!(schema["properties"].get(member).is_some(), "{member} is not documented");
        }
    }
}
