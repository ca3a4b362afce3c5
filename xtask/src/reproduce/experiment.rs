//! Experiments as data: `recipes/experiments/NAME.toml`.
//!
//! An experiment is a list of blocks; a block trains every method on every set and becomes one kind of table. What a
//! method is stays in its recipe.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use toml::{Table, Value};

use super::question::Question;
use crate::args::ReproduceOptions;

/// One file of `recipes/experiments`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    /// The name of the file.
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) title: String,
    /// One line for `--list`.
    pub(crate) summary: String,
    /// What it takes, in words.
    pub(crate) cost: String,
    #[serde(rename = "block")]
    pub(crate) blocks: Vec<Block>,
    /// What the runs are to decide, with the rule.
    #[serde(default, rename = "question")]
    pub(crate) questions: Vec<Question>,
}

/// Methods times sets times repetitions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) layout: Layout,
    /// The key in `claims.toml`.
    #[serde(default)]
    pub(crate) benchmark: Option<String>,
    pub(crate) sets: Vec<Set>,
    /// Run these sets only; the others are shown as left out.
    #[serde(default)]
    pub(crate) only: Vec<String>,
    /// Sets that are not run, with the reason; filled from `only` and by `--quick`.
    #[serde(skip)]
    pub(crate) left_out: Vec<(String, String)>,
    /// Use the gap splits of a set.
    #[serde(default)]
    pub(crate) gap: bool,
    /// Seeds per method on a set without published splits.
    #[serde(default = "one")]
    pub(crate) seeds: usize,
    /// Most splits per set.
    #[serde(default)]
    pub(crate) max_splits: Option<usize>,
    /// Recipe keys set for every run of the block, dotted.
    #[serde(default)]
    pub(crate) settings: Table,
    #[serde(default)]
    pub(crate) quick: Quick,
    #[serde(rename = "method")]
    pub(crate) methods: Vec<Method>,
    #[serde(rename = "column")]
    pub(crate) columns: Vec<Column>,
    #[serde(default)]
    pub(crate) published: Vec<Published>,
    #[serde(default, rename = "comparison")]
    pub(crate) comparisons: Vec<Comparison>,
}

/// How a block is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    /// One table: a row per method, a column per metric.
    Methods,
    /// One table per metric: a row per set, a column per method and published figure.
    Sets,
}

/// A data set of a block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    pub(crate) name: String,
    /// Training rows; orders the runs and weighs the time left.
    pub(crate) rows: usize,
    /// Number of published splits; without it runs differ by seed.
    #[serde(default)]
    pub(crate) splits: Option<usize>,
    /// Part of the repository; otherwise `--data` is needed.
    pub(crate) embedded: bool,
    /// Why `rank1 train` cannot be given this set, whatever is in the data folder.
    #[serde(default)]
    pub(crate) blocked: Option<String>,
    /// Recipe keys set for every run on this set, dotted; they win over those of the block.
    #[serde(default)]
    pub(crate) settings: Table,
}

/// A method of a block.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) label: String,
    /// Path below `recipes`; none for a choice.
    #[serde(default)]
    pub(crate) recipe: String,
    /// Not trained: of these methods, run by run, the one with the lower validation NLL.
    #[serde(default)]
    pub(crate) choose: Vec<String>,
    /// Training cost relative to the deterministic network.
    #[serde(default = "unit")]
    pub(crate) cost: f64,
    /// Recipe keys set for this method only, dotted; they win over those of the block and of the set.
    #[serde(default)]
    pub(crate) settings: Table,
}

/// A metric of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub(crate) metric: String,
    pub(crate) header: String,
    #[serde(default)]
    pub(crate) better: Better,
    pub(crate) decimals: usize,
    /// Factor between the metric and what is printed.
    #[serde(default = "unit")]
    pub(crate) scale: f64,
}

/// Which way a metric gets better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Better {
    Lower,
    Higher,
    #[default]
    Neither,
}

/// A column or row of published figures: the first row of `claims.toml` that fits.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    pub(crate) method: String,
    pub(crate) label: String,
    /// Only figures from this source.
    #[serde(default)]
    pub(crate) source: Option<String>,
    /// Only figures made with this number of samples at evaluation.
    #[serde(default)]
    pub(crate) samples: Option<usize>,
}

/// A line under the table: one of our methods against another or against a published one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comparison {
    pub(crate) ours: String,
    #[serde(default)]
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) published: Option<String>,
    pub(crate) metric: String,
}

/// What `--quick` changes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quick {
    /// Leave the block out.
    #[serde(default)]
    pub(crate) skip: bool,
    #[serde(default)]
    pub(crate) only: Vec<String>,
    #[serde(default)]
    pub(crate) repetitions: Option<usize>,
    #[serde(default)]
    pub(crate) settings: Table,
}

fn one() -> usize {
    1
}

fn unit() -> f64 {
    1.0
}

/// Names of the experiments in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let file = entry?.file_name();
        names.extend(file.to_str().and_then(|name| name.strip_suffix(".toml")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Reads an experiment; a block with `from` takes what it does not say from the only block of that experiment.
pub(crate) fn load(folder: &Path, name: &str) -> Result<Experiment> {
    let mut table = read_table(folder, name)?;
    let blocks = table.get_mut("block").and_then(Value::as_array_mut);
    let mut origins = Vec::new();
    for block in blocks.into_iter().flatten().filter_map(Value::as_table_mut) {
        let (whole, from) = built(folder, std::mem::take(block))?;
        *block = whole;
        origins.push(from);
    }
    let mut experiment: Experiment =
        table.try_into().with_context(|| format!("experiment {name} has a wrong format"))?;
    experiment.name = name.to_owned();
    for (block, from) in experiment.blocks.iter_mut().zip(origins) {
        let from = from.unwrap_or_else(|| name.to_owned());
        let only = std::mem::take(&mut block.only);
        block.keep(&only, |set| match set.embedded {
            true => format!("part of `cargo xtask reproduce {from}`"),
            false => format!("needs data: `cargo xtask reproduce {from} --data DIR`"),
        })?;
        block.check().with_context(|| format!("experiment {name}, block {}", block.name))?;
    }
    for question in &experiment.questions {
        question.check(&experiment.blocks).with_context(|| format!("experiment {name}"))?;
    }
    Ok(experiment)
}

fn read_table(folder: &Path, name: &str) -> Result<Table> {
    let path = folder.join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not TOML", path.display()))
}

fn only_block(folder: &Path, name: &str) -> Result<Table> {
    let mut table = read_table(folder, name)?;
    match table.remove("block").map(Value::try_into::<Vec<Table>>) {
        Some(Ok(mut blocks)) if blocks.len() == 1 => Ok(built(folder, blocks.remove(0))?.0),
        _ => bail!("experiment {name} must have exactly one block to be built upon"),
    }
}

/// The block with what it takes from another experiment, and that experiment's name.
fn built(folder: &Path, mut block: Table) -> Result<(Table, Option<String>)> {
    let Some(from) = block.remove("from").and_then(|from| from.as_str().map(str::to_owned)) else {
        return Ok((block, None));
    };
    let mut base = only_block(folder, &from)?;
    base.extend(block);
    Ok((base, Some(from)))
}

impl Experiment {
    /// Applies `--seeds` and `--quick`; the notes say what differs from the experiment as written.
    pub(crate) fn adjust(&mut self, options: &ReproduceOptions) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        for block in &mut self.blocks {
            if options.quick {
                notes.push(block.shorten()?);
            }
            if let Some(repetitions) = options.repetitions {
                (block.seeds, block.max_splits) = (repetitions, Some(repetitions));
                notes.push(format!("{}: --seeds {repetitions}", block.name));
            }
        }
        Ok(notes)
    }

    /// Names of sets that are not part of the repository, each once.
    pub(crate) fn external_sets(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for set in self.sets().filter(|set| !set.embedded) {
            if !names.contains(&set.name.as_str()) {
                names.push(set.name.as_str());
            }
        }
        names
    }

    /// Why the experiment cannot be run by any means, if it cannot.
    pub(crate) fn blocked(&self) -> Option<&str> {
        self.sets().find_map(|set| set.blocked.as_deref())
    }

    fn sets(&self) -> impl Iterator<Item = &Set> {
        self.blocks.iter().flat_map(|block| &block.sets)
    }
}

impl Block {
    fn shorten(&mut self) -> Result<String> {
        let quick = std::mem::take(&mut self.quick);
        if quick.skip {
            let reason = "left out by --quick".to_owned();
            self.left_out.extend(self.sets.drain(..).map(|set| (set.name, reason.clone())));
            return Ok(format!("{}: left out by --quick", self.name));
        }
        self.keep(&quick.only, |_| "left out by --quick".to_owned())?;
        if let Some(repetitions) = quick.repetitions {
            (self.seeds, self.max_splits) = (repetitions, Some(repetitions));
        }
        let settings: BTreeMap<String, String> =
            quick.settings.iter().map(|(key, value)| (key.clone(), value.to_string())).collect();
        // What shortens a run shortens every set and method, also one with a setting of its own.
        let own = self.methods.iter_mut().map(|method| &mut method.settings);
        for settings in own.chain(self.sets.iter_mut().map(|set| &mut set.settings)) {
            settings.retain(|key, _| !quick.settings.contains_key(key));
        }
        self.settings.extend(quick.settings);
        let changed: Vec<String> = settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        Ok(format!("{}: --quick ({} repetitions; {})", self.name, self.seeds, changed.join(", ")))
    }

    /// Keeps the named sets, all when none is named.
    fn keep(&mut self, only: &[String], reason: impl Fn(&Set) -> String) -> Result<()> {
        if only.is_empty() {
            return Ok(());
        }
        for name in only {
            ensure!(self.sets.iter().any(|set| set.name == *name), "block {} has no set {name}", self.name);
        }
        let (kept, dropped): (Vec<Set>, Vec<Set>) =
            self.sets.drain(..).partition(|set| only.contains(&set.name));
        self.left_out.extend(dropped.iter().map(|set| (set.name.clone(), reason(set))));
        self.sets = kept;
        Ok(())
    }

    /// Everything a typo could break later, after hours of training.
    fn check(&self) -> Result<()> {
        ensure!(!self.sets.is_empty() && !self.methods.is_empty(), "no sets or no methods");
        ensure!(self.seeds > 0 && self.max_splits != Some(0), "no repetitions");
        ensure!(self.layout == Layout::Sets || self.sets.len() == 1, "the layout `methods` is for one set");
        let mut names: Vec<&str> = self.methods.iter().map(|method| method.name.as_str()).collect();
        names.sort_unstable();
        // Their runs would share a folder.
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("two methods are called {}", pair[0]);
        }
        let known = |name: &str| self.methods.iter().any(|method| method.name == name);
        for Method { name, recipe, choose, .. } in &self.methods {
            ensure!(
                recipe.is_empty() != choose.is_empty(),
                "method {name} needs either `recipe` or `choose`"
            );
            let trained = |of: &String| self.methods.iter().any(|m| m.name == *of && m.choose.is_empty());
            ensure!(choose.iter().all(trained), "method {name} chooses among methods that are not trained");
        }
        for comparison in &self.comparisons {
            let Comparison { ours, method, published, metric } = comparison;
            ensure!(known(ours), "comparison names the unknown method {ours}");
            ensure!(method.as_deref().is_none_or(known), "comparison names the unknown method {method:?}");
            ensure!(
                method.is_some() != published.is_some(),
                "a comparison has either `method` or `published`"
            );
            let shown = |name: &String| self.published.iter().any(|item| item.method == *name);
            ensure!(
                published.as_ref().is_none_or(shown),
                "comparison names {published:?}, which is not among the published"
            );
            ensure!(self.columns.iter().any(|column| column.metric == *metric), "no column shows {metric}");
        }
        ensure!(
            self.published.is_empty() || self.benchmark.is_some(),
            "published figures need a `benchmark`"
        );
        Ok(())
    }

    /// How many runs of a method a set gets.
    pub(crate) fn repetitions(&self, set: &Set) -> usize {
        match set.splits {
            Some(splits) => splits.min(self.max_splits.unwrap_or(splits)),
            None => self.seeds,
        }
    }
}

#[cfg(test)]
#[path = "experiment_tests.rs"]
mod tests;
