//! The AWS SDK's settings: credentials and region from the environment, TLS by rustls with ring.
//!
//! The SDK's default features would add a second HTTP and TLS stack, so the client is built here.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

/// Reads the settings, once, at start. `AWS_ENDPOINT_URL` and its per-service forms are honoured, which is how the local
/// server and other emulators are reached.
pub async fn config() -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}
