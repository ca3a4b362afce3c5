//! One door for every named set: a name and where to look give a [`Dataset`] or an [`OodSet`].
//!
//! Not for a user's own table; see [`crate::load_table`].

use std::fs;

use crate::catalogue::{self, Role};
use crate::{Dataset, Error, LoadOptions, OodSet, UciSet, image, load_physionet2012, mnist};

/// Loads a benchmark set by name.
///
/// `mnist10k` is always the embedded one. The five embedded UCI sets are read from `root` when it holds UCI sets,
/// otherwise from the embedded archive; [`Dataset::provenance`] says which. `physionet2012` is trained on its set a and
/// tested on set b; `physionet2012-c` is tested on set c, and so on for every letter.
///
/// # Errors
/// [`Error::UnknownSet`] with the nearest name, [`Error::SplitOutOfRange`] (also for gap splits of image sets),
/// [`Error::RootNeeded`], [`Error::SetNotFound`], [`Error::Io`] for a `root` that does not exist, and the errors of
/// the readers.
///
/// ```
/// use rank1_data::{LoadOptions, load};
/// let set = load("concrete", &LoadOptions { split: 3, ..LoadOptions::default() })?;
/// assert_eq!((set.train.len(), set.test.len(), set.n_features()), (927, 103, 8));
/// # Ok::<(), rank1_data::Error>(())
/// ```
pub fn load(name: &str, options: &LoadOptions) -> Result<Dataset, Error> {
    let (name, test_set) = match name.strip_prefix("physionet2012-").map(str::as_bytes) {
        Some(&[letter]) => ("physionet2012", char::from(letter)),
        _ => (name, 'b'),
    };
    let info = catalogue::benchmark(name)?;
    let root = options.root.as_deref();
    if let Some(root) = root {
        fs::metadata(root).map_err(Error::io(root))?;
    }
    if info.is_uci() {
        return UciSet::open(name, root)?.split(options.split, options.gap);
    }
    let available = if options.gap { info.gap_splits } else { info.splits };
    if options.split >= available {
        let kind = if options.gap { "gap" } else { "standard" };
        return Err(Error::SplitOutOfRange { set: info.name, kind, split: options.split, available });
    }
    if info.name == "physionet2012" {
        let looked_for = "set-a.tar.gz, set-b.tar.gz and their Outcomes files";
        let root = root.ok_or(Error::RootNeeded { set: info.name, looked_for })?;
        return Ok(load_physionet2012(root, 'a', test_set)?.0);
    }
    if image::sets::has(info.name) {
        return image::sets::load(info.name, root);
    }
    if info.embedded {
        return mnist::mnist10k();
    }
    let looked_for = "its four IDX files, `train-images-idx3-ubyte` and others";
    let root = root.ok_or(Error::RootNeeded { set: info.name, looked_for })?;
    if info.name == "fashion-mnist" { mnist::fashion_mnist(root) } else { mnist::mnist(root) }
}

/// Loads an out-of-distribution set by name (`glyphs`).
///
/// # Errors
/// [`Error::UnknownSet`] with the nearest name.
///
/// ```
/// let letters = rank1_data::load_ood("glyphs")?;
/// assert_eq!(letters.split.inputs.dim(), (9_840, 784));
/// # Ok::<(), rank1_data::Error>(())
/// ```
pub fn load_ood(name: &str) -> Result<OodSet, Error> {
    catalogue::find(name, |info| info.role == Role::OutOfDistribution)?;
    mnist::glyphs()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn gap_and_split_numbers_that_do_not_exist_are_refused() {
        let gap = LoadOptions { gap: true, ..LoadOptions::default() };
        assert!(matches!(
            load("mnist10k", &gap),
            Err(Error::SplitOutOfRange { kind: "gap", available: 0, .. })
        ));
        let second = LoadOptions { split: 1, ..LoadOptions::default() };
        assert!(matches!(load("mnist10k", &second), Err(Error::SplitOutOfRange { available: 1, .. })));
    }

    #[test]
    fn unknown_names_get_a_hint_and_benchmarks_are_not_ood_sets() {
        let got = load("minst", &LoadOptions::default()).unwrap_err().to_string();
        assert!(
            got.starts_with("unknown data set `minst` (did you mean `mnist`?); known: mnist10k, mnist,"),
            "{got}"
        );
        assert!(matches!(load_ood("mnist10k"), Err(Error::UnknownSet { .. })));
        assert!(matches!(load("glyphs", &LoadOptions::default()), Err(Error::UnknownSet { .. })));
    }

    #[test]
    fn a_set_that_is_not_embedded_asks_for_its_folder() {
        let got = load("mnist", &LoadOptions::default()).unwrap_err();
        assert!(matches!(got, Error::RootNeeded { set: "mnist", .. }), "{got}");
        let empty = tempfile::tempdir().unwrap();
        let options = LoadOptions { root: Some(empty.path().into()), ..LoadOptions::default() };
        assert!(matches!(load("mnist", &options), Err(Error::SetNotFound { set: "mnist", .. })));
        let options = LoadOptions { root: Some(empty.path().join("absent")), ..LoadOptions::default() };
        assert!(matches!(load("mnist10k", &options), Err(Error::Io { .. })));
    }
}
