//! Tells an app's operators why its sockets are refused: the client itself is told no more than a status.

use shared::{
    auth::ApiKey,
    store::{self, refusals},
    telemetry::Chain,
};
use tracing::warn;

use crate::{error::Error, sockets::Sockets};

/// Notes a refusal for the app that the presented text of a key names, if it names one.
pub(crate) async fn note(sockets: &Sockets, presented: Option<&str>, error: &Error) {
    let Some(reason) = error.of_a_key() else { return };
    let Some(key_id) = presented.and_then(ApiKey::id_in) else { return };
    let now = sockets.clock.now();
    if !sockets.noted.take(now) {
        return;
    }
    let write = async {
        let db = sockets.store.system().await?;
        db.commit_with(refusals::note(&*db, key_id, reason, now)).await
    };
    let written: store::Result<()> = write.await;
    if let Err(error) = written {
        // The handshake is refused in any case.
        warn!(component = "WebSocket", error = %Chain(&error), "could not note a refusal");
    }
}
