//! The environment of the functions' processes: everything in it that does not come from `template.yaml`.

use std::collections::BTreeMap;

use crate::{
    dialpad::{CLIENT_ID, CLIENT_SECRET},
    journal::Amount,
    settings::Settings,
    urls::PublicUrls,
};

/// Passed on to the functions as they are, when set.
///
/// The two AWS endpoints let another emulator serve in place of the embedded ones; the rest is what a program needs
/// to find its libraries, its temporary folder and its certificates, and what makes a panic readable.
const PASSED_ON: [&str; 9] = [
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "HOME",
    "LD_LIBRARY_PATH",
    "PATH",
    "RUST_BACKTRACE",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
];

/// What decides the overrides.
#[derive(Debug, Clone, Copy)]
pub struct Choices {
    /// Take deliveries without a signature.
    pub allow_unsigned: bool,
    /// The functions run behind another Invoke API.
    pub is_remote: bool,
    /// The server is for one test or measurement, which asks more than people do.
    pub is_ephemeral: bool,
}

/// The region of the local stack.
#[must_use]
pub fn region(settings: &Settings) -> String {
    settings.get("AWS_REGION").or(settings.get("AWS_DEFAULT_REGION")).unwrap_or("us-east-1").to_owned()
}

/// Whether `/internal` is open to everybody on this machine.
#[must_use]
pub fn is_internal_open(settings: &Settings) -> bool {
    settings.get("INTERNAL_API_SECRET").is_none()
}

/// The variables that have another value here than `template.yaml` gives them. This is the whole list.
#[must_use]
pub fn overrides(
    settings: &Settings,
    urls: &PublicUrls,
    database_url: &str,
    fake_dialpad: Option<&str>,
    choices: Choices,
) -> BTreeMap<String, String> {
    let secret = |name| settings.get(name).unwrap_or_default().to_owned();
    let mut overrides = BTreeMap::from([
        // In the cloud these come from a secret store, which is not there.
        ("DATABASE_URL", database_url.to_owned()),
        ("INTERNAL_API_SECRET", secret("INTERNAL_API_SECRET")),
        ("DIALPAD_WEBHOOK_SECRET", secret("DIALPAD_WEBHOOK_SECRET")),
        // Without a secret the operator's endpoints would refuse everybody; only loopback can reach them here.
        ("ALLOW_OPEN_INTERNAL", is_internal_open(settings).to_string()),
        // Off as in the cloud, so that a signature that does not match shows here first.
        ("ALLOW_UNSIGNED_WEBHOOKS", choices.allow_unsigned.to_string()),
        // A CRM's development server may have any origin.
        ("CORS_ALLOWED_ORIGINS", "*".to_owned()),
        // What the functions tell clients must be where they are reached.
        ("PUBLIC_HTTP_URL", urls.http.clone()),
        ("PUBLIC_WS_URL", urls.ws.clone()),
    ]);
    overrides.extend(dialpad(settings, fake_dialpad));
    if choices.is_remote {
        // `cargo lambda watch` runs one invocation at a time unless told otherwise, so a sweep is one pass there.
        overrides.insert("PROCESSOR_SWEEP_SECONDS", "0".to_owned());
    }
    if choices.is_ephemeral {
        overrides.insert("API_REQUESTS_PER_MINUTE", "0".to_owned());
        overrides.insert("INTERNAL_REQUESTS_PER_MINUTE", "0".to_owned());
    }
    overrides.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether a Dialpad is set that is not on this machine; else the fake one serves.
#[must_use]
pub fn has_dialpad(settings: &Settings) -> bool {
    ["DIALPAD_API_URL", "DIALPAD_CLIENT_ID"].iter().any(|name| settings.get(name).is_some())
}

/// Where Dialpad is, and as whom it is asked.
fn dialpad(settings: &Settings, fake: Option<&str>) -> Vec<(&'static str, String)> {
    /// Good enough for tokens that are worth nothing outside this machine; the data outlives the process.
    const KEY: &str = "local:bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk=";
    let key = settings.get("TOKEN_ENCRYPTION_KEY").unwrap_or(KEY).to_owned();
    let mut variables = vec![("TOKEN_ENCRYPTION_KEY", key)];
    if let Some(url) = fake {
        variables.extend([
            ("DIALPAD_API_URL", format!("{url}/api/v2")),
            ("DIALPAD_OAUTH_URL", format!("{url}/oauth2")),
            ("DIALPAD_CLIENT_ID", CLIENT_ID.to_owned()),
            ("DIALPAD_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ]);
    }
    let names = [
        "DIALPAD_API_URL",
        "DIALPAD_OAUTH_URL",
        "DIALPAD_CLIENT_ID",
        "DIALPAD_CLIENT_SECRET",
        "DIALPAD_SCOPES",
    ];
    variables.extend(names.into_iter().filter_map(|name| Some((name, settings.get(name)?.to_owned()))));
    variables
}

/// What every process gets beside its variables of `template.yaml`; nothing else of ours reaches it.
#[must_use]
pub fn base(settings: &Settings, urls: &PublicUrls, amount: Amount) -> BTreeMap<String, String> {
    let mut base: BTreeMap<String, String> = PASSED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), settings.get(name)?.to_owned())))
        .collect();
    // What nobody will see need not be written.
    let log = if amount == Amount::Quiet { "warn" } else { "info" };
    let log = settings.get("RUST_LOG").unwrap_or(log);
    let fixed = [
        ("AWS_REGION", region(settings).as_str()),
        ("AWS_DEFAULT_REGION", region(settings).as_str()),
        // No service here looks at them, but the SDK signs with something. They are never the user's own.
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", &urls.aws),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("RUST_LOG", log),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    base.extend(fixed);
    base
}
