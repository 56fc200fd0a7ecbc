//! Which connections are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;

/// The open connections by id. The lock is held for one map operation, never while anything is awaited.
#[derive(Default)]
pub(super) struct Connections {
    open: Mutex<HashMap<String, Arc<Connection>>>,
}

impl Connections {
    pub(super) fn insert(&self, connection: Arc<Connection>) {
        self.lock().insert(connection.id.clone(), connection);
    }

    /// Takes a connection out; `None` when it was out already.
    pub(super) fn remove(&self, id: &str) -> Option<Arc<Connection>> {
        self.lock().remove(id)
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Connection>> {
        self.lock().get(id).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Connection>>> {
        // A map operation cannot stop half-way, so what a panic elsewhere left behind is whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
