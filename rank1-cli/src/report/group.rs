//! Gathers runs that repeat each other (same data set, method and size, another seed or split) and averages them.

use super::average::{Curve, over_epochs};
use super::comparison::Estimate;
use super::history::HistoryRow;
use super::input::{Evaluation, RunDocument};
use super::metric::{Metric, method_label};
use super::number::grouped;

/// Runs of one method on one data set.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// Name in tables and legends.
    pub(crate) label: String,
    /// Place in the palette of the whole report.
    pub(crate) series: usize,
    /// The runs, at least one.
    pub(crate) runs: Vec<&'a RunDocument>,
}

/// All groups of one data set.
#[derive(Debug)]
pub(crate) struct SetGroups<'a> {
    /// Name of the data set; its gap splits count as another set.
    pub(crate) set: String,
    /// Whether its task is regression.
    pub(crate) regression: bool,
    /// Its groups in the order of first appearance.
    pub(crate) groups: Vec<Group<'a>>,
}

impl Group<'_> {
    /// Number of runs.
    pub(crate) fn n(&self) -> usize {
        self.runs.len()
    }

    /// Evaluations of the runs.
    pub(crate) fn evaluations(&self) -> impl Iterator<Item = &Evaluation> {
        self.runs.iter().map(|run| &run.evaluation)
    }

    /// Mean of a metric over the runs.
    pub(crate) fn metric(&self, metric: &Metric) -> Option<Estimate> {
        self.estimate(|run| metric.value(&run.evaluation.metrics))
    }

    /// Mean over the runs of whatever `value` finds.
    pub(crate) fn estimate(&self, value: impl Fn(&RunDocument) -> Option<f64>) -> Option<Estimate> {
        Estimate::of(self.runs.iter().filter_map(|run| value(run)))
    }

    /// Mean over the runs of a quantity per epoch, over the epochs that every run reached.
    pub(crate) fn history(&self, value: impl Fn(&HistoryRow) -> f64) -> Curve {
        over_epochs(self.runs.iter().map(|run| run.history.as_slice()), value)
    }

    /// Whether the recipes differ in more than the seed and the split.
    pub(crate) fn recipes_differ(&self) -> bool {
        let essence = |text: &str| -> Vec<String> {
            let kept = text.lines().map(str::trim).filter(|line| {
                let key = line.split('=').next().unwrap_or_default().trim();
                !line.is_empty() && !line.starts_with('#') && key != "seed" && key != "split"
            });
            kept.map(ToOwned::to_owned).collect()
        };
        self.runs.windows(2).any(|pair| essence(&pair[0].recipe_text) != essence(&pair[1].recipe_text))
    }
}

/// Groups runs by data set and method; runs of one method that differ in recipe, K, S or size stay apart and say so in
/// their label.
pub(crate) fn group_runs(runs: &[RunDocument]) -> Vec<SetGroups<'_>> {
    let mut sets: Vec<SetGroups<'_>> = Vec::new();
    for document in runs {
        let run = &document.run;
        let name = if run.gap { format!("{}, gap splits", run.set) } else { run.set.clone() };
        let place = sets.iter().position(|set| set.set == name).unwrap_or_else(|| {
            sets.push(SetGroups { set: name, regression: run.task == "regression", groups: Vec::new() });
            sets.len() - 1
        });
        let groups = &mut sets[place].groups;
        match groups.iter_mut().find(|group| repeats(group.runs[0], document)) {
            Some(group) => group.runs.push(document),
            None => {
                groups.push(Group { label: method_label(&document.method), series: 0, runs: vec![document] })
            }
        }
    }
    let mut labels: Vec<String> = Vec::new();
    for set in &mut sets {
        name_apart(&mut set.groups);
        for group in &mut set.groups {
            group.series = labels.iter().position(|label| *label == group.label).unwrap_or_else(|| {
                labels.push(group.label.clone());
                labels.len() - 1
            });
        }
    }
    sets
}

fn repeats(a: &RunDocument, b: &RunDocument) -> bool {
    a.method == b.method
        && a.run.name == b.run.name
        && a.run.n_members == b.run.n_members
        && a.run.samples == b.run.samples
        && a.run.parameters == b.run.parameters
}

/// Adds to labels that several groups share what tells the groups apart: the recipe's name, or else the sizes.
fn name_apart(groups: &mut [Group<'_>]) {
    let additions: Vec<Option<String>> = groups
        .iter()
        .map(|group| {
            let run = &group.runs[0].run;
            let alike: Vec<_> = groups.iter().filter(|other| other.label == group.label).collect();
            let same_name = alike.iter().filter(|other| other.runs[0].run.name == run.name).count();
            let sizes = format!(
                "K = {}, S = {}, {} parameters",
                run.n_members,
                run.samples,
                grouped(run.parameters as f64)
            );
            match (alike.len(), same_name) {
                (1, _) => None,
                (_, 1) => Some(run.name.clone()),
                (all, same) if all == same => Some(sizes),
                _ => Some(format!("{}, {sizes}", run.name)),
            }
        })
        .collect();
    for (group, addition) in groups.iter_mut().zip(additions) {
        if let Some(addition) = addition {
            group.label = format!("{} ({addition})", group.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fabricated::{Fabricated, classification, regression};
    use super::*;

    #[test]
    fn seeds_of_one_method_share_a_group_and_a_series() {
        let runs = [
            classification(&Fabricated { seed: 0, ..Fabricated::default() }),
            classification(&Fabricated { seed: 1, ..Fabricated::default() }),
            classification(&Fabricated { method: "deterministic", ..Fabricated::default() }),
            regression(&Fabricated { set: "yacht", method: "deterministic", ..Fabricated::default() }),
        ];
        let sets = group_runs(&runs);
        let counts: Vec<Vec<usize>> =
            sets.iter().map(|set| set.groups.iter().map(Group::n).collect()).collect();
        assert_eq!(counts, [vec![2, 1], vec![1]]);
        assert_eq!(sets[0].groups[1].series, sets[1].groups[0].series);
        assert!(!sets[0].regression && sets[1].regression);
    }

    #[test]
    fn one_method_with_two_ensemble_sizes_stays_apart_by_name() {
        let mut small = classification(&Fabricated::default());
        small.run.n_members = 1;
        let runs = [small, classification(&Fabricated::default())];
        let sets = group_runs(&runs);
        assert_eq!(sets[0].groups.len(), 2);
        assert!(sets[0].groups[0].label.contains("K = 1"), "{}", sets[0].groups[0].label);
        assert!(sets[0].groups[1].label.contains("K = 4"), "{}", sets[0].groups[1].label);
    }

    #[test]
    fn one_method_from_two_recipes_and_gap_splits_stay_apart() {
        let mut runs = [(); 3].map(|()| regression(&Fabricated { set: "wine", ..Fabricated::default() }));
        runs[1].run.name = "wine/other".to_owned();
        runs[2].run.gap = true;
        let sets = group_runs(&runs);
        let labels: Vec<Vec<&str>> =
            sets.iter().map(|set| set.groups.iter().map(|group| group.label.as_str()).collect()).collect();
        let apart = vec!["Rank-1 Gaussian (wine/mlp_rank1_gaussian)", "Rank-1 Gaussian (wine/other)"];
        assert_eq!(labels, [apart, vec!["Rank-1 Gaussian"]]);
        assert_eq!(sets[1].set, "wine, gap splits");
    }

    #[test]
    fn only_the_seed_may_differ_between_recipes() {
        let with = |text: &str| {
            let mut run = classification(&Fabricated::default());
            run.recipe_text = text.to_owned();
            run
        };
        let alike = [with("seed = 1\nepochs = 5"), with("seed = 2\nepochs = 5\n")];
        assert!(!group_runs(&alike)[0].groups[0].recipes_differ());
        let unlike = [with("epochs = 5"), with("epochs = 6")];
        assert!(group_runs(&unlike)[0].groups[0].recipes_differ());
    }
}
