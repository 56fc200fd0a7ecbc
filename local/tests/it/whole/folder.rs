//! A folder of a test's own.

use std::path::PathBuf;

/// The folder, which is removed with this value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// A path that no other test uses; nothing is made there yet.
    pub(crate) fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("local-it-{name}-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // One that was never made need not be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
