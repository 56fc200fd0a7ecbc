//! A function that does nothing: the floor of what a function costs to start and to call. The bench runs it beside ours.

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(async |_: LambdaEvent<Value>| {
        // `cargo lambda watch` wants all the members, also those that are empty.
        Ok::<_, std::convert::Infallible>(json!({
            "statusCode": 200, "headers": {}, "multiValueHeaders": {}, "cookies": [], "body": "hello",
            "isBase64Encoded": false,
        }))
    }))
    .await
}
