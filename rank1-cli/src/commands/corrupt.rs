//! `rank1 data corrupt`: the corrupted test images of a set as files.

use anyhow::{Result, bail};
use rank1_data::{Corruption, CorruptionKind, InputLayout, LoadOptions, load};

use crate::args::CorruptArgs;
use crate::corrupted_set::CorruptedSet;
use crate::progress::CountedProgress;
use crate::tables;

/// Corrupts and writes, one file per corruption.
///
/// # Errors
/// A set without images, files that are there already or cannot be written.
pub fn run(args: &CorruptArgs) -> Result<()> {
    let mut severities = args.severities.clone();
    if severities.is_empty() {
        severities.extend(1..=Corruption::SEVERITIES);
    }
    severities.sort_unstable();
    severities.dedup();
    let mut kinds = args.corruptions.clone();
    if kinds.is_empty() {
        kinds.extend(CorruptionKind::all());
    }
    kinds.sort_unstable();
    kinds.dedup();
    let dataset = load(&args.set, &LoadOptions { root: args.data.clone(), ..LoadOptions::default() })?;
    let InputLayout::Image { height, width, channels } = dataset.layout else {
        bail!("{}: corruptions are made of images, its inputs are none", args.set);
    };
    let set = CorruptedSet::new(&dataset.test, (height, width, channels), severities, args.seed)?;
    set.open(&args.out, &kinds)?;
    let progress = CountedProgress::new(kinds.len(), "corruptions", false);
    for &kind in &kinds {
        set.write(&args.out, kind, |severity| {
            progress.begin(format!("{}, severity {severity}", kind.name()))
        })?;
        progress.done();
    }
    progress.clear();
    tables::note(&format!(
        "{} corruptions of {} images at severities {:?}: {}",
        kinds.len(),
        dataset.test.len(),
        set.severities(),
        args.out.display()
    ));
    Ok(())
}
