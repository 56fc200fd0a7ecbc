//! Sockets outlive what they were opened with: the sweep has them closed.

use shared::{
    domain::{
        ids::{AppId, by_app},
        socket::CloseReason,
    },
    queue::{Close, PushMessage},
    store::closings,
    telemetry::Chain,
};
use tracing::{info, warn};

use crate::{error::Error, worker::Processor};

/// Has the sockets closed whose key was revoked or expired, or whose app was switched off, since the last look.
pub(crate) async fn close_sockets(processor: &Processor) -> Result<(), Error> {
    let now = processor.clock.now();
    let (keys, apps) = {
        let db = processor.store.system().await?;
        (closings::of_dead_keys(&*db, now).await?, closings::of_inactive_apps(&*db).await?)
    };
    for (app_id, key_ids) in by_app(keys) {
        let close = Close { key_ids: Some(key_ids.clone()), reason: CloseReason::KeyRevoked };
        if ask(processor, app_id, close).await {
            let db = processor.store.app(app_id).await?;
            db.commit_with(closings::mark_keys(&*db, app_id, &key_ids, now)).await?;
        }
    }
    for app_id in apps {
        if ask(processor, app_id, Close { key_ids: None, reason: CloseReason::AppInactive }).await {
            let db = processor.store.app(app_id).await?;
            db.commit_with(closings::mark_app(&*db, app_id, now)).await?;
        }
    }
    Ok(())
}

/// Asks the broadcaster, and says whether the queue took it; else the next look asks again.
async fn ask(processor: &Processor, app_id: AppId, close: Close) -> bool {
    let reason = close.reason;
    match processor.queues.pushes.send(&PushMessage::close(app_id, close)).await {
        Ok(()) => {
            info!(component = "APIKey", %app_id, reason = reason.as_str(), "closing sockets");
            true
        }
        Err(error) => {
            warn!(component = "APIKey", %app_id, error = %Chain(&error), "push queue away, sockets stay open for now");
            false
        }
    }
}
