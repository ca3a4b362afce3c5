//! The digest by which documents beside a checkpoint are bound to their model.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rank1_models::recipe::hex;
use sha2::{Digest, Sha256};

use crate::model::checkpoint_folder;

/// What tells one trained model from another: the SHA-256 of its document and of the manifests of its networks, which have
/// those of their tensors.
///
/// # Errors
/// A checkpoint that cannot be read.
pub fn model_digest(run: &Path) -> Result<String> {
    let root = checkpoint_folder(run);
    let unreadable = || format!("cannot read {}", root.display());
    let mut files = vec![root.join("model.json")];
    for entry in fs::read_dir(&root).with_context(unreadable)? {
        let manifest = entry.with_context(unreadable)?.path().join("manifest.json");
        files.extend(manifest.is_file().then_some(manifest));
    }
    files.sort();
    let mut sum = Sha256::new();
    for file in files {
        sum.update(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(hex(&sum.finalize()))
}
