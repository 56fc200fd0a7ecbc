//! What HTTP and WebSocket events have in common.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, Query};
use axum::http::header::{CONNECTION, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Uri};
use chrono::{DateTime, Utc};

use super::ids;

/// Says which trace a request belongs to.
pub(super) const TRACE_HEADER: &str = "x-amzn-trace-id";

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PORT: &str = "x-forwarded-port";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// What stands between `//` and the path of an address.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_scheme, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// The name the client called the edge by.
pub(super) fn domain(headers: &HeaderMap, otherwise: &str) -> String {
    text(headers, &HOST).unwrap_or(otherwise).to_owned()
}

/// The address of the client.
pub(super) fn source_ip(request: &Parts) -> IpAddr {
    request
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip().to_canonical())
}

/// What the client calls itself, or an empty text.
pub(super) fn user_agent(headers: &HeaderMap) -> String {
    text(headers, &USER_AGENT).unwrap_or_default().to_owned()
}

/// A time as API Gateway logs it: `12/Mar/2020:19:03:58 +0000`.
pub(super) fn request_time(time: DateTime<Utc>) -> String {
    time.format("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// The decoded parameters of a query, in their order.
pub(super) fn query(uri: &Uri) -> Vec<(String, String)> {
    Query::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default()
}

/// The headers a function is shown, in their order: without those of the connection itself, with those a proxy adds.
///
/// Names are lower case, as HTTP APIs write them.
pub(super) fn forwarded_headers(request: &Parts, domain: &str, now: DateTime<Utc>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::with_capacity(request.headers.len() + 4);
    let mut hops = Vec::new();
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match name.as_str() {
            FORWARDED_FOR => hops.push(value),
            FORWARDED_PORT | FORWARDED_PROTO => {}
            _ if is_of_the_connection(name) => {}
            name => headers.push((name.to_owned(), value)),
        }
    }
    hops.push(source_ip(request).to_string());
    headers.push((FORWARDED_FOR.to_owned(), hops.join(", ")));
    let port = domain.rsplit_once(':').map_or("80", |(_host, port)| port);
    headers.push((FORWARDED_PORT.to_owned(), port.to_owned()));
    headers.push((FORWARDED_PROTO.to_owned(), "http".to_owned()));
    if !request.headers.contains_key(TRACE_HEADER) {
        headers.push((TRACE_HEADER.to_owned(), ids::trace(now)));
    }
    headers
}

/// Whether a header is about one hop and so never travels on.
pub(super) fn is_of_the_connection(name: &HeaderName) -> bool {
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || ["expect", "keep-alive", "proxy-connection"].contains(&name.as_str())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_of_an_address_is_host_and_port() {
        assert_eq!(authority("http://localhost:4000"), "localhost:4000");
        assert_eq!(authority("ws://localhost:4000/ws"), "localhost:4000");
        assert_eq!(authority("localhost"), "localhost");
    }

    #[test]
    fn a_request_time_is_written_like_an_access_log() {
        let time = DateTime::from_timestamp(1_707_503_008, 0).unwrap();
        assert_eq!(request_time(time), "09/Feb/2024:18:23:28 +0000");
    }
}
