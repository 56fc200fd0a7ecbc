//! The AWS SDK's settings: credentials and region from the environment, TLS by rustls with ring.
//!
//! The SDK's default features would add a second HTTP and TLS stack, so the client is built here.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use crate::config::Env;

/// The five roots of Amazon Trust Services, which sign for the services of AWS, and which it says a trust store of one's own
/// should have (<https://www.amazontrust.com/repository/>).
const AMAZON_TRUST: &str = include_str!("amazon_trust.pem");

/// Reads the settings, once, at start. `AWS_ENDPOINT_URL` and its per-service forms are honoured, which is how the local
/// server and other emulators are reached.
pub async fn config(env: &Env) -> SdkConfig {
    let region = env.optional("AWS_REGION").unwrap_or_default();
    // A context is always complete; were it not, what the machine trusts would be trusted.
    let tls = TlsContext::builder().with_trust_store(trusted_in(region)).build().unwrap_or_default();
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}

/// Whom a function trusts to be AWS. To read all that its machine trusts, a few hundred files, takes longer than all else
/// that a cold start does. The regions in China are another company's, of whose roots nothing is said.
fn trusted_in(region: &str) -> TrustStore {
    if region.starts_with("cn-") {
        TrustStore::default()
    } else {
        TrustStore::empty().with_pem_certificate(AMAZON_TRUST)
    }
}

#[cfg(test)]
mod tests {
    /// Mozilla's list is here for the database; what the file has is looked up in it.
    #[cfg(feature = "store")]
    #[test]
    fn the_roots_are_the_five_of_amazon_and_mozilla_has_each() {
        use rustls::{
            RootCertStore,
            pki_types::{CertificateDer, pem::PemObject as _},
        };

        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(super::AMAZON_TRUST.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let owner = |name: &str| {
            let is_named = |subject: &[u8]| String::from_utf8_lossy(subject).contains(name);
            roots.roots.iter().filter(|root| is_named(&root.subject)).count()
        };
        assert_eq!(
            (owner("Amazon Root CA "), owner("Starfield Services Root Certificate Authority - G2")),
            (4, 1)
        );
        assert_eq!(roots.len(), 5);
        for root in &roots.roots {
            assert!(webpki_roots::TLS_SERVER_ROOTS.contains(root), "{root:?}");
        }
    }
}
