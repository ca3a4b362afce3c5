//! A small file system in memory, or a folder seen read-only; none where mounting is not permitted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// A mounted file system; unmounted when dropped.
#[derive(Debug)]
pub(super) struct Mount(PathBuf);

impl Mount {
    /// A tmpfs of so many bytes.
    pub(super) fn small(at: &Path, bytes: u64) -> Result<Option<Self>> {
        Self::with(at, &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
    }

    /// What is in `folder`, read-only.
    pub(super) fn read_only(folder: &Path, at: &Path) -> Result<Option<Self>> {
        let name = folder.display().to_string();
        let Some(mount) = Self::with(at, &["--bind", &name])? else { return Ok(None) };
        mount.remount("bind,ro")?;
        Ok(Some(mount))
    }

    fn with(at: &Path, words: &[&str]) -> Result<Option<Self>> {
        std::fs::create_dir_all(at).with_context(|| format!("cannot create {}", at.display()))?;
        let mut command = Command::new("mount");
        let done = command.args(words).arg(at).stdin(Stdio::null()).output();
        Ok(done.is_ok_and(|done| done.status.success()).then(|| Self(at.into())))
    }

    /// Gives a tmpfs another size.
    pub(super) fn resize(&self, bytes: u64) -> Result<()> {
        self.remount(&format!("size={bytes}"))
    }

    fn remount(&self, options: &str) -> Result<()> {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).output().context("mount")?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "cannot remount {}: {}", self.0.display(), said.trim());
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
