//! The runs of an experiment: which recipe, set, split and seed, in which folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::experiment::{Block, Experiment, Method, Set};

/// One `rank1 train` process.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    /// Index of the block in the experiment.
    pub(crate) block: usize,
    pub(crate) set: String,
    pub(crate) method: String,
    pub(crate) seed: usize,
    pub(crate) split: Option<usize>,
    /// Run folder below the output folder.
    pub(crate) folder: PathBuf,
    /// Recipe below the root of the workspace.
    recipe: PathBuf,
    /// `key=value` in the order in which they are given.
    settings: Vec<String>,
    /// Expected time in arbitrary units.
    pub(crate) weight: f64,
    /// Fingerprint of everything that decides the numbers but the program and the data.
    key: String,
}

/// All runs, the longest first: the last ones to finish are then short, and no core idles for long.
pub(crate) fn jobs(root: &Path, experiment: &Experiment) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (index, block) in experiment.blocks.iter().enumerate() {
        for method in block.methods.iter().filter(|method| method.choose.is_empty()) {
            let recipe = Path::new("recipes").join(&method.recipe);
            let text = std::fs::read_to_string(root.join(&recipe))
                .with_context(|| format!("cannot read the recipe {}", recipe.display()))?;
            for set in &block.sets {
                let repetitions = 0..block.repetitions(set);
                jobs.extend(repetitions.map(|number| job(index, block, method, set, number, &recipe, &text)));
            }
        }
    }
    jobs.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    Ok(jobs)
}

fn job(
    index: usize,
    block: &Block,
    method: &Method,
    set: &Set,
    number: usize,
    recipe: &Path,
    recipe_text: &str,
) -> Job {
    let split = set.splits.map(|_| number);
    let mut settings = vec![format!("data.set=\"{}\"", set.name)];
    settings.extend(split.map(|split| format!("data.split={split}")));
    settings.extend(block.gap.then(|| "data.gap=true".to_owned()));
    let of_set = set.settings.iter().filter(|(key, _)| !method.settings.contains_key(*key));
    let of_block = block.settings.iter().filter(|(key, _)| !set.settings.contains_key(*key));
    let of_block = of_block.filter(|(key, _)| !method.settings.contains_key(*key));
    let all = of_block.chain(of_set).chain(&method.settings);
    settings.extend(all.map(|(key, value)| format!("{key}={value}")));
    // On published splits every split has its own seed too, so that initial values do not repeat.
    let leaf = if split.is_some() { format!("split-{number:02}") } else { format!("seed-{number}") };
    let key = fingerprint(&[recipe_text, &format!("{number}"), &settings.join("\n")]);
    Job {
        block: index,
        set: set.name.clone(),
        method: method.name.clone(),
        seed: number,
        split,
        folder: ["runs", &block.name, &set.name, &method.name, &leaf].iter().collect(),
        recipe: recipe.to_owned(),
        settings,
        // A recipe that fixes its steps takes as long on a small set as on a large one.
        weight: if in_steps(recipe_text) { method.cost } else { method.cost * set.rows as f64 },
        key,
    }
}

fn in_steps(recipe_text: &str) -> bool {
    let recipe = recipe_text.parse::<toml::Table>().unwrap_or_default();
    recipe.get("train").and_then(|train| train.get("steps")).is_some()
}

impl Job {
    /// The words after `rank1`.
    pub(crate) fn arguments(&self, out: &Path, data: Option<&Path>) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["train".into(), self.recipe.clone().into()];
        words.extend(["--out".into(), out.join(&self.folder).into_os_string()]);
        words.extend(["--seed".into(), self.seed.to_string().into()]);
        if let Some(data) = data {
            words.extend(["--data".into(), data.into()]);
        }
        for setting in &self.settings {
            words.extend(["--set".into(), setting.into()]);
        }
        words.extend(["--quiet", "--threads", "1"].map(OsString::from));
        words
    }

    /// "boston rank1_gaussian split 3".
    pub(crate) fn title(&self) -> String {
        let repetition = self.split.map_or(format!("seed {}", self.seed), |split| format!("split {split}"));
        format!("{} {} {repetition}", self.set, self.method)
    }

    /// Notes beside the run folder that the run in it is finished and what it was.
    pub(crate) fn stamp(&self, out: &Path, program: &str) -> std::io::Result<()> {
        std::fs::write(self.stamp_path(out), format!("{}\n{program}\n", self.key))
    }

    /// The fingerprint of the program that finished this very job in `out`, if one did.
    pub(crate) fn finished_by(&self, out: &Path) -> Option<String> {
        let text = std::fs::read_to_string(self.stamp_path(out)).ok()?;
        let (key, program) = text.split_once('\n')?;
        (key == self.key).then(|| program.trim().to_owned())
    }

    /// Notes beside the run folder why this very job failed, for parts that are put together elsewhere.
    pub(crate) fn note_failure(&self, out: &Path, reason: &str) -> std::io::Result<()> {
        std::fs::write(self.failure_path(out), format!("{}\n{reason}", self.key))
    }

    /// Why this very job failed in `out`, if it did.
    pub(crate) fn failure(&self, out: &Path) -> Option<String> {
        let text = std::fs::read_to_string(self.failure_path(out)).ok()?;
        let (key, reason) = text.split_once('\n')?;
        (key == self.key).then(|| reason.to_owned())
    }

    /// Copies a finished run from another output folder; what says that it is finished comes last.
    pub(crate) fn copy(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        copy_folder(&from.join(&self.folder), &to.join(&self.folder))?;
        std::fs::copy(self.stamp_path(from), self.stamp_path(to)).map(|_| ())
    }

    /// Removes what an interrupted or different run left in this job's folder.
    pub(crate) fn clear(&self, out: &Path) -> std::io::Result<()> {
        for gone in [
            std::fs::remove_file(self.stamp_path(out)),
            std::fs::remove_file(self.failure_path(out)),
            std::fs::remove_dir_all(out.join(&self.folder)),
        ] {
            match gone {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let parent = self.stamp_path(out).parent().map(Path::to_owned).unwrap_or_default();
        std::fs::create_dir_all(parent)
    }

    fn stamp_path(&self, out: &Path) -> PathBuf {
        out.join(self.folder.with_added_extension("done"))
    }

    fn failure_path(&self, out: &Path) -> PathBuf {
        out.join(self.folder.with_added_extension("failed"))
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// FNV-1a over the parts: tells recipes apart, no protection against intent.
pub(crate) fn fingerprint<T: AsRef<[u8]>>(parts: &[T]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        let part = part.as_ref();
        let length = (part.len() as u64).to_le_bytes();
        for byte in length.iter().chain(part) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reproduce::sample;

    #[test]
    fn every_method_set_and_repetition_is_run_once_the_longest_first() {
        let (dir, experiment) = sample::experiment();
        let jobs = jobs(dir.path(), &experiment).unwrap();
        let mut folders: Vec<String> = jobs.iter().map(|job| job.folder.display().to_string()).collect();
        assert_eq!(jobs.len(), 2 * 2 + 2 * 2 * 2);
        assert!(jobs.windows(2).all(|pair| pair[0].weight >= pair[1].weight));
        folders.sort();
        folders.dedup();
        assert_eq!(folders.len(), jobs.len());
        assert!(folders.contains(&"runs/digits/mnist10k/good/seed-1".to_owned()), "{folders:?}");
        assert!(folders.contains(&"runs/tables/yacht/other/split-00".to_owned()), "{folders:?}");
    }

    #[test]
    fn the_command_line_is_the_documented_one() {
        let (dir, experiment) = sample::experiment();
        let jobs = jobs(dir.path(), &experiment).unwrap();
        let line = |folder: &str, data: Option<&Path>| {
            let job = jobs.iter().find(|job| job.folder == Path::new(folder)).unwrap();
            let words = job.arguments(Path::new("o"), data);
            words.iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        let expected = "train recipes/uci/good.toml --out o/runs/tables/boston/good/split-01 --seed 1 --data d \
                        --set data.set=\"boston\" --set data.split=1 --quiet --threads 1";
        assert_eq!(line("runs/tables/boston/good/split-01", Some(Path::new("d"))), expected);
        let expected = "train recipes/digits/good.toml --out o/runs/digits/mnist10k/good/seed-0 --seed 0 \
                        --set data.set=\"mnist10k\" --set evaluate.shifts=[\"rotation:30\"] --quiet --threads 1";
        assert_eq!(line("runs/digits/mnist10k/good/seed-0", None), expected);
    }

    #[test]
    fn settings_of_a_set_and_a_method_replace_those_of_the_block_and_reach_no_other() {
        let (dir, mut experiment) = sample::experiment();
        let none = toml::Value::Array(Vec::new());
        let prior = toml::Value::Table("family = \"normal\"\nstd = 0.3".parse().unwrap());
        let own = [("method.prior", prior), ("evaluate.shifts", none)];
        experiment.blocks[0].methods[0].settings.extend(own.map(|(key, value)| (key.to_owned(), value)));
        let jobs = jobs(dir.path(), &experiment).unwrap();
        let settings = |method: &str| {
            let job = jobs.iter().find(|job| job.block == 0 && job.method == method).unwrap();
            job.settings.join(" ")
        };
        // A table is written on one line, as `--set` reads it.
        let expected =
            "data.set=\"mnist10k\" evaluate.shifts=[] method.prior={ family = \"normal\", std = 0.3 }";
        assert_eq!(settings("good"), expected);
        assert_eq!(settings("other"), "data.set=\"mnist10k\" evaluate.shifts=[\"rotation:30\"]");
        let of_set = [("method.prior", 1.into()), ("evaluate.shifts", 2.into())];
        let set = &mut experiment.blocks[0].sets[0];
        set.settings.extend(of_set.map(|(key, value): (_, toml::Value)| (key.to_owned(), value)));
        let jobs = self::jobs(dir.path(), &experiment).unwrap();
        let settings = |method: &str| {
            let job = jobs.iter().find(|job| job.block == 0 && job.method == method).unwrap();
            job.settings.join(" ")
        };
        assert_eq!(settings("good"), expected);
        assert_eq!(settings("other"), "data.set=\"mnist10k\" evaluate.shifts=2 method.prior=1");
    }

    #[test]
    fn a_finished_job_is_known_until_its_recipe_or_settings_change() {
        let (dir, mut experiment) = sample::experiment();
        let out = tempfile::tempdir().unwrap();
        let first = |experiment: &Experiment| {
            let jobs = jobs(dir.path(), experiment).unwrap();
            jobs.into_iter().find(|job| job.folder.ends_with("digits/mnist10k/good/seed-1")).unwrap()
        };
        let job = first(&experiment);
        assert_eq!(job.finished_by(out.path()), None);
        job.clear(out.path()).unwrap();
        job.stamp(out.path(), "abc").unwrap();
        assert_eq!(first(&experiment).finished_by(out.path()).as_deref(), Some("abc"));
        experiment.blocks[0].settings.insert("train.epochs".into(), toml::Value::Integer(2));
        assert_eq!(first(&experiment).finished_by(out.path()), None);
        experiment.blocks[0].settings.remove("train.epochs");
        std::fs::write(dir.path().join("recipes/digits/good.toml"), "name = \"changed\"").unwrap();
        assert_eq!(first(&experiment).finished_by(out.path()), None);
    }

    #[test]
    fn clearing_removes_what_an_interrupted_run_left() {
        let (dir, experiment) = sample::experiment();
        let out = tempfile::tempdir().unwrap();
        let job = jobs(dir.path(), &experiment).unwrap().remove(0);
        let run = out.path().join(&job.folder);
        std::fs::create_dir_all(run.join("checkpoint")).unwrap();
        job.stamp(out.path(), "abc").unwrap();
        job.clear(out.path()).unwrap();
        assert!(!run.exists() && job.finished_by(out.path()).is_none());
        assert!(run.parent().unwrap().is_dir());
    }

    #[test]
    fn a_missing_recipe_is_named() {
        let (dir, experiment) = sample::experiment();
        std::fs::remove_file(dir.path().join("recipes/uci/other.toml")).unwrap();
        let error = jobs(dir.path(), &experiment).unwrap_err().to_string();
        assert_eq!(error, "cannot read the recipe recipes/uci/other.toml");
    }

    #[test]
    fn fingerprints_depend_on_where_one_part_ends() {
        assert_eq!(fingerprint(&["ab", "c"]), fingerprint(&["ab", "c"]));
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
