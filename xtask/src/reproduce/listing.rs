//! `--list`, and whether the data of an experiment is here.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use comfy_table::{ContentArrangement, Table, presets::ASCII_MARKDOWN};

use super::experiment::Experiment;

/// The data folder: `--data`, else the variable `RANK1_DATA`; made absolute because the runs start elsewhere.
pub(crate) fn data_folder(given: Option<&Path>, variable: Option<PathBuf>) -> Result<Option<PathBuf>> {
    let (path, origin) = match (given, variable) {
        (Some(path), _) => (path.to_owned(), "--data"),
        (None, Some(path)) if !path.as_os_str().is_empty() => (path, "RANK1_DATA"),
        _ => return Ok(None),
    };
    match path.canonicalize() {
        Ok(path) if path.is_dir() => Ok(Some(path)),
        _ => bail!("{origin} {} is not a folder", path.display()),
    }
}

/// Refuses an experiment whose sets are not here or have no reader, before anything is built.
pub(crate) fn require_data(experiment: &Experiment, data: Option<&Path>) -> Result<()> {
    let external = experiment.external_sets();
    let name = &experiment.name;
    if let Some(reason) = experiment.blocked() {
        bail!("experiment {name} cannot be run: {reason}");
    }
    let Some(folder) = data else {
        ensure!(
            external.is_empty(),
            "experiment {name} needs sets that are not part of the repository ({}): give --data DIR or set RANK1_DATA",
            external.join(", ")
        );
        return Ok(());
    };
    for (index, set) in external.iter().enumerate() {
        let files = Files::of(set);
        if !files.are_in(folder, set) {
            let others = &external[index..];
            let needing: Vec<&str> =
                others.iter().filter(|other| Files::of(other) == files).copied().collect();
            bail!(
                "{} holds no {}; experiment {name} needs it for {}",
                folder.display(),
                files.name(set),
                needing.join(", ")
            );
        }
    }
    Ok(())
}

/// What the reader of a set looks for, in the data folder or in the set's own folder below it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Files {
    /// One of these files or folders.
    Places(&'static [&'static str]),
    Uci,
}

impl Files {
    fn of(set: &str) -> Self {
        match set {
            "cifar10" => Self::Places(&[
                "cifar-10-binary.tar.gz",
                "cifar-10-python.tar.gz",
                "cifar-10-batches-bin",
                "cifar-10-batches-py",
            ]),
            "cifar100" => Self::Places(&[
                "cifar-100-binary.tar.gz",
                "cifar-100-python.tar.gz",
                "cifar-100-binary",
                "cifar-100-python",
            ]),
            "cifar10-jpeg" => Self::Places(&["cifar10-jpeg.tar.gz", "train"]),
            "physionet2012" => {
                Self::Places(&["set-a.tar.gz", "set-a.tgz", "set-a.tar", "set-a.tar.xz", "set-a"])
            }
            "imagenet" => Self::Places(&["ILSVRC2012_img_train.tar", "train"]),
            "mnist" | "fashion-mnist" => Self::Places(&[
                "train-images-idx3-ubyte.gz",
                "train-images-idx3-ubyte",
                "train-images.idx3-ubyte",
            ]),
            "diamonds" | "deliveries" | "flights" | "lending_club" | "mlc_churn" | "letter" => {
                Self::Places(&["tabular"])
            }
            "mimic3" => Self::Places(&["ADMISSIONS.csv.gz", "ADMISSIONS.csv"]),
            _ => Self::Uci,
        }
    }

    fn are_in(self, folder: &Path, set: &str) -> bool {
        match self {
            Self::Places(places) => [folder.to_owned(), folder.join(set)]
                .iter()
                .any(|folder| places.iter().any(|place| folder.join(place).exists())),
            Self::Uci => holds_uci(folder),
        }
    }

    fn name(self, set: &str) -> String {
        match self {
            Self::Places(places) => format!("`{}` or `{set}/{}`", places[0], places[0]),
            Self::Uci => "UCI archive or folder".to_owned(),
        }
    }
}

/// Either `uci/` with something in it, or the archive or its two folders directly.
fn holds_uci(folder: &Path) -> bool {
    let entries = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let direct = entries(folder);
    let archive = |name: &String| name.starts_with("uci") && name.contains(".tar");
    !entries(&folder.join("uci")).is_empty() || direct.iter().any(|name| name == "standard" || archive(name))
}

/// The table of `--list`.
pub(crate) fn list(experiments: &[Experiment], data: Option<&Path>) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Dynamic);
    // Lines are broken for a terminal only, not for a file.
    if let Some((width, _)) = terminal_size::terminal_size() {
        table.set_width(width.0);
    }
    table.set_header(["name", "what", "sets", "runs", "data", "cost"]);
    for experiment in experiments {
        let sets = experiment.blocks.iter().flat_map(|block| &block.sets).map(|set| set.name.as_str());
        let runs: usize = experiment
            .blocks
            .iter()
            .map(|block| {
                block.methods.iter().filter(|method| method.choose.is_empty()).count()
                    * block.sets.iter().map(|set| block.repetitions(set)).sum::<usize>()
            })
            .sum();
        let state = match require_data(experiment, data) {
            Ok(()) if experiment.external_sets().is_empty() => "embedded".to_owned(),
            Ok(()) => "found".to_owned(),
            Err(_) if experiment.blocked().is_some() => {
                format!("cannot run: {}", experiment.blocked().unwrap_or_default())
            }
            Err(_) => format!("missing: {}", experiment.external_sets().join(", ")),
        };
        let mut named = Vec::new();
        sets.for_each(|set| {
            if !named.contains(&set) {
                named.push(set)
            }
        });
        let sets = named.join(", ");
        let (name, summary, cost) = (&experiment.name, &experiment.summary, &experiment.cost);
        table.add_row([name, summary, &sets, &runs.to_string(), &state, cost]);
    }
    table
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reproduce::sample;

    #[test]
    fn the_option_wins_over_the_variable_and_both_must_be_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let found = data_folder(Some(dir.path()), Some("absent".into())).unwrap();
        assert_eq!(found, Some(path.clone()));
        assert_eq!(data_folder(None, Some(dir.path().to_owned())).unwrap(), Some(path));
        assert_eq!(data_folder(None, Some("".into())).unwrap(), None);
        assert_eq!(data_folder(None, None).unwrap(), None);
        let error = data_folder(Some(&dir.path().join("absent")), None).unwrap_err().to_string();
        assert!(error.starts_with("--data ") && error.ends_with("absent is not a folder"), "{error}");
        let error = data_folder(None, Some("absent".into())).unwrap_err().to_string();
        assert_eq!(error, "RANK1_DATA absent is not a folder");
    }

    #[test]
    fn external_sets_need_a_folder_that_holds_them() {
        let (_dir, mut experiment) = sample::experiment();
        assert!(require_data(&experiment, None).is_ok());
        experiment.blocks[1].sets[0].embedded = false;
        let error = require_data(&experiment, None).unwrap_err().to_string();
        assert!(error.contains("(boston): give --data DIR"), "{error}");
        let data = tempfile::tempdir().unwrap();
        let error = require_data(&experiment, Some(data.path())).unwrap_err().to_string();
        assert!(error.contains("holds no UCI archive or folder"), "{error}");
        for layout in ["uci/uci_regression_splits.tar.xz", "uci/standard/x", "standard/x", "uci.tar"] {
            let data = tempfile::tempdir().unwrap();
            let path = data.path().join(layout);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
            assert!(require_data(&experiment, Some(data.path())).is_ok(), "{layout}");
        }
    }

    #[test]
    fn image_and_clinical_sets_are_found_in_the_folder_or_in_their_own() {
        let (_dir, mut experiment) = sample::experiment();
        experiment.blocks[1].sets[0].embedded = false;
        for (set, place) in [
            ("cifar10-jpeg", "cifar10-jpeg/cifar10-jpeg.tar.gz"),
            ("physionet2012", "physionet2012/set-a.tar.gz"),
            ("physionet2012", "set-a.tar.gz"),
            ("mimic3", "mimic3/ADMISSIONS.csv.gz"),
            ("imagenet", "imagenet/train"),
            ("cifar10", "cifar-10-python.tar.gz"),
            ("cifar100", "cifar100/cifar-100-binary.tar.gz"),
        ] {
            experiment.blocks[1].sets[0].name = set.to_owned();
            let data = tempfile::tempdir().unwrap();
            // Another set's files do not count.
            std::fs::create_dir_all(data.path().join("uci/standard")).unwrap();
            let error = require_data(&experiment, Some(data.path())).unwrap_err().to_string();
            assert!(error.contains("holds no `") && error.ends_with(&format!("for {set}")), "{error}");
            let path = data.path().join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
            assert!(require_data(&experiment, Some(data.path())).is_ok(), "{set} {place}");
        }
    }

    #[test]
    fn a_set_without_a_reader_is_refused_and_listed_with_the_reason_wherever_its_files_are() {
        let (_dir, mut experiment) = sample::experiment();
        experiment.blocks[0].sets[0].blocked = Some("no reader".to_owned());
        let error = require_data(&experiment, None).unwrap_err().to_string();
        assert_eq!(error, "experiment sample cannot be run: no reader");
        assert!(list(&[experiment], None).to_string().contains("cannot run: no reader"));
    }

    #[test]
    fn a_set_of_several_blocks_is_listed_once() {
        let (_dir, mut experiment) = sample::experiment();
        experiment.blocks[1].sets[0].name = experiment.blocks[0].sets[0].name.clone();
        let name = experiment.blocks[0].sets[0].name.clone();
        let text = list(&[experiment], None).to_string();
        assert_eq!(text.matches(&name).count(), 1, "{text}");
    }

    #[test]
    fn the_list_counts_runs_and_says_where_the_data_is() {
        let (_dir, mut experiment) = sample::experiment();
        let text = list(std::slice::from_ref(&experiment), None).to_string();
        assert!(text.contains("sample") && text.contains("12") && text.contains("embedded"), "{text}");
        experiment.blocks[1].sets[0].embedded = false;
        assert!(list(&[experiment], None).to_string().contains("missing: boston"));
    }
}
