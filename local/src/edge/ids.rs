//! Names API Gateway makes up: connection, request and message ids, trace ids.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An id as API Gateway writes them: 11 random bytes, base64 with the URL-safe letters and one `=` at the end.
///
/// The `=` is there to be percent-encoded, which a client that builds `@connections` paths by hand forgets.
pub(super) fn opaque() -> String {
    let random = Uuid::new_v4();
    let bytes = random.as_bytes();
    // Bytes 6 and 8 of a version 4 UUID hold its version and variant; the others are random throughout.
    let picked = [
        bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[7], bytes[9], bytes[10], bytes[11],
        bytes[12],
    ];
    URL_SAFE.encode(picked)
}

/// A trace id for a request that brought none.
pub(super) fn trace(now: DateTime<Utc>) -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{}", now.timestamp(), &random[..24])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_opaque_id_looks_like_api_gateways_and_never_repeats() {
        let ids: HashSet<String> = (0..1_000).map(|_| opaque()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.len() == 16 && id.ends_with('=') && !id.contains(['/', '+'])));
    }

    #[test]
    fn a_trace_id_has_the_time_and_96_random_bits() {
        let trace = trace(DateTime::from_timestamp(0x5e9f_0c65, 0).unwrap());
        assert!(trace.starts_with("Root=1-5e9f0c65-"));
        assert_eq!(trace.len(), "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c".len());
    }
}
