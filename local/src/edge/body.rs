//! Reading a request's body up to a limit.

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;

/// How many times the limit is still read and thrown away, so that the client hears the answer instead of a reset.
const DRAINED_LIMITS: usize = 4;

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It has more bytes than allowed.
    TooLarge,
    /// The client broke off, or its framing is wrong.
    Broken,
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Unreadable> {
    let mut chunks = body.into_data_stream();
    let mut seen = 0;
    let mut first = Bytes::new();
    let mut collected = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_cut| Unreadable::Broken)?;
        seen += chunk.len();
        if seen > limit.saturating_mul(DRAINED_LIMITS) {
            break;
        }
        if seen > limit {
            collected = Vec::new();
        } else if seen == chunk.len() {
            first = chunk;
        } else {
            if collected.is_empty() {
                collected.extend_from_slice(&first);
            }
            collected.extend_from_slice(&chunk);
        }
    }
    if seen > limit {
        return Err(Unreadable::TooLarge);
    }
    Ok(if collected.is_empty() { first } else { Bytes::from(collected) })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    fn chunked(chunks: &[&'static str]) -> Body {
        let chunks: Vec<_> =
            chunks.iter().map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes()))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn chunks_are_joined_up_to_the_limit() {
        assert_eq!(read(chunked(&[]), 6).await, Ok(Bytes::new()));
        assert_eq!(read(chunked(&["abc"]), 6).await, Ok(Bytes::from_static(b"abc")));
        assert_eq!(read(chunked(&["ab", "", "cd", "ef"]), 6).await, Ok(Bytes::from_static(b"abcdef")));
        assert_eq!(read(chunked(&["", "ab", "cd"]), 6).await, Ok(Bytes::from_static(b"abcd")));
        assert_eq!(read(chunked(&["abc", "def", "g"]), 6).await, Err(Unreadable::TooLarge));
        assert_eq!(read(chunked(&["abc", "def", "g", "h"]), 6).await, Err(Unreadable::TooLarge));
    }
}
