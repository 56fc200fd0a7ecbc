//! A folder that goes with its owner.

use std::{
    fs, io,
    ops::Deref,
    path::{Path, PathBuf},
};

use uuid::Uuid;

/// A new folder among the system's temporary ones, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    is_kept: bool,
}

impl Scratch {
    /// Makes it; its name begins so.
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("{name}-{}", Uuid::new_v4()));
        fs::create_dir(&path)?;
        Ok(Self { path, is_kept: false })
    }

    /// Leaves it to whoever wants to look.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        self.path.clone()
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nobody is left to be told.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_its_owner_unless_it_is_kept() {
        let scratch = Scratch::new("scratch").unwrap();
        let path = scratch.to_owned();
        fs::write(scratch.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
        let kept = Scratch::new("scratch").unwrap().keep();
        assert!(kept.exists());
        fs::remove_dir_all(kept).unwrap();
    }
}
